//! What a command is told, and what it tells.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_model::BuildPlace;
use devloop_model::Builder;
use devloop_model::CustomDependencies;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::PathList;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Tagger;
use devloop_model::Template;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::*;

fn spec(command: &str) -> CustomBuild {
    CustomBuild { command: Template::parse(command).unwrap(), dependencies: CustomDependencies::Paths(PathList::default()) }
}

fn artifact(context: &Path) -> Artifact {
    Artifact {
        image: ImageName::parse("web").unwrap(),
        context: context.to_owned(),
        builder: Builder::Custom(spec("true")),
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        sync: None,
        hooks: devloop_model::Hooks::default(),
        place: BuildPlace::default(),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
    }
}

fn cx(more: &[(&str, &str)]) -> (Cx, UnboundedReceiver<EventKind>) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let path = ("PATH", &*std::env::var("PATH").unwrap());
    let env: BTreeMap<String, String> = more.iter().chain([&path]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    (Cx::new(StepId::of(Stage::Build), Env::new(env), EventSink::new(sender), CancellationToken::new()), receiver)
}

fn lines(mut events: UnboundedReceiver<EventKind>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(event) = events.try_recv() {
        lines.extend(if let EventKind::StepLog { line, .. } = event { Some(line) } else { None });
    }
    lines
}

async fn run_in(dir: &Path, command: &str, env: &[(&str, &str)]) -> (Result<(), BuildError>, Vec<String>) {
    let base = ImageName::parse("reg.io/base").unwrap();
    let required =
        BuiltImage { artifact: base.clone(), name: base, tag: Some("v2".parse().unwrap()), identity: Identity::AsNamed, runtime: None };
    let job = CustomJob {
        artifact: &artifact(dir),
        reference: &ImageRef::parse("reg.io/p/web:v1").unwrap(),
        platforms: &["linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap()],
        required: &[("BASE".to_owned(), required)],
        pushes: true,
        skips_tests: false,
        place: &[("DOCKER_HOST", "unix:///d.sock".to_owned())],
    };
    let (cx, events) = cx(env);
    let result = run(&spec(command), job, &cx).await;
    drop(cx);
    (result, lines(events))
}

#[tokio::test]
async fn a_command_is_told_what_to_make() {
    let dir = tempfile::tempdir().unwrap();
    let script = "for v in IMAGE PUSH_IMAGE PLATFORMS SKIP_TEST IMAGE_REPO IMAGE_TAG BASE DOCKER_HOST MINE; do eval echo $v=\\$$v; done; [ \"$BUILD_CONTEXT\" = \"$(pwd -P)\" ] && echo here";
    let (result, lines) = run_in(&dir.path().canonicalize().unwrap(), script, &[("MINE", "m"), ("SKIP_TEST", "of the environment")]).await;
    result.unwrap();
    insta::assert_snapshot!(lines.join("\n"), @r"
    IMAGE=reg.io/p/web:v1
    PUSH_IMAGE=true
    PLATFORMS=linux/amd64,linux/arm64
    SKIP_TEST=of the environment
    IMAGE_REPO=reg.io/p/web
    IMAGE_TAG=v1
    BASE=reg.io/base:v2
    DOCKER_HOST=unix:///d.sock
    MINE=m
    here
    ");
}

#[test]
fn a_command_that_builds_in_the_cluster_is_told_how() {
    let build = ClusterBuild { timeout: std::time::Duration::from_mins(20), ..ClusterBuild::default() };
    let namespace = Namespace("builds".to_owned());
    let variables = in_cluster(&build, Some("kind-dev"), &namespace, [None, Some("docker-cfg".to_owned())]);
    let lines: Vec<String> = variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(lines, ["KUBE_CONTEXT=kind-dev", "NAMESPACE=builds", "DOCKER_CONFIG_SECRET_NAME=docker-cfg", "TIMEOUT=1200s"]);
}

#[tokio::test]
async fn a_command_is_a_template() {
    let (result, lines) = run_in(Path::new("/"), "echo '{{.MINE}} {{.NONE}}'", &[("MINE", "m")]).await;
    result.unwrap();
    assert_eq!(lines, ["m <no value>"]);
}

#[tokio::test]
async fn a_failing_command_shows_its_last_lines() {
    // Programs say what is wrong on either output.
    for output in ["", " >&2"] {
        let command = format!("echo no such thing{output}; exit 3");
        let (result, _) = run_in(Path::new("/"), &command, &[]).await;
        assert_eq!(
            result.unwrap_err().diagnostic().to_string(),
            format!(
                "error[build/custom-failed]: the build command of `web` ended with exit status: 3: `{command}`\n  no such thing\n\
                 help: run it by hand in the context of the artifact to see more"
            )
        );
    }
}
