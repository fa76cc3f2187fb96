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

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_command_that_builds_in_the_cluster_has_its_secret_for_as_long_as_it_runs() {
    let context = TestContext::new();
    let image = format!("localhost:5000/it/custom-{}", context.namespace());
    let skaffold = format!(
        "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {{envTemplate: {{template: v1}}}}\n  cluster: {{namespace: {}, timeout: 5m, dockerConfig: {{path: config.json}}}}\n  artifacts:\n  - image: {image}\n    custom:\n      buildCommand: ./build.sh\n      dependencies: {{paths: [Dockerfile]}}\n",
        context.namespace()
    );
    let script = "#!/bin/sh -e\n\
                  echo told $PUSH_IMAGE $TIMEOUT ${KUBE_CONTEXT:+in a context}\n\
                  kubectl -n $NAMESPACE get secret $DOCKER_CONFIG_SECRET_NAME -o jsonpath='{.data.config\\.json}' | base64 -d\n\
                  docker build -q -t $IMAGE . && docker push -q $IMAGE\n";
    let context = context
        .with_file("skaffold.yaml", &skaffold)
        .with_file("Dockerfile", "FROM localhost:5000/busybox\nCMD echo custom\n")
        .with_file("config.json", "{\"auths\": {}}\n")
        .with_file("build.sh", script);
    assert!(std::process::Command::new("chmod").arg("+x").arg(context.path().join("build.sh")).status().unwrap().success());
    let said = context.devloop(&["build"]).success();
    assert!(said.contains("told true 300s in a context") && said.contains("{\"auths\": {}}"), "{said}");
    assert_eq!(context.kubectl(&["get", "secrets,leases", "-o", "name"]), "", "nothing of it stays");
}
