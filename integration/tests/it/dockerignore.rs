//! The table of `.dockerignore` cases that the build crate is held to, against `docker build` itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use crate::context::cluster_environment;

/// What lies below `/ctx` in the image that `COPY . /ctx/` makes of `context`; a directory counts when nothing is in it.
fn copied(context: &Path) -> BTreeSet<String> {
    let dockerfile = tempfile::NamedTempFile::new().unwrap();
    fs::write(dockerfile.path(), "FROM scratch\nCOPY . /ctx/\n").unwrap();
    let built = docker(&["build", "-q", "-f", dockerfile.path().to_str().unwrap(), context.to_str().unwrap()]);
    let image = String::from_utf8(built.stdout).unwrap().lines().last().unwrap().to_owned();
    let container = String::from_utf8(docker(&["create", &image, "none"]).stdout).unwrap().trim().to_owned();
    let archive = tempfile::NamedTempFile::new().unwrap();
    docker(&["export", "-o", archive.path().to_str().unwrap(), &container]);
    docker(&["rm", &container]);
    docker(&["rmi", "-f", &image]);
    let listed = Command::new("tar").args(["--quoting-style=literal", "-tf"]).arg(archive.path()).output().unwrap();
    let names: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().filter_map(|name| name.strip_prefix("ctx/")).map(str::to_owned).collect();
    let is_kept = |name: &&String| {
        !(name.is_empty() || name.ends_with('/') && names.iter().any(|other| other != *name && other.starts_with(name.as_str())))
    };
    names.iter().filter(is_kept).cloned().collect()
}

/// The classic builder: the daemon's client does the ignoring, and every client has this one.
fn docker(arguments: &[&str]) -> Output {
    let output = Command::new("docker").args(arguments).envs(cluster_environment()).env("DOCKER_BUILDKIT", "0").output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn every_case_is_what_docker_does() {
    let table: serde_json::Value = serde_json::from_str(include_str!("../../../crates/build/testdata/dockerignore.json")).unwrap();
    let cases = table.as_array().unwrap();
    assert!(cases.len() >= 60);
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for case in cases {
        let context = tempfile::tempdir().unwrap();
        for file in texts(&case["files"]).iter().chain(&["Dockerfile".to_owned()]) {
            let full = context.path().join(file);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            if file.ends_with('/') { fs::create_dir_all(full).unwrap() } else { fs::write(full, "x").unwrap() }
        }
        fs::write(context.path().join(".dockerignore"), case["ignore"].as_str().unwrap()).unwrap();
        assert_eq!(copied(context.path()), texts(&case["seen"]).into_iter().collect(), "{}", case["name"]);
    }
}
