//! A build request in the words of BuildKit's Dockerfile frontend (`docs/reference/buildctl`, `frontend/dockerui`).

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::moby::buildkit::v1::CacheOptions;
use bollard::moby::buildkit::v1::SolveRequest;

use serde_json::json;

use super::Output;
use super::local_cache::Caches;
use super::session::DOCKERFILE_NAME;
use crate::docker::BuildRequest;
use crate::docker::DockerError;

/// Returns the request that builds an image to where it goes.
pub(super) fn solve_request(request: &BuildRequest, output: &Output, caches: &Caches, session: &str) -> Result<SolveRequest, DockerError> {
    let (exporter, mut exporter_attributes) = output.exporter(&request.tag.to_string());
    exporter_attributes.extend(request.export.clone());
    if request.reproducible && *output != Output::Daemon {
        exporter_attributes.insert("rewrite-timestamp".to_owned(), "true".to_owned());
    }
    let (imports, exports) = (caches.imports.clone(), caches.exports.clone());
    let mut frontend_attrs = attributes(request)?;
    if !imports.is_empty() {
        // It is the frontend that looks there, stage by stage (`frontend/dockerui/config.go`).
        let imports: Vec<_> = imports.iter().map(|entry| json!({ "Type": entry.r#type, "Attrs": entry.attrs })).collect();
        frontend_attrs.insert("cache-imports".to_owned(), json!(imports).to_string());
    }
    let host_network = frontend_attrs.get("force-network-mode").is_some_and(|mode| mode == "host");
    Ok(SolveRequest {
        r#ref: uuid::Uuid::new_v4().simple().to_string(),
        // The newer list of exporters is unknown to the BuildKit of older daemons.
        exporter_deprecated: exporter,
        exporter_attrs_deprecated: exporter_attributes,
        session: session.to_owned(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs,
        cache: Some(CacheOptions { imports, exports, ..CacheOptions::default() }),
        entitlements: if host_network { vec!["network.host".to_owned()] } else { Vec::new() },
        ..SolveRequest::default()
    })
}

fn attributes(request: &BuildRequest) -> Result<HashMap<String, String>, DockerError> {
    let filename = match &request.remote_context {
        Some(_) => request.dockerfile.to_string_lossy().into_owned(),
        None => DOCKERFILE_NAME.to_owned(),
    };
    let mut attributes = HashMap::from([
        ("filename".to_owned(), filename),
        ("image-resolve-mode".to_owned(), if request.pull { "pull" } else { "default" }.to_owned()),
    ]);
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    for (name, value) in &request.build_args {
        set(&format!("build-arg:{name}"), value.clone());
    }
    if let Some(target) = &request.target {
        set("target", target.clone());
    }
    if !request.platforms.is_empty() {
        set("platform", request.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    }
    if let Some(context) = &request.remote_context {
        set("context", context.clone());
    }
    for (name, value) in &request.labels {
        set(&format!("label:{name}"), value.clone());
    }
    if request.reproducible {
        set("build-arg:SOURCE_DATE_EPOCH", "0".to_owned());
    }
    if request.no_cache {
        set("no-cache", String::new());
    }
    if !request.add_hosts.is_empty() {
        let hosts: Result<Vec<_>, _> = request.add_hosts.iter().map(|host| host_entry(host)).collect();
        set("add-hosts", hosts?.join(","));
    }
    match request.network.as_deref().unwrap_or_default().to_lowercase().as_str() {
        "" | "default" | "bridge" => {}
        mode @ ("host" | "none") => {
            set("force-network-mode", mode.to_owned());
        }
        other => {
            let setting = format!("`network: {other}`");
            return Err(DockerError::Unsupported {
                setting,
                needs: "the classic builder",
                help: "set `build.local.useBuildkit: false`, or use `host`, `none` or `bridge`",
            });
        }
    }
    Ok(attributes)
}

/// Turns `host:ip` or `host=ip` into the frontend's form.
fn host_entry(entry: &str) -> Result<String, DockerError> {
    let split = entry.split_once('=').or_else(|| entry.split_once(':'));
    match split.map(|(host, ip)| (host, ip.trim_matches(['[', ']']).parse::<IpAddr>())) {
        Some((host, Ok(ip))) if !host.is_empty() => Ok(format!("{host}={ip}")),
        _ => Err(DockerError::Unsupported {
            setting: format!("`addHost: {entry}`"),
            needs: "the form `host:ip`",
            help: "write a host name and an IP address",
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::buildkit::session::tests::request;

    #[test]
    fn every_setting_has_its_attribute() {
        let mut request = request("/c");
        request.build_args = BTreeMap::from([("V".to_owned(), "1".to_owned())]);
        request.target = Some("dev".to_owned());
        request.platforms = vec!["linux/arm64".parse().unwrap(), "linux/amd64".parse().unwrap()];
        request.labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        request.reproducible = true;
        request.cache_to = vec!["type=inline".to_owned()];
        request.no_cache = true;
        request.pull = true;
        request.add_hosts = vec!["a:1.2.3.4".to_owned(), "b:::1".to_owned()];
        request.network = Some("host".to_owned());
        request.cache_from = vec!["web:cache".to_owned(), "type=registry,ref=r.io/c".to_owned()];
        let caches = Caches::of(&request).unwrap();
        let solve = solve_request(&request, &Output::Daemon, &caches, "s").unwrap();
        let shown: BTreeMap<_, _> = solve.frontend_attrs.into_iter().collect();
        let expected = [
            ("add-hosts", "a=1.2.3.4,b=::1"),
            ("build-arg:SOURCE_DATE_EPOCH", "0"),
            ("build-arg:V", "1"),
            ("cache-imports", r#"[{"Type":"registry","Attrs":{"ref":"web:cache"}},{"Type":"registry","Attrs":{"ref":"r.io/c"}}]"#),
            ("filename", "Dockerfile"),
            ("force-network-mode", "host"),
            ("image-resolve-mode", "pull"),
            ("label:team", "a"),
            ("no-cache", ""),
            ("platform", "linux/arm64,linux/amd64"),
            ("target", "dev"),
        ];
        assert_eq!(shown.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(solve.entitlements, ["network.host"]);
        let imports = solve.cache.unwrap().imports;
        assert_eq!((imports[0].r#type.as_str(), imports[0].attrs["ref"].as_str()), ("registry", "web:cache"));
        assert_eq!((imports[1].r#type.as_str(), imports[1].attrs["ref"].as_str()), ("registry", "r.io/c"));
    }

    #[test]
    fn what_buildkit_cannot_do_is_said() {
        let mut network = request("/c");
        network.network = Some("mynet".to_owned());
        insta::assert_snapshot!(solve_request(&network, &Output::Daemon, &Caches::default(), "s").unwrap_err().diagnostic(), @r"
        error[docker/unsupported-setting]: `network: mynet` needs the classic builder
        help: set `build.local.useBuildkit: false`, or use `host`, `none` or `bridge`
        ");
        let mut hosts = request("/c");
        hosts.add_hosts = vec!["a".to_owned()];
        assert!(solve_request(&hosts, &Output::Daemon, &Caches::default(), "s").is_err());
    }
}
