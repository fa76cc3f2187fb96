//! Compose projects, run by the real docker compose on the real daemon, with no cluster at all.

use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::Stage;

use crate::context::TestContext;
use crate::docker_deploy::answer;
use crate::docker_deploy::clean;
use crate::docker_deploy::containers;
use crate::docker_deploy::docker;
use crate::session::Session;

const CONFIGURATION: &str = "apiVersion: skaffold/v4beta13
kind: Config
build: {artifacts: [], tagPolicy: {sha256: {}}}
deploy: {docker: {useCompose: true}}
";
const SLEEPING: &str = "{image: localhost:5000/busybox, command: sleep 1000, init: true}";

/// A project that leaves nothing even where its test fails.
struct Project(TestContext);

impl Project {
    fn new(context: TestContext) -> Self {
        Self(context.with("KUBECONFIG", "/no/kubeconfig").with("DEVLOOP_INTERACTIVE", "false").with("BASE", "localhost:5000"))
    }

    /// Returns one whose services sleep, each with more of its definition.
    fn sleeping(services: &[&str]) -> Self {
        let project = Self::new(TestContext::new().with_file("skaffold.yaml", CONFIGURATION));
        project.write("compose.yaml", &file(services));
        project
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.0.path().join(path), text).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.0.path().join(path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(path, &text.replace(from, to));
    }

    /// Returns its containers: ID and service.
    fn services(&self) -> Vec<(String, String)> {
        let prefix = format!("{}-", self.name());
        let service = |name: String| name.strip_prefix(&prefix).unwrap().trim_end_matches("-1").to_owned();
        containers(&self.0).into_iter().map(|(id, name)| (id, service(name))).collect()
    }

    /// Returns the name that Compose gives it.
    fn name(&self) -> String {
        self.0.path().file_name().unwrap().to_str().unwrap().to_lowercase()
    }

    /// Returns what there is of a kind, by Compose's own label.
    fn made(&self, kind: &str) -> String {
        let label = format!("label=com.docker.compose.project={}", self.name());
        docker(&self.0, &[kind, "ls", "--filter", &label, "--format", "{{.Name}}"])
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        clean(&self.0);
        for kind in ["network", "volume"] {
            self.made(kind).lines().for_each(|name| drop(docker(&self.0, &[kind, "rm", name])));
        }
    }
}

