//! Containers of the real daemon, with no cluster at all.

mod sync;

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use devloop_model::EventKind;
use devloop_model::ForwardState;

use crate::context::TestContext;
use crate::context::free_port;
use crate::session::Session;
use crate::session::changes;
use crate::session::looked;

/// Serves a file, says so, and ends when it is told.
const START: &str = "echo started\nhttpd -p 8080 -h /app/www\ntrap 'echo stopping; exit 0' TERM\nwhile true; do sleep 0.1; done\n";
const DOCKERFILE: &str = "FROM localhost:5000/busybox\nCOPY . /app\nCMD [\"sh\", \"/app/start\"]\n";

/// A project that runs in the container daemon.
struct Project {
    context: TestContext,
    /// The image and the container: no two tests have the same.
    name: String,
    port: u16,
}

impl Project {
    fn new() -> Self {
        let context = TestContext::new().with("KUBECONFIG", "/no/kubeconfig").with("DEVLOOP_INTERACTIVE", "false");
        let (name, port) = (format!("{}-web", context.namespace()), free_port());
        let project = Self { context, name, port };
        project.write("skaffold.yaml", &project.configuration("", ""));
        project.write("web/Dockerfile", DOCKERFILE);
        project.write("web/start", START);
        project.write("web/www/index.html", "v1");
        project
    }

