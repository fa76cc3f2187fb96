//! Go programs in ko's layers, into the registry and into the daemon.

use std::process::Command;

use devloop_clients::docker::Docker;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_clients::registry::RemoteImage;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::ImageRef;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio_util::sync::CancellationToken;

use crate::context::TestContext;
use crate::context::cluster_environment;

/// The diff IDs that ko 0.18.0 gave to [`project`]: of `kodata`, and of the program by the Go below.
const KODATA: &str = "sha256:3e1cab2be21801135ca086f80745a3d7bc3ac052e7528672507eb188cff72747";
const PROGRAM: &str = "sha256:838f0ba39959134daa4b01d6c2f07f72c8b52aae612c0c76666794e98cd5c50a";
const GO: &str = "go1.26.8";

/// Returns a Go program with an image name that no other test has.
fn project(more: &str) -> (TestContext, String) {
    let context = TestContext::new();
    let image = format!("localhost:5000/it/ko-{}", context.namespace());
    let skaffold = format!(
        "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {{sha256: {{}}}}\n  artifacts:\n  - image: {image}\n    ko: {{}}\n{more}"
    );
    let context = context
        .with_file("skaffold.yaml", &skaffold)
        .with_file("go.mod", "module example.com/tiny\n\ngo 1.24\n")
        .with_file("main.go", "// Tiny says hello.\npackage main\n\nfunc main() { println(\"hello\") }\n")
        .with_file("kodata/hello.txt", "hello\n");
    (context, image)
}

fn cx() -> Cx {
    let env = Env::new(cluster_environment().into_iter().collect());
    Cx::new(StepId::of(Stage::Build), env, EventSink::none(), CancellationToken::new())
}

async fn remote(image: &str, platform: &str) -> RemoteImage {
    let registry = Registry::new(RegistrySettings::default());
    let platform = platform.parse().unwrap();
    registry.image(&ImageRef::parse(image).unwrap(), Some(&platform), &cx()).await.unwrap()
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_has_the_layers_of_ko_and_is_the_same_twice() {
    let (context, image) = project("  platforms: [linux/amd64]\n  local: {push: true}\n");
    context.devloop(&["build"]).success();
    let first = remote(&image, "linux/amd64").await;
    let diff_ids = first.config["rootfs"]["diff_ids"].as_array().unwrap().clone();
    let [kodata, program] = &diff_ids[diff_ids.len() - 2..] else { panic!("two layers more than the base") };
    assert_eq!(kodata, KODATA);
    let version = Command::new("go").args(["env", "GOVERSION"]).output().unwrap().stdout;
    if String::from_utf8_lossy(&version).trim() == GO {
        assert_eq!(program, PROGRAM);
    }
    assert_eq!(first.config["config"]["Entrypoint"], serde_json::json!(["/ko-app/tiny"]));

    context.devloop(&["build", "--cache-artifacts=false"]).success();
    assert_eq!(remote(&image, "linux/amd64").await.digest, first.digest, "nothing changed, so nothing differs");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_is_loaded_into_the_daemon_and_runs() {
    let (context, image) = project("  platforms: [linux/amd64]\n  local: {push: false}\n");
    context.devloop(&["build"]).success();
    let ran = Command::new("docker").args(["run", "--rm", &image]).envs(cluster_environment()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "hello\n");
    let cx = cx();
    let docker = Docker::connect(&cx.env, &cx).await.unwrap();
    docker.remove_image(&image, &cx).await.unwrap();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn what_go_says_is_shown() {
    let (context, _) = project("  local: {push: true}\n");
    let context = context.with_file("main.go", "package main\n\nfunc main() { undefined() }\n");
    let (stdout, stderr) = context.devloop(&["build"]).failure();
    let all = format!("{stdout}\n{stderr}");
    assert!(all.contains("./main.go:3:15: undefined: undefined"), "{all}");
    assert!(all.contains("error[build/ko-go-build]: `go build` of `example.com/tiny` for linux/amd64 failed"), "{all}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_base_for_another_platform_is_refused() {
    let (context, _) = project("  platforms: [linux/arm64]\n  local: {push: true}\n");
    let (stdout, stderr) = context.devloop(&["build"]).failure();
    let all = format!("{stdout}\n{stderr}");
    assert!(all.contains("the base image `localhost:5000/busybox` is for `linux/amd64`, not for `linux/arm64`"), "{all}");
}
