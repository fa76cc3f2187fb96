//! `devloop init`: what it says of a folder, and configurations that run.

use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::context::TestContext;
use crate::context::binary;

const DOCKERFILE: &str = "FROM localhost:5000/busybox\nCOPY . /www\nCMD [\"httpd\", \"-f\", \"-p\", \"80\", \"-h\", \"/www\"]\n";

/// Returns a folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("shop").tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(binary());
    let path = format!("{}:/usr/bin:/bin", folder.join(".bin").display());
    command.arg("init").args(arguments).current_dir(folder).env_clear().env("HOME", folder.join(".state")).env("PATH", path);
    command
}

fn init(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Puts a program before those of the system.
fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(".bin").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn workload(image: &str, port: u16) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {image}}}\nspec:\n  selector: {{matchLabels: {{app: {image}}}}}\n  template:\n    metadata: {{labels: {{app: {image}}}}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{{name: {image}, image: {image}}}]\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {image}}}\nspec: {{selector: {{app: {image}}}, ports: [{{port: 80, targetPort: {port}}}]}}\n"
    )
}

#[test]
fn what_cannot_be_written_has_the_exit_codes_of_skaffold() {
    let pods = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: x}, {image: y}]}\n";
    let web = workload("web", 80);
    let existing = [("skaffold.yaml", "apiVersion: skaffold/v4beta13\nkind: Config\n"), ("Dockerfile", DOCKERFILE), ("k.yaml", &web)];
    for (files, arguments, code, said) in [
        (&[("k.yaml", pods)][..], &["--force"][..], 101, "please provide at least one build config"),
        (&[("Dockerfile", DOCKERFILE)], &["--force"], 102, "one or more valid Kubernetes manifests are required"),
        (&existing, &[], 103, "pre-existing skaffold.yaml found (you may continue with --force)"),
        (&existing, &["-f", "skaffold.yaml"], 103, "pre-existing skaffold.yaml found"),
        (&[("a/Dockerfile", DOCKERFILE), ("b/Dockerfile", DOCKERFILE), ("k.yaml", pods)], &["--force"], 104, "images: `x`, `y`"),
        (&[("Dockerfile", DOCKERFILE), ("c/Chart.yaml", "name: [")], &["--force"], 105, "one or more valid Helm charts are needed"),
        (&[("Dockerfile", DOCKERFILE), ("k.yaml", &web)], &[], 1, "use `--force`, which asks nothing"),
        (&[("Dockerfile", DOCKERFILE)], &["--compose-file", "none.yaml"], 1, "the Compose file `none.yaml` cannot be read"),
    ] {
        let folder = folder(files);
        let (found, _, errors) = init(folder.path(), arguments);
        assert_eq!(found, code, "{files:?} {errors}");
        assert!(errors.contains(said), "{files:?} {errors}");
        let written = fs::read_to_string(folder.path().join("skaffold.yaml")).ok();
        assert!(written.is_none_or(|text| text.contains("v4beta13")), "{files:?}");
    }
}

