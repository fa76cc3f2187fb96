//! The pod's own volumes, which steps see at the same paths, as they do with kaniko.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Env;

/// What every pod has, and what is for kaniko and not for steps.
const NOT_FOR_STEPS: [&str; 9] = ["/proc", "/sys", "/dev", "/etc", "/kaniko", "/workspace", "/cache", "/secret", "/var/run/secrets"];

/// Returns the directories on which the pod has volumes for its steps, by `mounts`, the text of `/proc/self/mountinfo`.
pub(super) fn for_steps(mounts: &str, root: &Path, env: &Env) -> Vec<PathBuf> {
    let key = env.get("GOOGLE_APPLICATION_CREDENTIALS").and_then(|path| Path::new(path).parent());
    let is_for_steps = |at: &PathBuf| {
        at != Path::new("/")
            && !at.starts_with(root)
            && !NOT_FOR_STEPS.iter().any(|hidden| at.starts_with(hidden))
            && !at.starts_with("/run/secrets")
            && key.is_none_or(|key| key == Path::new("/") || !at.starts_with(key))
            && at.is_dir()
    };
    let mut directories: Vec<PathBuf> =
        mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped).filter(is_for_steps).collect();
    directories.sort_unstable();
    directories.dedup();
    directories
}

/// The kernel writes a space as `\040`.
fn unescaped(text: &str) -> PathBuf {
    PathBuf::from(text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_volumes_of_the_configuration_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path.display().to_string()
        };
        let (cache, key, own) = (at("go cache"), at("key"), at("own"));
        let line = |path: &str| format!("36 35 98:0 / {} rw - ext4 /dev/x rw\n", path.replace(' ', "\\040"));
        let paths =
            ["/", "/proc", "/dev/shm", "/etc/hosts", "/kaniko/buildcontext", "/var/run/secrets/kubernetes.io", &cache, &cache, &key, &own];
        let mounts: String = paths.iter().map(|path| line(path)).collect();
        let env = Env::new(BTreeMap::from([("GOOGLE_APPLICATION_CREDENTIALS".to_owned(), format!("{key}/kaniko-secret"))]));
        assert_eq!(for_steps(&mounts, Path::new(&own), &env), [PathBuf::from(cache)]);
    }
}
