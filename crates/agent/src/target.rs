//! The root of another container of the pod.

use std::fs;
use std::path::PathBuf;

/// Returns the root of the container called `name`, from a container that shares its processes.
///
/// The kubelet mounts every container's termination log from a directory that bears the container's name, so that a
/// process's mounts tell whose it is; the first process is the container's own where it is not the pod that shares processes.
pub fn root_of(name: &str) -> PathBuf {
    let mut pids: Vec<u32> =
        fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let is_of = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/mountinfo")).is_ok_and(|mounts| is_container(&mounts, name));
    let pid = pids.into_iter().find(is_of).unwrap_or(1);
    PathBuf::from(format!("/proc/{pid}/root"))
}

/// Returns whether these are the mounts of the container called `name`.
fn is_container(mounts: &str, name: &str) -> bool {
    let directory = format!("/containers/{name}/");
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(3);
        fields.next().is_some_and(|from| from.contains(&directory)) && fields.next() == Some("/dev/termination-log")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_tell_the_container() {
        let mounts = "1 0 0:5 / / rw - overlay overlay rw\n2 1 8:1 /var/lib/kubelet/pods/u/containers/app/12ab /dev/termination-log rw - ext4 /dev/a rw\n3 1 8:1 /x/containers/other/1 /data rw - ext4 /dev/a rw";
        assert_eq!(["app", "other", "ap"].map(|name| is_container(mounts, name)), [true, false, false]);
    }
}