#[test]
fn an_analysis_writes_nothing() {
    let web = workload("gcr.io/p/web", 80);
    let folder = folder(&[("skaffold.yaml", "kind: Config\n"), ("web/Dockerfile", DOCKERFILE), ("go.mod", "module m\n"), ("k.yaml", &web)]);
    let (code, said, errors) = init(folder.path(), &["--analyze"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(
        said,
        "{\"builders\":[{\"name\":\"Buildpacks\",\"payload\":{\"path\":\"go.mod\",\"builder\":\"gcr.io/buildpacks/builder:v1\"}},{\"name\":\"Docker\",\"payload\":{\"path\":\"web/Dockerfile\"}}],\"images\":[{\"name\":\"gcr.io/p/web\",\"foundMatch\":false}]}\n"
    );
    let flags = ["--analyze", "--XXenableJibInit=false", "--XXenableBuildpacksInit=false"];
    assert_eq!(init(folder.path(), &flags).1, "{\"dockerfiles\":[\"web/Dockerfile\"],\"images\":[\"gcr.io/p/web\"]}\n");
    assert_eq!(init(folder.path(), &["--analyze", "--skip-build"]), (0, String::new(), String::new()));
    assert_eq!(fs::read_to_string(folder.path().join("skaffold.yaml")).unwrap(), "kind: Config\n");
}

#[test]
fn broken_manifests_and_cycles_of_links_are_passed_over() {
    let web = workload("web", 80);
    let folder = folder(&[("web/Dockerfile", DOCKERFILE), ("web/k.yaml", &web), ("bad.yaml", "apiVersion: v1\nkind: Pod\nmetadata: [\n")]);
    std::os::unix::fs::symlink("..", folder.path().join("web/up")).unwrap();
    let (code, said, errors) = init(folder.path(), &["--force", "-f", "-"]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with("apiVersion: skaffold/v4beta14\n") && said.ends_with("manifests:\n  rawYaml:\n  - web/k.yaml\n"), "{said}");
    assert!(errors.starts_with("warning[init/not-yaml]: `bad.yaml` is left out") && errors.contains("--> bad.yaml:"), "{errors}");
    assert!(!folder.path().join("skaffold.yaml").exists());
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_unless_it_is_skipped() {
    let web = workload("web", 80);
    let folder = folder(&[("Dockerfile", DOCKERFILE), ("k.yaml", &web)]);
    let open = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(folder.path(), open(0o755)).unwrap();
    fs::create_dir(folder.path().join("closed")).unwrap();
    fs::set_permissions(folder.path().join("closed"), open(0o300)).unwrap();
    // Nothing is closed to root, who may be anybody else.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let run = |arguments: &[&str]| {
        let mut command = command(folder.path(), arguments);
        let output = if is_root { command.uid(65534).gid(65534).output() } else { command.output() }.unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, errors) = run(&["--analyze"]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("the folder `closed` cannot be read") && errors.contains("--skip-unreachable-dirs"), "{errors}");
    assert_eq!(run(&["--analyze", "--skip-unreachable-dirs"]), (0, String::new()));
}

/// A terminal on which keys are pressed, each once its question is there.
struct Terminal {
    child: std::process::Child,
    said: String,
}

impl Terminal {
    fn of(folder: &Path, arguments: &str) -> Self {
        let mut child = std::process::Command::new("script");
        child.args(["-qec", &format!("exec {} init {arguments}", binary().display()), "/dev/null"]).current_dir(folder);
        child.env_clear().env("HOME", folder.join(".state")).env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, said: String::new() }
    }

    /// Waits for a question, and presses keys.
    fn answer(&mut self, question: &str, keys: &str) {
        let (from, mut bytes) = (self.said.len(), [0; 4096]);
        while !self.said[from..].contains(question) {
            let count = self.child.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
            assert_ne!(count, 0, "`{question}` was not asked: {}", self.said);
            self.said += &String::from_utf8_lossy(&bytes[..count]);
        }
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn end(mut self) -> i32 {
        self.child.stdout.as_mut().unwrap().read_to_end(&mut Vec::new()).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";

#[test]
fn what_is_not_clear_is_asked_with_a_guess() {
    let (web, api) = (workload("web", 80), workload("backend", 80));
    let folder = folder(&[("api/Dockerfile", DOCKERFILE), ("web/Dockerfile", DOCKERFILE), ("k.yaml", &format!("{web}---\n{api}"))]);
    let mut left = Terminal::of(folder.path(), "");
    left.answer("backend?", CTRL_C);
    assert_eq!(left.end(), 0);
    assert!(!folder.path().join("skaffold.yaml").exists());
    let mut terminal = Terminal::of(folder.path(), "--generate-manifests");
    terminal.answer("nothing: it is not built", &format!("{DOWN}{DOWN}{ENTER}"));
    // The folder that is called like the image is the first choice.
    terminal.answer("image web?", ENTER);
    terminal.answer("port does api listen on?", ENTER);
    terminal.answer("and the manifests?", "y");
    assert_eq!(terminal.end(), 0);
    let config = fs::read_to_string(folder.path().join("skaffold.yaml")).unwrap();
    assert!(config.contains("- image: web\n    context: web\n") && config.contains("- image: api\n    context: api\n"), "{config}");
    assert!(!config.contains("backend") && config.contains("port: 8080\n"), "{config}");
}

#[test]
fn plugins_and_kompose_are_asked_where_they_are() {
    let pom = "<project><artifactId>jib-maven-plugin</artifactId></project>";
    let folder = folder(&[
        ("pom.xml", pom),
        ("web/pom.xml", pom),
        ("compose.yaml", "services: {db: {image: postgres}}\n"),
        ("Dockerfile", DOCKERFILE),
    ]);
    program(folder.path(), "java", "exit 0");
    program(
        folder.path(),
        "mvn",
        r#"test "$1" = jib:_skaffold-init && printf 'BEGIN JIB JSON\n{"image":"gcr.io/p/web","project":"g:web"}\n'"#,
    );
    let (_, said, errors) = init(folder.path(), &["--analyze", "--XXenableBuildpacksInit=false"]);
    let jib = r#"{"name":"Jib Maven Plugin","payload":{"image":"gcr.io/p/web","path":"pom.xml","project":"g:web"}}"#;
    assert_eq!((said.matches("Jib").count(), said.contains(jib)), (1, true), "{said}{errors}");
    program(folder.path(), "kompose", "echo \"# $*\"");
    let (code, said, errors) = init(folder.path(), &["--force", "--compose-file", "compose.yaml"]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.starts_with("Generated manifest k8s/compose.yaml was written\nConfiguration skaffold.yaml was written\n"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("k8s/compose.yaml")).unwrap(), "# convert --stdout --file compose.yaml\n");
    program(folder.path(), "kompose", "echo no such thing >&2; exit 3");
    let (code, _, errors) = init(folder.path(), &["--force", "--compose-file", "compose.yaml"]);
    assert!(code == 1 && errors.contains("kompose cannot convert `compose.yaml`") && errors.contains("no such thing"), "{errors}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn several_services_are_found_and_run() {
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc main() {\n\tpanic(http.ListenAndServe(\":8080\", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, \"from Go\") })))\n}\n";
    let context = TestContext::new()
        .with_file("web/Dockerfile", DOCKERFILE)
        .with_file("web/index.html", "from web")
        .with_file("web/k8s/web.yaml", &workload("web", 80))
        .with_file("api/go.mod", "module example.com/api\n\ngo 1.21\n")
        .with_file("api/main.go", main)
        .with_file("k8s/api.yaml", &workload("api", 8080));
    let said = context.devloop(&["init", "--force"]).success();
    assert!(said.starts_with("Configuration skaffold.yaml was written\n"), "{said}");
    context.devloop(&["run", "--default-repo", "localhost:5000"]).success();
    assert_eq!((context.answer("web").as_str(), context.answer("api").as_str()), ("from web", "from Go"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn manifests_are_made_and_run() {
    let context = TestContext::new()
        .with_file("shop/web/Dockerfile", &format!("{DOCKERFILE}EXPOSE 80\n"))
        .with_file("shop/web/index.html", "from web")
        .with_file("shop/other/Dockerfile", &format!("{DOCKERFILE}EXPOSE 80/tcp\n"))
        .with_file("shop/other/index.html", "from other");
    let said = context.devloop(&["init", "--force", "--generate-manifests"]).success();
    assert!(said.contains("Generated manifest shop/web/deployment.yaml was written\n"), "{said}");
    context.devloop(&["run", "--default-repo", "localhost:5000"]).success();
    assert_eq!((context.answer("shop-web").as_str(), context.answer("shop-other").as_str()), ("from web", "from other"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_chart_is_found_and_run() {
    // Only helm knows that this value is an image.
    let template =
        workload("{{ .Chart.Name }}", 80).replace("image: {{ .Chart.Name }}", "image: '{{ .Values.server }}:{{ .Chart.Version }}'");
    let context = TestContext::new()
        .with_file("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
        .with_file("chart/values.yaml", "server: example.com/shop/server\n")
        .with_file("chart/templates/web.yaml", &template)
        .with_file("src/Dockerfile", DOCKERFILE)
        .with_file("src/index.html", "from a chart");
    context.devloop(&["init", "--force"]).success();
    let config = fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    assert!(config.contains("image: example.com/shop/server\n"), "{config}");
    context.devloop(&["run", "--default-repo", "localhost:5000"]).success();
    assert_eq!(context.answer("web"), "from a chart");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_compose_file_becomes_manifests_and_runs() {
    let compose = "services:
  web:
    build: {context: ., dockerfile: docker/web.Dockerfile, args: {PAGE: built}}
    command: httpd -f -p 80 -h /www
    ports: ['8080:80']
    environment: {BACK: 'http://back/'}
    healthcheck: {test: 'wget -q -O - $$BACK', interval: 1s}
    depends_on: [back]
  back:
    image: localhost:5000/busybox
    command: ['sh', '-c', 'mkdir /tmp/www && echo from $$NAME > /tmp/www/index.html && exec httpd -f -p 80 -h /tmp/www']
    environment: {NAME: '${WHO:-back}'}
";
    let dockerfile = "FROM localhost:5000/busybox\nARG PAGE\nRUN mkdir /www && echo $PAGE > /www/index.html\n";
    let context = TestContext::new().with_file("compose.yaml", compose).with_file("docker/web.Dockerfile", dockerfile);
    let said = context.devloop(&["init", "--force", "--compose-file", "compose.yaml"]).success();
    assert!(said.contains("Generated manifest k8s/back.yaml was written\n"), "{said}");
    // Its readiness is that it reaches the other by the name that it has in the file.
    context.devloop(&["run", "--default-repo", "localhost:5000"]).success();
    assert_eq!(context.answer("web"), "built\n");
}
