//! What the user is told when something is wrong, word for word, by the real binary against real parts.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use crate::context::TestContext;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: web, image: web}
";

const CONFIG: &str = "apiVersion: skaffold/v4beta13
kind: Config
metadata: {name: web}
build:
  artifacts:
    - image: web
manifests:
  rawYaml: [k8s.yaml]
";

/// A project with one image and one Deployment.
fn project(dockerfile: &str) -> TestContext {
    TestContext::new().with_file("skaffold.yaml", CONFIG).with_file("Dockerfile", dockerfile).with_file("k8s.yaml", DEPLOYMENT)
}

/// A project that runs `script` in busybox.
fn running(script: &str) -> TestContext {
    project(&format!("FROM localhost:5000/busybox\nCMD [\"sh\", \"-c\", \"{script}\"]\n"))
}

/// A project whose image has one layer: the daemon has only five hands for layers, and does not free one that waits for a dead registry.
fn of_one_layer() -> TestContext {
    project("FROM scratch\nCOPY k8s.yaml /\n")
}

/// Returns what a failing command says on standard error.
fn said(context: &TestContext, arguments: &[&str]) -> String {
    context.devloop(arguments).failure().1
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn no_kubeconfig() {
    let context = running("true").with("KUBECONFIG", "missing/config");
    insta::assert_snapshot!(said(&context, &["run"]), @r"
    error[kube/no-kubeconfig]: there is no kubeconfig
      missing/config does not exist
    help: set `KUBECONFIG` or `--kubeconfig`, or start a local cluster with minikube, kind or k3d
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn unreachable_cluster() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: gone\nclusters: [{{name: gone, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: me, user: {{}}}}]\ncontexts: [{{name: gone, context: {{cluster: gone, user: me}}}}]\n"
    );
    let context = running("true").with_file("kubeconfig", &kubeconfig).with("KUBECONFIG", "kubeconfig");
    let text = said(&context, &["run"]).replace(&port.to_string(), "[PORT]");
    insta::assert_snapshot!(text, @r"
    error[kube/unreachable]: the cluster at http://127.0.0.1:[PORT] cannot be reached
      Connection refused (os error 111)
    help: start the cluster of context `gone`, or choose another with `--kube-context`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn unknown_context() {
    insta::assert_snapshot!(said(&running("true"), &["run", "--kube-context", "prod"]), @r"
    error[kube/unknown-context]: the kubeconfig has no context `prod`
    help: choose one of its contexts with `--kube-context`: `devcluster`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn forbidden_by_rbac() {
    let context = running("true");
    context.kubectl(&["create", "serviceaccount", "guest"]);
    let token = context.kubectl(&["create", "token", "guest"]);
    let config = context.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["users"][0]["user"] = serde_json::json!({ "token": token.trim() });
    let context = context.with_file("guest", &config.to_string()).with("KUBECONFIG", "guest");
    let text = said(&context, &["deploy", "-i", "web=localhost:5000/busybox"]);
    // The inventory's name has a digest of the namespace.
    let at = text.find("devloop-inventory-web-").unwrap() + "devloop-inventory-web-".len();
    insta::assert_snapshot!(text.replace(&text[at..at + 10], "[DIGEST]"), @r#"
    warning[deploy/no-inventory]: what is deployed cannot be remembered in namespace `[NAMESPACE]`
      configmaps "devloop-inventory-web-[DIGEST]" is forbidden: User "system:serviceaccount:[NAMESPACE]:guest" cannot get resource "configmaps" in API group "" in the namespace "[NAMESPACE]"
    help: objects that leave the manifests will not be pruned; allow get, create and patch on configmaps to change that
    error[kube/forbidden]: not allowed to get deployment/web in namespace [NAMESPACE]
      deployments.apps "web" is forbidden: User "system:serviceaccount:[NAMESPACE]:guest" cannot get resource "deployments" in API group "apps" in the namespace "[NAMESPACE]"
      from k8s.yaml
    help: ask an administrator of the cluster for a role that allows it, or deploy to another namespace with `--namespace`
    "#);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn no_daemon() {
    let context = running("true").with("DOCKER_HOST", "unix:///run/no-such-docker.sock");
    insta::assert_snapshot!(said(&context, &["build"]), @r"
    warning[build/no-tag]: `web` is tagged `latest`, as its tagger has no tag
      `[FOLDER]` is not in a git repository
    error[docker/no-daemon]: no container daemon answers at `unix:///run/no-such-docker.sock`
      there is no such socket (address from DOCKER_HOST)
    help: start the container daemon, or set DOCKER_HOST or `docker context use` to one that runs
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn registry_that_refuses() {
    let registry = Registry::start(Answer::Refuse);
    let context = running("true");
    let text = said(&context, &["build", "--default-repo", &registry.name()]).replace(&registry.port.to_string(), "[PORT]");
    insta::assert_snapshot!(text, @r"
    warning[build/no-tag]: `web` is tagged `latest`, as its tagger has no tag
      `[FOLDER]` is not in a git repository
    error[docker/transfer]: `127.0.0.1:[PORT]/team/web:latest` could not be pushed
      denied: this project is read-only
      used no credentials: `[FOLDER]/.state/.docker/config.json` was looked at, it does not exist
    help: run `docker login 127.0.0.1:[PORT]`, or name another repository with `--default-repo`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn registry_that_hangs() {
    let registry = Registry::start(Answer::Hang);
    let text = said(&of_one_layer(), &["build", "--default-repo", &registry.name()]).replace(&registry.port.to_string(), "[PORT]");
    insta::assert_snapshot!(text, @r"
    warning[build/no-tag]: `web` is tagged `latest`, as its tagger has no tag
      `[FOLDER]` is not in a git repository
    error[docker/stalled]: `127.0.0.1:[PORT]/team/web:latest` could not be pushed: nothing moved for 60 s
    help: see whether the registry `127.0.0.1:[PORT]` works and whether the container daemon reaches it, or name another with `--default-repo`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dockerfile_that_does_not_parse() {
    insta::assert_snapshot!(said(&project("FROM localhost:5000/busybox\nRUNN echo\n"), &["build"]), @r"
    error[build/dockerfile]: the Dockerfile of `web` is not valid: there is no instruction `RUNN`
     --> Dockerfile:2:1
      |
    2 | RUNN echo
      | ^^^^
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn failing_build() {
    let context = project("FROM localhost:5000/busybox\nRUN echo first && echo second && exit 3\n");
    insta::assert_snapshot!(said(&context, &["build"]), @r"
    warning[build/no-tag]: `web` is tagged `latest`, as its tagger has no tag
      `[FOLDER]` is not in a git repository
    error[docker/build-failed]: build of `localhost:5000/web:latest` failed at `[2/2] RUN echo first && echo second && exit 3`
      first
      second
      executor failed running [/bin/sh -c echo first && echo second && exit 3]: exit code: 3
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn missing_context_directory() {
    let context = running("true").with_file("skaffold.yaml", &CONFIG.replace("image: web", "image: web\n      context: nowhere"));
    insta::assert_snapshot!(said(&context, &["build"]), @r"
    error[build/no-context]: the build context of `web` does not exist: `[FOLDER]/nowhere`
     --> skaffold.yaml:6:14
      |
    6 |     - image: web
      |              ^^^
    help: set `context` to an existing directory, relative to skaffold.yaml
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn manifest_that_is_no_object() {
    let context = running("true").with_file("k8s.yaml", &format!("{DEPLOYMENT}---\njust a text\n"));
    insta::assert_snapshot!(said(&context, &["render", "--digest-source", "none"]), @r"
    error[render/not-an-object]: k8s.yaml holds text, not a Kubernetes object
      --> k8s.yaml:13:1
       |
    13 | just a text
       | ^^^^
    help: every object has `apiVersion`, `kind` and `metadata.name`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn rejected_by_the_api_server() {
    let context = running("true").with_file("k8s.yaml", &DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: other}"));
    insta::assert_snapshot!(said(&context, &["deploy", "-i", "web=localhost:5000/busybox"]), @r#"
    error[kube/rejected]: deployment/web in namespace [NAMESPACE] was rejected by the API server
      spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
      from k8s.yaml
    "#);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn image_never_pulled() {
    let text = said(&running("true"), &["deploy", "-i", "web=localhost:5000/no-such-image:v1"]);
    insta::assert_snapshot!(pod_names(&text), @r#"
    error[deploy/image-pull]: deployment/web cannot become ready: the image of container `web` of pod/[POD] cannot be pulled
      rpc error: code = NotFound desc = failed to pull and unpack image "localhost:5000/no-such-image:v1": failed to resolve reference "localhost:5000/no-such-image:v1": localhost:5000/no-such-image:v1: not found
    help: check the name and tag, and that the image was pushed to a registry that the nodes can read
    "#);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn crash_loop() {
    let context = running("echo starting; echo cannot open /data; exit 7");
    let text = said(&context, &["run"]);
    insta::assert_snapshot!(pod_names(&text), @r"
    warning[build/no-tag]: `web` is tagged `latest`, as its tagger has no tag
      `[FOLDER]` is not in a git repository
    error[deploy/crash]: deployment/web cannot become ready: container `web` of pod/[POD] ended with exit code 7
      last lines of its log:
        starting
        cannot open /data
    help: the last lines of its log say why; if it recovers by itself, set `tolerateFailuresUntilDeadline`
    ");
}

/// Replaces the random parts of pod names.
fn pod_names(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let shown = words.map(|word| {
        let name = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        if name.starts_with("web-") && name.matches('-').count() == 2 { word.replace(name, "[POD]") } else { word.to_owned() }
    });
    shown.collect()
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_build_and_all_its_processes() {
    let config = CONFIG.replace(
        "image: web",
        "image: web\n      custom: {buildCommand: 'echo child $$; exec sleep 1000', dependencies: {paths: [k8s.yaml]}}",
    );
    let child = interrupted_at(&running("true").with_file("skaffold.yaml", &config), &["build"], "child ");
    let pid = child.trim();
    assert!(!is_running(pid), "the build's process {pid} is still there");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_build_in_the_daemon() {
    let context = project("FROM localhost:5000/busybox\nRUN echo building && sleep 1000\n");
    interrupted_at(&context, &["build"], "building");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_push() {
    let registry = Registry::start(Answer::Hang);
    let context = of_one_layer();
    let mut child =
        context.command(&["build", "--default-repo", &registry.name()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    registry.asked();
    interrupt(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_the_status_check() {
    let context = running("sleep 1000")
        .with_file("k8s.yaml", &DEPLOYMENT.replace("image: web}", "image: web, readinessProbe: {exec: {command: ['false']}}}"));
    interrupted_at(&context, &["run"], "Waiting for deployments to stabilize...");
    assert_eq!(context.kubectl(&["get", "deployment", "web", "-o", "name"]), "deployment.apps/web\n", "what was deployed stays");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_following_logs() {
    interrupted_at(&running("echo hello from the pod; sleep 1000"), &["run", "--tail"], "hello from the pod");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_the_listing_of_inputs() {
    let config = CONFIG.replace("image: web", "image: web\n      custom: {buildCommand: 'true', dependencies: {command: 'sh list'}}");
    let context = running("true").with_file("skaffold.yaml", &config).with_file("list", "echo $$ > pid; exec sleep 1000\n");
    interrupted_at(&context, &["build"], "Generating tags...");
    if let Ok(pid) = std::fs::read_to_string(context.path().join("pid")) {
        assert!(!is_running(&pid), "the command {pid} is still there");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_render() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/k8s.yaml", listener.local_addr().unwrap());
    let context = running("true").with_file("skaffold.yaml", &CONFIG.replace("k8s.yaml", &url));
    let mut child = context.command(&["render", "--digest-source", "none"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _unanswered = listener.accept().unwrap();
    interrupt(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_deploy_that_waits() {
    let context = running("true");
    context.kubectl(&["create", "deployment", "web", "--image=localhost:5000/busybox", "--replicas=0"]);
    context.kubectl(&["patch", "deployment", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":["example.com/held"]}}"#]);
    context.kubectl(&["delete", "deployment", "web", "--wait=false"]);
    interrupted_at(&context, &["deploy", "-i", "web=localhost:5000/busybox"], "Starting deploy...");
    let left = context.kubectl(&["get", "deployment", "web", "-o", "jsonpath={.metadata.finalizers[0]}"]);
    context.kubectl(&["patch", "deployment", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    assert_eq!(left, "example.com/held", "nothing was written");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_interrupt_ends_a_delete_that_waits() {
    let context = running("true");
    context.devloop(&["deploy", "-i", "web=localhost:5000/busybox", "--status-check=false"]).success();
    context.kubectl(&["patch", "deployment", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":["example.com/held"]}}"#]);
    interrupted_at(&context, &["delete"], "Cleaning up...");
    context.kubectl(&["patch", "deployment", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    // What was left is still known: the next delete takes it.
    context.devloop(&["delete"]).success();
    assert_eq!(context.kubectl(&["get", "deployment", "-o", "name"]), "");
}

/// Starts a command, sends SIGINT when a line of it has `marker`, and waits for its end; returns what that line has after the marker.
fn interrupted_at(context: &TestContext, arguments: &[&str], marker: &str) -> String {
    let mut child = context.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = lines.by_ref().map_while(Result::ok).find_map(|line| line.split_once(marker).map(|(_, rest)| rest.to_owned()));
    interrupt(&child);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let found = found.unwrap_or_else(|| panic!("no line with `{marker}`: {errors}"));
    assert!(status.success(), "{status}: {errors}\n{rest:?}");
    found
}

/// Whether a process runs: an empty file of its id was never written to, and a zombie only waits for its parent to look.
fn is_running(pid: &str) -> bool {
    let pid = pid.trim();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !pid.is_empty() && stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn interrupt(child: &std::process::Child) {
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// How a fake registry behaves once it is asked to take something.
#[derive(Clone, Copy)]
enum Answer {
    Refuse,
    Hang,
}

/// A registry on loopback that never takes an image.
struct Registry {
    port: u16,
    asked: std::sync::mpsc::Receiver<()>,
    /// Connections that are kept open without an answer.
    kept: Arc<Mutex<Vec<TcpStream>>>,
}

impl Registry {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = std::sync::mpsc::channel();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let unanswered = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut request = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                if reader.read_line(&mut request).is_err() {
                    continue;
                }
                let is_read = request.starts_with("GET /v2/ ") || request.starts_with("HEAD") || request.starts_with("GET");
                match (answer, is_read) {
                    (Answer::Hang, false) => {
                        sender.send(()).ok();
                        unanswered.lock().unwrap().push(stream);
                    }
                    (_, true) if request.starts_with("GET /v2/ ") => respond(stream, "200 OK", "{}"),
                    (_, true) => respond(stream, "404 Not Found", r#"{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}"#),
                    (Answer::Refuse, false) => {
                        respond(stream, "403 Forbidden", r#"{"errors":[{"code":"DENIED","message":"this project is read-only"}]}"#);
                    }
                }
            }
        });
        Self { port, asked, kept }
    }

    fn name(&self) -> String {
        format!("127.0.0.1:{}/team", self.port)
    }

    /// Waits until something was asked of it that it does not answer.
    fn asked(&self) {
        self.asked.recv_timeout(std::time::Duration::from_mins(1)).expect("the registry is asked to take a blob");
    }
}

impl Drop for Registry {
    /// Ends what was kept waiting, for the daemon waits on after its client has left.
    fn drop(&mut self) {
        for stream in self.kept.lock().unwrap().drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

fn respond(mut stream: TcpStream, status: &str, body: &str) {
    use std::io::Write as _;
    let text =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).ok();
}
