//! What editors ask and change, on real files: the real binary, no cluster.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::context::binary;

/// A project with a module of its own and one of a repository, which is reached as a remote one is.
struct Project(tempfile::TempDir);

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        let library = project.path().join("library");
        project.write("library/skaffold.yaml", &format!("{HEAD}metadata: {{name: library}}\nrequires: [{{path: inner}}]\n"));
        project.write("library/inner/skaffold.yaml", &format!("{HEAD}metadata: {{name: inner}}\n"));
        for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "first"]] {
            let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
            assert!(Command::new("git").args(identity).args(arguments).current_dir(&library).status().unwrap().success());
        }
        let app = format!(
            "{HEAD}metadata: {{name: app}}\nrequires:\n- path: own\n- git: {{repo: 'file://{}'}}\n\
             build:\n  # the images\n  artifacts:\n  - image: web\nmanifests: {{rawYaml: [web.yaml]}}\n",
            library.display()
        );
        project.write("app/skaffold.yaml", &app);
        project.write("app/own/skaffold.yaml", &format!("{HEAD}metadata: {{name: own}}\n"));
        project.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
        let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/managed-by: me\n\
                        spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n\
                        \x20   spec: {containers: [{name: web, image: web, ports: [{containerPort: 80}]}]}\n";
        project.write("app/web.yaml", manifest);
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap().replace(&self.path().display().to_string(), "DIR")
    }

    /// Runs the binary on a file of input, and returns its status and both outputs, with the temporary directory called `DIR`.
    fn run(&self, line: &str, input: &str) -> (i32, String) {
        let input =
            std::fs::File::open(if input.is_empty() { Path::new("/dev/null").to_owned() } else { self.path().join(input) }).unwrap();
        let output = Command::new(binary())
            .args(line.split(' '))
            .current_dir(self.path().join("app"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path().join("home"))
            .stdin(Stdio::from(input))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), text.replace(&self.path().display().to_string(), "DIR"))
    }

    fn said(&self, line: &str) -> String {
        let (code, text) = self.run(line, "");
        assert_eq!(code, 0, "{text}");
        text
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn modules_of_files_and_repositories_are_listed() {
    let project = Project::new();
    let listed: serde_json::Value = serde_json::from_str(&project.said("inspect modules list")).unwrap();
    let entry =
        |module: &serde_json::Value| (module["name"].as_str().unwrap().to_owned(), module["isRemote"] == true, module["isRoot"] == true);
    let names: Vec<_> = listed["modules"].as_array().unwrap().iter().map(entry).collect();
    let wanted = [("own", false, false), ("inner", true, false), ("library", true, false), ("app", false, true)];
    assert_eq!(names, wanted.map(|(name, remote, root)| (name.to_owned(), remote, root)));
    let (code, refused) = project.run("inspect modules list -f gone.yaml", "");
    assert_eq!((code, refused.contains("CONFIG_FILE_NOT_FOUND_ERR")), (1, true), "{refused}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn files_are_changed_where_they_are_ours() {
    let project = Project::new();
    project.said("inspect build-env add cluster --namespace builds --profile ci");
    assert!(project.read("app/own/skaffold.yaml").ends_with("profiles:\n- name: ci\n  build:\n    cluster:\n      namespace: builds\n"));
    insta::assert_snapshot!(project.read("app/skaffold.yaml"), @"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata: {name: app}
    requires:
    - path: own
      activeProfiles:
      - name: ci
        activatedBy:
        - ci
    - git: {repo: 'file://DIR/library'}
    build:
      # the images
      artifacts:
      - image: web
    manifests: {rawYaml: [web.yaml]}
    profiles:
    - name: ci
      build:
        cluster:
          namespace: builds
    ");
    assert_eq!(project.said("inspect build-env list -p ci -m app").matches(r#""type":"cluster""#).count(), 2);
    assert_eq!(project.read("library/skaffold.yaml").matches("ci").count(), 0);
    let (code, refused) = project.run("inspect build-env add cluster --namespace other -p ci", "");
    assert_eq!((code, refused.contains("INSPECT_BUILD_ENV_ALREADY_EXISTS_ERR")), (1, true), "{refused}");
    project.write("more.json", r#"{"dependencies": [{"path": "third"}]}"#);
    project.write("app/third/skaffold.yaml", &format!("{HEAD}metadata: {{name: third}}\n"));
    project.said("inspect config-dependencies add ../more.json");
    assert!(project.said("inspect modules list").contains(r#""name":"third""#));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn manifests_are_filtered() {
    let project = Project::new();
    project.write("app/build.json", r#"{"builds":[{"imageName":"web","tag":"example.com/web:v1"}]}"#);
    let (code, text) = project.run("filter --build-artifacts build.json --label team=a", "app/web.yaml");
    assert_eq!(code, 0, "{text}");
    insta::assert_snapshot!(text, @"
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels:
        app.kubernetes.io/managed-by: me
        team: a
    spec:
      selector:
        matchLabels:
          app: web
      template:
        metadata:
          labels:
            app: web
            team: a
        spec:
          containers:
          - name: web
            image: example.com/web:v1
            ports:
            - containerPort: 80
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn what_could_be_better_is_told() {
    let project = Project::new();
    project.write("app/.git/HEAD", "ref: refs/heads/main\n");
    project.write(
        "app/skaffold.yaml",
        &project.read("app/skaffold.yaml").replace("DIR", &project.path().display().to_string()).replace("v4beta14", "v4beta13"),
    );
    insta::assert_snapshot!(project.said("lint"), @"
    skaffold.yaml:1:13: ID000001: YamlFieldLintRule: this is not the newest version of the schema, skaffold/v4beta14: let `devloop fix --overwrite` bring the file there
    apiVersion: skaffold/v4beta13
                ^
    skaffold.yaml:12:1: ID000002: YamlFieldLintRule: ports of this configuration are forwarded to whatever local port is free. To have the same ones in every session, add:
    portForward:
    - resourceType: deployment
      resourceName: web
      port: 80
      localPort: 32581

    ^
    Dockerfile:2:1: ID000005: DockerfileCommandLintRule: `.` has the directory .git in it, so that every git command builds the image anew: leave it out by a .dockerignore
    COPY . /
    ^
    web.yaml:6:5: ID000006: YamlFieldLintRule: `app.kubernetes.io/managed-by` says which tool looks after an object, and Skaffold writes its own name over it: take it out
        app.kubernetes.io/managed-by: me
        ^
    ");
    let found: serde_json::Value = serde_json::from_str(&project.said("lint --format json")).unwrap();
    let place = |found: &serde_json::Value| {
        let file = found["RelFilePath"].as_str().unwrap().to_owned();
        (found["Rule"]["RuleID"].as_u64().unwrap(), file, found["StartLine"].as_u64().unwrap(), found["StartColumn"].as_u64().unwrap())
    };
    let places: Vec<_> = found.as_array().unwrap().iter().map(place).collect();
    let wanted = [(1, "skaffold.yaml", 1, 13), (2, "skaffold.yaml", 12, 1), (5, "Dockerfile", 2, 1), (6, "web.yaml", 6, 5)];
    assert_eq!(places, wanted.map(|(rule, file, line, column)| (rule, file.to_owned(), line, column)));
}