    /// Returns a configuration with more images and more of `deploy`.
    fn configuration(&self, images: &str, deploy: &str) -> String {
        let Self { name, port, .. } = self;
        format!(
            "apiVersion: skaffold/v4beta13
kind: Config
build: {{artifacts: [{{image: {name}, context: web}}], tagPolicy: {{sha256: {{}}}}}}
deploy:
  docker:
    images: [{name}{images}]
{deploy}portForward: [{{resourceType: container, resourceName: {name}, port: 8080, localPort: {port}}}]
"
        )
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.context.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// Returns what docker prints.
    fn docker(&self, arguments: &[&str]) -> String {
        docker(&self.context, arguments)
    }

    /// Returns the containers of the project, whether they run or not: ID and name.
    fn containers(&self) -> Vec<(String, String)> {
        containers(&self.context)
    }

    #[track_caller]
    fn answers(&self, text: &str) {
        looked(&format!("answer `{text}`"), || (answer(self.port).as_deref() == Some(text)).then_some(()));
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        clean(&self.context);
    }
}

pub(crate) fn docker(context: &TestContext, arguments: &[&str]) -> String {
    let environment = context.command(&[]);
    let mut command = Command::new("docker");
    command.args(arguments).env_clear().envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn label(context: &TestContext) -> String {
    format!("label=devloop.dev/inventory={}", context.path().join("skaffold.yaml").display())
}

pub(crate) fn containers(context: &TestContext) -> Vec<(String, String)> {
    let found = docker(context, &["ps", "-a", "--no-trunc", "--filter", &label(context), "--format", "{{.ID}} {{.Names}}"]);
    let mut found: Vec<(String, String)> =
        found.lines().filter_map(|line| line.split_once(' ')).map(|(id, name)| (id.to_owned(), name.to_owned())).collect();
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}

fn networks(context: &TestContext) -> String {
    docker(context, &["network", "ls", "--filter", &label(context), "--format", "{{.Name}}"])
}

/// Removes what a failed test left.
pub(crate) fn clean(context: &TestContext) {
    for (id, _) in containers(context) {
        docker(context, &["rm", "-f", &id]);
    }
    for network in networks(context).lines() {
        docker(context, &["network", "rm", network]);
    }
}

/// Returns what a web server on this machine answers, if it does so at once.
pub(crate) fn answer(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// The example, which leaves nothing even where its test fails.
struct Example(TestContext);

impl Drop for Example {
    fn drop(&mut self) {
        clean(&self.0);
    }
}

/// Returns the example with a port that is free, and that port.
fn example() -> (Example, u16) {
    let context = TestContext::new().with_example("docker-deploy").with("KUBECONFIG", "/no/kubeconfig");
    let (port, file) = (free_port(), context.path().join("skaffold.yaml"));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("localPort: 9070"), "{text}");
    std::fs::write(&file, text.replace("localPort: 9070", &format!("localPort: {port}"))).unwrap();
    (Example(context), port)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn docker_deploy_serves_what_a_save_changed_and_leaves_nothing() {
    let (example, port) = example();
    let context = &example.0;
    let mut session = Session::start(context, &[]);
    session.succeeds();
    looked("first answer", || (answer(port)? == "web asked: Hello from a container\n").then_some(()));
    let before = containers(context);
    assert_eq!(before.len(), 2, "{before:?}");
    let greeter = context.path().join("greeter/main.go");
    let text = std::fs::read_to_string(&greeter).unwrap();
    std::fs::write(&greeter, text.replace("Hello from a container", "Hello again")).unwrap();
    assert_eq!(session.succeeds().changes(), [format!("container/{} Configured", before[0].1)]);
    looked("second answer", || (answer(port)? == "web asked: Hello again\n").then_some(()));
    let after = containers(context);
    assert_eq!((after[0].1.as_str(), &after[1]), (before[0].1.as_str(), &before[1]), "only the greeter is another container");
    assert_ne!(after[0].0, before[0].0);
    let left = session.leaves("INT");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    assert_eq!((containers(context), networks(context).as_str()), (Vec::new(), ""));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn containers_are_left_alone_until_they_change_and_deleted_when_asked() {
    let project = Project::new();
    let first = project.context.devloop(&["run"]).success();
    let created = format!(" - container/{} created", project.name.replace(project.context.namespace(), "[NAMESPACE]"));
    assert!(first.contains(&created), "{first}");
    assert!(first.contains(&format!("is at 127.0.0.1:{}", project.port)), "{first}");
    project.answers("v1");
    let before = project.containers();
    let second = project.context.devloop(&["run"]).success();
    assert!(second.contains(" unchanged"), "{second}");
    assert_eq!(project.containers(), before);
    // What `run` made is not a session's to delete, even where that replaced it.
    let mut session = Session::start(&project.context, &[]);
    session.succeeds();
    assert_eq!(project.containers(), before);
    project.write("web/www/index.html", "v2");
    session.succeeds();
    project.answers("v2");
    assert_eq!(session.leaves("INT").code, Some(0));
    project.answers("v2");
    let dry = project.context.devloop(&["delete", "--dry-run"]).success();
    assert!(dry.ends_with(&created.replace(" - ", "\n").replace(" created", "\n")), "{dry}");
    project.answers("v2");
    project.context.devloop(&["delete"]).success();
    assert_eq!((project.containers(), networks(&project.context).as_str()), (Vec::new(), ""));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn images_that_leave_the_configuration_leave_the_daemon() {
    let project = Project::new();
    project.write("skaffold.yaml", &project.configuration(", 'localhost:5000/pause:3'", ""));
    project.context.devloop(&["run"]).success();
    assert_eq!(project.containers().len(), 2);
    project.write("skaffold.yaml", &project.configuration("", ""));
    let second = project.context.devloop(&["run"]).success();
    assert!(second.contains(" pruned"), "{second}");
    let left: Vec<String> = project.containers().into_iter().map(|(_, name)| name).collect();
    assert_eq!(left, [project.name.as_str()]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_killed_session_is_taken_up_by_the_next() {
    let project = Project::new();
    let mut session = Session::start(&project.context, &[]);
    session.succeeds();
    let before = project.containers();
    assert_eq!(session.leaves("KILL").code, None);
    project.answers("v1");
    let mut session = Session::start(&project.context, &[]);
    let pass = session.succeeds();
    assert_eq!((pass.changes(), project.containers()), (Vec::new(), before));
    let left = session.leaves("INT");
    assert_eq!(changes(&left.events), [format!("container/{} Deleted", project.name)]);
    assert_eq!((project.containers(), networks(&project.context).as_str()), (Vec::new(), ""));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn logs_of_containers_are_told_once_over_restarts_and_replacements() {
    let project = Project::new();
    let count = "i=0\ntrap 'echo stopping; exit 0' TERM\nwhile true; do i=$((i+1)); echo line $i; sleep 0.01; done\n";
    project.write("web/start", count);
    let mut session = Session::start(&project.context, &["--port-forward=off"]);
    session.succeeds();
    let line = |wanted: &'static str| {
        move |fact: &EventKind| matches!(fact, EventKind::PodLog { line, .. } if line.contains(wanted)).then_some(())
    };
    session.until("line", line("line "));
    project.docker(&["restart", &project.name]);
    session.until("its end", line("stopping"));
    session.until("line of the next run", line("line "));
    project.write("web/www/index.html", "v2");
    session.until("its end", line("stopping"));
    session.until("line of the next container", line("line "));
    let left = session.leaves("INT");
    let lines = left.events.iter().filter_map(|event| match &event.fact {
        EventKind::PodLog { container, line, .. } => Some((container.as_str(), line.trim())),
        _ => None,
    });
    let (mut expected, mut runs) = (1, 1);
    for (container, line) in lines {
        assert_eq!(container, project.name);
        match line.strip_prefix("line ").map(|number| number.parse::<u32>().unwrap()) {
            Some(number) => {
                if number == 1 && expected > 1 {
                    (expected, runs) = (1, runs + 1);
                }
                assert_eq!(number, expected, "no line is lost or told twice");
                expected += 1;
            }
            None => assert_eq!(line, "stopping"),
        }
    }
    assert_eq!(runs, 3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_container_that_ends_is_told_with_its_last_lines() {
    let project = Project::new();
    project.write("web/start", "echo starting >&2\necho 'no database' >&2\nexit 3\n");
    let (_, errors) = project.context.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[deploy/container-ended]: container/[NAMESPACE]-web ended with exit code 3
      last lines of its log:
        starting
        no database
    help: the last lines of its log say why
    ");
    // One that breaks later is told as well, and one that is mended is not waited for.
    project.write("web/start", "trap 'exit 0' TERM\nuntil [ -e /tmp/die ]; do sleep 0.1; done\nexit 4\n");
    let mut session = Session::start(&project.context, &[]);
    session.succeeds();
    project.docker(&["exec", &project.name, "touch", "/tmp/die"]);
    let message = session.until("news of its end", |fact| match fact {
        EventKind::Readiness { ready: false, message, .. } => Some(message.clone()),
        _ => None,
    });
    assert_eq!(message, "it ended with exit code 4");
    project.write("web/start", START);
    session.succeeds();
    project.answers("v1");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_health_check_is_waited_for() {
    let project = Project::new();
    let check = "HEALTHCHECK --interval=200ms --retries=1 CMD ";
    project.write("web/Dockerfile", &format!("{DOCKERFILE}{check}wget -qO- http://127.0.0.1:8080/ || exit 1\n"));
    let healthy = project.context.devloop(&["run"]).success();
    assert!(healthy.contains("Deployments stabilized in"), "{healthy}");
    project.write("skaffold.yaml", &project.configuration("", "  statusCheckDeadlineSeconds: 2\n"));
    project.write("web/Dockerfile", &format!("{DOCKERFILE}{check}echo not well; exit 1\n"));
    let (_, errors) = project.context.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[deploy/not-ready-in-time]: container/[NAMESPACE]-web is not ready after 2 s
      its health check fails: not well
    help: check the image's HEALTHCHECK, or raise `statusCheckDeadlineSeconds`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_is_taken_by_others_is_left_to_them() {
    let project = Project::new();
    let taken = TcpListener::bind(("127.0.0.1", project.port)).unwrap();
    project.docker(&["run", "-d", "--name", &project.name, "localhost:5000/pause:3"]);
    let mut session = Session::start(&project.context, &[]);
    let port = session.until("published port", |fact| match fact {
        EventKind::PortForwarded { local_port, state: ForwardState::Ready { .. }, .. } => Some(*local_port),
        _ => None,
    });
    assert!(port > project.port && port <= project.port + 10, "{port}");
    session.succeeds();
    looked("answer", || (answer(port)? == "v1").then_some(()));
    drop(taken);
    // It stays where it is, although the wanted one is free by now.
    project.write("web/www/index.html", "v2");
    session.succeeds();
    looked("answer", || (answer(port)? == "v2").then_some(()));
    let names: Vec<String> = project.containers().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, [format!("{}-1", project.name)]);
    let left = session.leaves("INT");
    let warned =
        |code: &str| left.events.iter().any(|event| matches!(&event.fact, EventKind::Warned { diagnostic } if diagnostic.code == code));
    assert!(warned("deploy/name-taken") && warned("deploy/port-taken"));
    assert_eq!(project.docker(&["inspect", "-f", "{{.State.Running}}", &project.name]), "true");
    project.docker(&["rm", "-f", &project.name]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_image_that_is_nowhere_and_a_daemon_that_is_away_are_told() {
    let project = Project::new();
    project.write("skaffold.yaml", &project.configuration(", wbe", ""));
    let (_, errors) = project.context.devloop(&["run"]).failure();
    assert!(
        errors.contains("error[deploy/no-image]: `deploy.docker.images` names `wbe`, which no artifact builds and the container daemon does not have\n --> skaffold.yaml:6:"),
        "{errors}"
    );
    let output = project.context.command(&["delete"]).env("DOCKER_HOST", "unix:///no/docker.sock").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    insta::assert_snapshot!(errors, @r"
    error[docker/no-daemon]: no container daemon answers at `unix:///no/docker.sock`
      there is no such socket (address from DOCKER_HOST)
    help: start the container daemon, or set DOCKER_HOST or `docker context use` to one that runs
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn verify_reaches_the_containers_of_the_project() {
    let project = Project::new();
    let name = &project.name;
    let verify = format!(
        "verify:\n- name: page\n  container: {{name: {name}-page, image: localhost:5000/busybox, command: [wget, -qO-, 'http://{name}:8080/']}}\n"
    );
    project.write("skaffold.yaml", &(project.configuration("", "") + &verify));
    project.context.devloop(&["run"]).success();
    let output = project.context.devloop(&["verify"]).success();
    assert!(output.lines().any(|line| line == "[[NAMESPACE]-web-page] v1"), "{output}");
    project.context.devloop(&["delete"]).success();
    assert_eq!((project.containers(), networks(&project.context).as_str()), (Vec::new(), ""));
}
