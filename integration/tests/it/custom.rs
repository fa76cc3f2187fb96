//! Commands that make images: what they pushed or loaded is what is deployed.

use crate::context::TestContext;

fn project(command: &str, push: bool) -> (TestContext, String) {
    let context = TestContext::new();
    let image = format!("localhost:5000/it/custom-{}", context.namespace());
    let skaffold = format!(
        "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {{envTemplate: {{template: v1}}}}\n  local: {{push: {push}}}\n  artifacts:\n  - image: {image}\n    custom:\n      buildCommand: {command}\n      dependencies: {{paths: [Dockerfile]}}\n"
    );
    (context.with_file("skaffold.yaml", &skaffold).with_file("Dockerfile", "FROM localhost:5000/busybox\nCMD echo custom\n"), image)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn what_the_command_pushed_is_taken_by_its_digest() {
    let (context, image) = project("docker build -q -t $IMAGE . && docker push -q $IMAGE", true);
    let printed = context.devloop(&["build", "-q"]).success();
    assert!(printed.contains(&format!("{image}:v1@sha256:").replace(context.namespace(), "[NAMESPACE]")), "{printed}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn what_the_command_loaded_is_taken_by_its_id() {
    let (context, _) = project("docker build -q -t $IMAGE .", false);
    context.devloop(&["build", "-q"]).success();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_command_that_makes_no_image_is_told() {
    for (push, place) in [(true, "the registry has no such image"), (false, "the container daemon has no such image")] {
        let (context, _) = project("echo did nothing", push);
        let (stdout, stderr) = context.devloop(&["build"]).failure();
        let all = format!("{stdout}\n{stderr}");
        assert!(all.contains("error[build/custom-no-image]: the build command of") && all.contains(place), "{all}");
        assert!(all.contains("did nothing"), "{all}");
    }
}
