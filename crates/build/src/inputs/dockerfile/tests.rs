//! Dockerfiles on disk: what is read, and what is told.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;

use super::*;
use crate::testing;

struct Project(tempfile::TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = dir.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        Self(dir)
    }

    fn list(&self, context: &str, dockerfile: &str, reach: Reach) -> Result<DockerFiles, BuildError> {
        let artifact = testing::docker("web", &self.0.path().join(context));
        let read = read(&artifact, Path::new(dockerfile), self.0.path())?;
        let (arguments, bases) = (BTreeMap::new(), HashMap::new());
        list(
            &artifact,
            &read,
            &Evaluation { arguments: &arguments, platform: "linux/amd64", target: None, bases: &bases },
            reach,
            self.0.path(),
        )
    }

    fn names(&self, context: &str, dockerfile: &str) -> Vec<String> {
        self.list(context, dockerfile, Reach::Target).unwrap().files.into_iter().map(|listed| listed.path.to_string()).collect()
    }

    fn fault(&self) -> String {
        let text = self.list(".", "Dockerfile", Reach::Target).unwrap_err().diagnostic().to_string();
        text.replace(self.0.path().to_str().unwrap(), "[dir]")
    }
}

#[test]
fn the_dockerfile_is_an_input_wherever_it_is() {
    let project =
        Project::new(&[("web/Dockerfile", "FROM a\nCOPY src /"), ("web/src/a", ""), ("Shared", "FROM a\nCOPY src/a /"), ("web/other", "")]);
    assert_eq!(project.names("web", "Dockerfile"), ["Dockerfile", "src/a"]);
    assert_eq!(project.names("web", "Shared"), ["../Shared", "src/a"]);
    assert!(!project.list("web", "Dockerfile", Reach::Target).unwrap().dockerfile_is_copied);
}

#[test]
fn an_ignored_dockerfile_is_an_input_but_not_copied() {
    let project = Project::new(&[("Dockerfile", "FROM a\nCOPY . /"), (".dockerignore", "Dockerfile\n*.log"), ("a.log", ""), ("b", "")]);
    let found = project.list(".", "Dockerfile", Reach::Target).unwrap();
    assert_eq!(project.names(".", "Dockerfile"), [".dockerignore", "Dockerfile", "b"]);
    assert!(!found.dockerfile_is_copied);
}

#[test]
fn the_ignore_file_beside_the_dockerfile_wins() {
    let project =
        Project::new(&[("Dockerfile", "FROM a\nCOPY . /"), ("Dockerfile.dockerignore", "b"), (".dockerignore", "c"), ("b", ""), ("c", "")]);
    assert_eq!(project.names(".", "Dockerfile"), [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "c"]);
}

#[test]
fn patterns_and_paths_above_the_context_stay_in_it() {
    let project = Project::new(&[
        ("Dockerfile", "FROM a\nCOPY *.go ../up /x/\nCOPY /abs none* /"),
        ("a.go", ""),
        ("b.txt", ""),
        ("up", ""),
        ("abs", ""),
    ]);
    assert_eq!(project.names(".", "Dockerfile"), ["Dockerfile", "a.go", "abs", "up"]);
}

#[test]
fn faults_stand_at_their_line() {
    insta::assert_snapshot!(Project::new(&[("Dockerfile", "FROM a\n  COPPY x y\n")]).fault(), @r"
    error[build/dockerfile]: the Dockerfile of `web` is not valid: there is no instruction `COPPY`
     --> Dockerfile:2:3
      |
    2 |   COPPY x y
      |   ^^^^^
    ");
    insta::assert_snapshot!(Project::new(&[("Dockerfile", "FROM a\nCOPY x *.go y/\n")]).fault(), @r"
    error[build/nothing-to-copy]: the Dockerfile of `web` copies `x`, `*.go`, which is not in the build context
     --> Dockerfile:2:1
      |
    2 | COPY x *.go y/
      | ^^^^^^^^^^^^^^
      looked in [dir]/.
    ");
    insta::assert_snapshot!(Project::new(&[]).fault(), @r"
    error[build/no-dockerfile]: the Dockerfile of `web` cannot be read: `[dir]/./Dockerfile`
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      No such file or directory (os error 2)
    help: set `docker.dockerfile` to its path, relative to `context`
    ");
    insta::assert_snapshot!(Project::new(&[("Dockerfile", "FROM a\nCOPY . /"), (".dockerignore", "a\n [x\n")]).fault(), @r"
    error[build/dockerignore]: a pattern of `.dockerignore` is not valid: this pattern is malformed
     --> .dockerignore:2:2
      |
    2 |  [x
      |  ^^
    ");
}

#[test]
fn relative_paths_are_those_of_go() {
    for (from, to, expected) in [("/a/b", "/a/b/c", "c"), ("/a/b", "/a/c/d", "../c/d"), ("/a", "/a", ""), ("/a/b/c", "/x", "../../../x")] {
        assert_eq!(relative(Path::new(from), Path::new(to)), expected, "{from} to {to}");
    }
}
