//! How BuildKit is told to run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use crate::Launch;
use crate::LaunchError;

/// Returns where BuildKit listens. What a build runs does not see it: it has a file system of its own.
pub(crate) fn socket(root: &Path) -> PathBuf {
    root.join("buildkitd.sock")
}

/// Returns the command of BuildKit, after writing its settings.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn command(launch: &Launch) -> Result<Vec<OsString>, LaunchError> {
    let settings = launch.root.join("buildkitd.toml");
    let failed = |error| LaunchError::Root { root: launch.root.clone(), error };
    std::fs::write(&settings, toml(launch)).map_err(failed)?;
    // One that a killed BuildKit left behind would be connected to in vain.
    match std::fs::remove_file(socket(&launch.root)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut address = OsString::from("unix://");
    address.push(socket(&launch.root));
    let mut command: Vec<OsString> = vec!["buildkitd".into(), "--addr".into(), address];
    command.extend(["--root".into(), launch.root.join("buildkit").into(), "--config".into(), settings.into()]);
    // The kernel lets nobody mount a new /proc where parts of the old one are hidden, as they are in every pod.
    command.push("--oci-worker-no-process-sandbox".into());
    command.extend(["--oci-worker-net", "host", "--oci-worker-snapshotter", "overlayfs"].map(OsString::from));
    command.push("--containerd-worker=false".into());
    if !launch.mounts.is_empty() {
        let program = crate::runc::install(&launch.root, &launch.mounts).map_err(failed)?;
        command.extend(["--oci-worker-binary".into(), program.into()]);
    }
    Ok(command)
}

fn toml(launch: &Launch) -> String {
    let mut text = "[worker.oci]\n  gc = true\n".to_owned();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut registries: BTreeMap<&str, String> = BTreeMap::new();
    let mut set = |registry, line: &str| {
        let settings = registries.entry(registry).or_default();
        settings.push_str(line);
        settings.push('\n');
    };
    for registry in &launch.insecure {
        set(registry, "  http = true\n  insecure = true");
    }
    for registry in launch.unchecked.iter().filter(|registry| !launch.insecure.contains(registry)) {
        set(registry, "  insecure = true");
    }
    for (registry, path) in launch.certificates.iter().filter_map(|pair| pair.split_once('=')) {
        set(registry, &format!("  ca = [{}]", quoted(path)));
    }
    for (registry, mirrors) in by_registry(&launch.mirrors) {
        set(registry, &format!("  mirrors = [{}]", mirrors.iter().map(|mirror| quoted(mirror)).collect::<Vec<_>>().join(", ")));
    }
    for (registry, pair) in launch.client_certificates.iter().filter_map(|pair| pair.split_once('=')) {
        let (certificate, key) = pair.split_once(',').unwrap_or((pair, pair));
        set(registry, &format!("  keypair = [{{ cert = {}, key = {} }}]", quoted(certificate), quoted(key)));
    }
    for (registry, settings) in registries {
        text.extend(["[registry.", &quoted(registry), "]\n", &settings]);
    }
    text
}

/// Returns the mirrors of each registry, in their order.
fn by_registry(mirrors: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (registry, mirror) in mirrors.iter().filter_map(|mirror| mirror.split_once('=')) {
        all.entry(registry).or_default().push(mirror);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_have_their_settings_once() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let launch = Launch {
            root: "/r".into(),
            idle: devloop_model::GoDuration(std::time::Duration::ZERO),
            insecure: texts(&["a:5000"]),
            unchecked: texts(&["a:5000", "b"]),
            certificates: texts(&["b=/ca"]),
            client_certificates: texts(&["c=/crt,/key"]),
            mirrors: texts(&["docker.io=m", "a:5000=n", "docker.io=o/p"]),
            relays: Vec::new(),
            mounts: Vec::new(),
        };
        insta::assert_snapshot!(toml(&launch), @r#"
        [worker.oci]
          gc = true
        [registry."a:5000"]
          http = true
          insecure = true
          mirrors = ["n"]
        [registry."b"]
          insecure = true
          ca = ["/ca"]
        [registry."c"]
          keypair = [{ cert = "/crt", key = "/key" }]
        [registry."docker.io"]
          mirrors = ["m", "o/p"]
        "#);
    }
}
