//! Modules in git repositories: the real binary and the real git, no cluster.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::context::binary;

/// A project that requires a module from a repository beside it.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// Makes the repository, and a project whose `git:` has `fields` beside `repo`.
    fn new(fields: &str) -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["lib", "app", "home"] {
            std::fs::create_dir(project.path(folder)).unwrap();
        }
        project.git(&["init", "-q", "-b", "main"]);
        project.save("first");
        let config = format!(
            "apiVersion: skaffold/v4beta13\nkind: Config\nrequires:\n- git: {{repo: ../lib{fields}}}\nmanifests: {{rawYaml: []}}\n"
        );
        std::fs::write(project.path("app/skaffold.yaml"), config).unwrap();
        project
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        assert!(Command::new("git").args(identity).args(arguments).current_dir(self.path("lib")).status().unwrap().success());
    }

    /// Commits a module with one ConfigMap, called `name`.
    fn save(&self, name: &str) {
        let module = "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: lib}\nmanifests: {rawYaml: [k8s.yaml]}\n";
        std::fs::write(self.path("lib/skaffold.yaml"), module).unwrap();
        let object = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        std::fs::write(self.path("lib/k8s.yaml"), object).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", name]);
    }

    /// Runs the binary, and returns whether it succeeded and what it said, with the temporary directory called `DIR`.
    fn devloop(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(binary())
            .args(arguments)
            .current_dir(self.path("app"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .output()
            .unwrap();
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(said).unwrap().replace(&self.dir.path().display().to_string(), "DIR"))
    }

    fn rendered(&self, flags: &[&str]) -> String {
        let (succeeded, said) = self.devloop(&[&["render", "--offline", "--digest-source", "none"][..], flags].concat());
        assert!(succeeded, "{said}");
        said.lines().find_map(|line| line.trim().strip_prefix("name: ")).unwrap_or_default().to_owned()
    }

    fn fault(&self, flags: &[&str]) -> String {
        let (succeeded, said) = self.devloop(&[&["render", "--offline"][..], flags].concat());
        assert!(!succeeded, "{said}");
        said
    }
}

fn copies(cache: &Path) -> usize {
    let entries = std::fs::read_dir(cache).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn a_module_is_cloned_and_follows_its_branch() {
    let project = Project::new("");
    assert_eq!(project.rendered(&[]), "first");
    project.save("second");
    assert_eq!(project.rendered(&["--sync-remote-cache=missing"]), "first");
    assert_eq!(project.rendered(&["--sync-remote-cache", "never"]), "first");
    let (succeeded, shown) = project.devloop(&["diagnose", "--yaml-only"]);
    assert!(succeeded && shown.contains("/k8s.yaml"), "diagnose fetches only what is missing: {shown}");
    assert_eq!(project.rendered(&["--sync-remote-cache=missing"]), "first");
    assert_eq!(project.rendered(&[]), "second");
    assert_eq!(copies(&project.path("home/.cache/devloop/repos")), 1);
    assert_eq!(project.rendered(&["--remote-cache-dir", "../other"]), "second");
    assert_eq!(copies(&project.path("other")), 1);
    project.save("third");
    assert_eq!(project.rendered(&["--remote-cache-dir", "../other"]), "third");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn a_module_that_is_not_synced_stays() {
    let project = Project::new(", sync: false");
    assert_eq!(project.rendered(&[]), "first");
    project.save("second");
    assert_eq!(project.rendered(&[]), "first");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn what_cannot_be_fetched_is_told_at_its_line() {
    insta::assert_snapshot!(Project::new("").fault(&["--sync-remote-cache=never"]), @r"
    error[config/fetch-off]: there is no copy of `DIR/lib`, and none may be fetched
     --> skaffold.yaml:4:15
      |
    4 | - git: {repo: ../lib}
      |               ^^^^^^
    help: `--sync-remote-cache=missing` fetches what is missing, and leaves the rest as it is
    ");
    insta::assert_snapshot!(Project::new(", ref: v9").fault(&[]), @r"
    error[config/no-reference]: `DIR/lib` has no branch, tag or commit `v9`
     --> skaffold.yaml:4:15
      |
    4 | - git: {repo: ../lib, ref: v9}
      |               ^^^^^^
    help: check `ref`, which is `master`, else `main`, where it is not given
    ");
    insta::assert_snapshot!(Project::new(", path: ../../app").fault(&[]), @r"
    error[config/outside]: `../../app` leads out of the repository
     --> skaffold.yaml:4:29
      |
    4 | - git: {repo: ../lib, path: ../../app}
      |                             ^^^^^^^^^
    help: `path` starts at the root of the repository, and names a file or a directory in it
    ");
}
