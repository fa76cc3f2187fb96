//! A build request in the words of BuildKit's Dockerfile frontend (`docs/reference/buildctl`, `frontend/dockerui`).

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::moby::buildkit::v1::CacheOptions;
use bollard::moby::buildkit::v1::CacheOptionsEntry;
use bollard::moby::buildkit::v1::SolveRequest;

use super::session::DOCKERFILE_NAME;
use crate::docker::BuildRequest;
use crate::docker::DockerError;

/// Returns the request that builds an image into the daemon itself.
pub(super) fn solve_request(request: &BuildRequest, session: &str) -> Result<SolveRequest, DockerError> {
    let imports = request.cache_from.iter().map(|cache| cache_entry(cache));
    let frontend_attrs = attributes(request)?;
    let host_network = frontend_attrs.get("force-network-mode").is_some_and(|mode| mode == "host");
    Ok(SolveRequest {
        r#ref: uuid::Uuid::new_v4().simple().to_string(),
        exporter_deprecated: "moby".to_owned(),
        exporter_attrs_deprecated: HashMap::from([("name".to_owned(), request.tag.to_string())]),
        session: session.to_owned(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs,
        cache: Some(CacheOptions { imports: imports.collect(), ..CacheOptions::default() }),
        entitlements: if host_network { vec!["network.host".to_owned()] } else { Vec::new() },
        ..SolveRequest::default()
    })
}

fn attributes(request: &BuildRequest) -> Result<HashMap<String, String>, DockerError> {
    let mut attributes = HashMap::from([
        ("filename".to_owned(), DOCKERFILE_NAME.to_owned()),
        ("image-resolve-mode".to_owned(), if request.pull { "pull" } else { "default" }.to_owned()),
    ]);
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    for (name, value) in &request.build_args {
        set(&format!("build-arg:{name}"), value.clone());
    }
    if let Some(target) = &request.target {
        set("target", target.clone());
    }
    if let Some(platform) = &request.platform {
        set("platform", platform.to_string());
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

/// Reads an image name, or buildx's `type=registry,ref=name`.
fn cache_entry(text: &str) -> CacheOptionsEntry {
    if !text.contains('=') {
        return CacheOptionsEntry { r#type: "registry".to_owned(), attrs: HashMap::from([("ref".to_owned(), text.to_owned())]) };
    }
    let mut attrs: HashMap<String, String> = text
        .split(',')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.trim().to_lowercase(), value.to_owned()))
        .collect();
    CacheOptionsEntry { r#type: attrs.remove("type").unwrap_or_else(|| "registry".to_owned()), attrs }
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
        request.platform = Some("linux/arm64".parse().unwrap());
        request.no_cache = true;
        request.pull = true;
        request.add_hosts = vec!["a:1.2.3.4".to_owned(), "b:::1".to_owned()];
        request.network = Some("host".to_owned());
        request.cache_from = vec!["web:cache".to_owned(), "type=local,src=/c".to_owned()];
        let solve = solve_request(&request, "s").unwrap();
        let shown: BTreeMap<_, _> = solve.frontend_attrs.into_iter().collect();
        let expected = [
            ("add-hosts", "a=1.2.3.4,b=::1"),
            ("build-arg:V", "1"),
            ("filename", "Dockerfile"),
            ("force-network-mode", "host"),
            ("image-resolve-mode", "pull"),
            ("no-cache", ""),
            ("platform", "linux/arm64"),
            ("target", "dev"),
        ];
        assert_eq!(shown.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(solve.entitlements, ["network.host"]);
        let imports = solve.cache.unwrap().imports;
        assert_eq!((imports[0].r#type.as_str(), imports[0].attrs["ref"].as_str()), ("registry", "web:cache"));
        assert_eq!((imports[1].r#type.as_str(), imports[1].attrs["src"].as_str()), ("local", "/c"));
    }

    #[test]
    fn what_buildkit_cannot_do_is_said() {
        let mut network = request("/c");
        network.network = Some("mynet".to_owned());
        insta::assert_snapshot!(solve_request(&network, "s").unwrap_err().diagnostic(), @r"
        error[docker/unsupported-setting]: `network: mynet` needs the classic builder
        help: set `build.local.useBuildkit: false`, or use `host`, `none` or `bridge`
        ");
        let mut hosts = request("/c");
        hosts.add_hosts = vec!["a".to_owned()];
        assert!(solve_request(&hosts, "s").is_err());
    }
}