fn file(services: &[&str]) -> String {
    let services: Vec<String> = services.iter().map(|name| format!("  {name}: {SLEEPING}\n")).collect();
    format!("services:\n{}", services.concat())
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_save_replaces_only_the_service_that_it_is_about() {
    let project = Project::new(TestContext::new().with_example("docker-compose"));
    // Any port: one that is free now may be taken by then.
    project.edit("compose.yaml", "127.0.0.1:9080:", "127.0.0.1::");
    let mut session = Session::start(&project.0, &[]);
    let published = |fact: &EventKind| match fact {
        EventKind::PortForwarded { local_port, state: ForwardState::Ready { .. }, .. } => Some(*local_port),
        _ => None,
    };
    let port = session.until("published port", published);
    assert_eq!(answer(port).as_deref(), Some("Hello from a service\n"));
    session.until("the answer in the log of who asked", |fact| match fact {
        EventKind::PodLog { container, line, .. } => (container.ends_with("-caller-1") && line == "Hello from a service").then_some(()),
        _ => None,
    });
    let before = project.services();
    assert_eq!(before.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["caller", "greeter"]);
    project.edit("greeter/main.go", "Hello from a service", "Hello again");
    assert_eq!(session.succeeds().changes(), [format!("container/{}-greeter-1 Configured", project.name())]);
    let address = docker(&project.0, &["port", &format!("{}-greeter-1", project.name()), "8080/tcp"]);
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(answer(port).as_deref(), Some("Hello again\n"));
    let built = project.services();
    assert_eq!(built[0], before[0], "only the greeter is another container");
    assert_ne!(built[1], before[1]);
    project.edit("compose.yaml", "sleep 2", "sleep 3");
    assert_eq!(session.succeeds().changes(), [format!("container/{}-caller-1 Configured", project.name())]);
    assert_eq!(project.services()[1], built[1]);
    let left = session.leaves("INT");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    assert_eq!((project.services(), project.made("network").as_str()), (Vec::new(), ""));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_is_as_it_was_is_not_touched_and_what_left_the_file_is_pruned() {
    let project = Project::sleeping(&["db", "web"]);
    project.write("compose.override.yaml", "services: {db: {volumes: ['data:/data']}}\nvolumes: {data: {}}\n");
    project.0.devloop(&["run"]).success();
    let before = project.services();
    let second = project.0.devloop(&["run"]).success();
    assert_eq!(second.matches(" unchanged\n").count(), 2, "{second}");
    assert_eq!(project.services(), before);
    project.write("compose.yaml", &file(&["db"]));
    let third = project.0.devloop(&["run"]).success();
    assert_eq!((third.matches(" unchanged\n").count(), third.matches(" pruned\n").count()), (1, 1), "{third}");
    assert_eq!(project.services(), before[..1]);
    let dry = project.0.devloop(&["delete", "--dry-run"]).success();
    assert!(dry.contains("-db-1"), "{dry}");
    project.0.devloop(&["delete"]).success();
    assert_eq!((project.services(), project.made("network").as_str()), (Vec::new(), ""));
    assert_eq!(project.made("volume"), format!("{}_data", project.name()), "what a project remembers is kept");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_project_of_somebody_else_is_left_alone() {
    let (one, other) = (Project::sleeping(&["web"]), Project::sleeping(&["web"]));
    one.0.devloop(&["run"]).success();
    let before = one.services();
    other.write("compose.yaml", &format!("name: {}\n{}", one.name(), file(&["web"])));
    let (_, errors) = other.0.devloop(&["run"]).failure();
    assert!(errors.contains("error[deploy/project-taken]"), "{errors}");
    assert!(errors.contains(&format!("is of {}", one.0.path().join("skaffold.yaml").display())), "{errors}");
    assert_eq!(one.services(), before);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_file_that_cannot_be_run_is_told_at_its_place() {
    let project = Project::sleeping(&["web"]);
    project.write("compose.yaml", "services:\n  web:\n    imgae: web\n");
    let (_, errors) = project.0.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[compose/file]: the Compose file is not valid
     --> compose.yaml:3:5
      |
    3 |     imgae: web
      |     ^^^^^^^^^^
      validating [FOLDER]/compose.yaml: services.web.imgae false schema
    ");
    std::fs::remove_file(project.0.path().join("compose.yaml")).unwrap();
    let (_, errors) = project.0.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[compose/no-file]: there is no Compose file in `[FOLDER]`
     --> skaffold.yaml:4:19
      |
    4 | deploy: {docker: {useCompose: true}}
      |                   ^^^^^^^^^^
    help: write `compose.yaml` beside skaffold.yaml, or name another file by `COMPOSE_FILE`
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn files_are_synced_into_every_container_of_a_service_that_can_be_written() {
    let project = Project::sleeping(&[]);
    let image = format!("{}-web", project.0.namespace());
    let artifact = format!("artifacts: [{{image: {image}, context: web, sync: {{manual: [{{src: page, dest: /www}}]}}}}]");
    project.edit("skaffold.yaml", "artifacts: []", &artifact);
    let service = format!("services: {{web: {{image: {image}, scale: 2, init: true}}}}\n");
    project.write("compose.yaml", &service);
    std::fs::create_dir(project.0.path().join("web")).unwrap();
    project.write("web/Dockerfile", "FROM localhost:5000/busybox\nCOPY page /www/page\nCMD [\"sleep\", \"1000\"]\n");
    project.write("web/page", "v1");
    let mut session = Session::start(&project.0, &[]);
    session.succeeds();
    let before = containers(&project.0);
    let pages =
        || containers(&project.0).into_iter().map(|(id, _)| docker(&project.0, &["exec", &id, "cat", "/www/page"])).collect::<Vec<_>>();
    project.write("web/page", "v2");
    let pass = session.succeeds();
    let synced = pass.events.iter().any(|event| matches!(event.fact, EventKind::FilesSynced { containers: 2, copied: 1, .. }));
    assert!(synced && pass.ran(Stage::Build).is_empty(), "{pass:?}");
    assert_eq!((pages(), containers(&project.0)), (vec!["v2".to_owned(); 2], before));

    // What nothing can be written in gets an image.
    project.write("compose.yaml", &service.replace("init: true", "init: true, read_only: true"));
    let warning = session.until("what a new container lacks", |fact| match fact {
        EventKind::Warned { diagnostic } => Some(diagnostic.to_string()),
        _ => None,
    });
    assert!(warning.contains("files cannot be written in container/") && warning.contains("Read-only file system"), "{warning}");
    session.succeeds();
    project.write("web/page", "v3");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    assert_eq!(pages(), ["v3", "v3"]);
    session.leaves("INT");
}
