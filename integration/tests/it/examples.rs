//! Every example, deployed for real.

use crate::context::TestContext;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn getting_started_answers_and_a_second_run_changes_nothing() {
    let context = TestContext::new().with_example("getting-started");
    let first = context.devloop(&["run"]).success();
    assert!(first.contains("Deployments stabilized in"), "{first}");
    assert_eq!(context.answer("getting-started"), "Hello from devloop\n");
    let version = || context.kubectl(&["get", "deployment,service", "-o", "jsonpath={.items[*].metadata.resourceVersion}"]);
    let before = version();
    let second = context.devloop(&["run"]).success();
    assert!(second.contains("Found Remotely"), "{second}");
    assert_eq!(version(), before, "a run that changes nothing writes nothing");
    context.devloop(&["delete"]).success();
    assert_eq!(context.kubectl(&["get", "deployment,service", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_build_made_is_not_built_again_by_run() {
    for example in ["getting-started", "ko", "custom"] {
        let context = TestContext::new().with_example(example);
        context.devloop(&["build"]).success();
        let run = context.devloop(&["run"]).success();
        assert!(run.contains("Found Remotely"), "{example}: {run}");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn ko_answers() {
    let context = TestContext::new().with_example("ko");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-ko"), "Hello from ko, without a Dockerfile\n");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn custom_answers() {
    let context = TestContext::new().with_example("custom");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-custom"), "Hello from a build of your own\n");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn microservices_share_a_base_and_profiles_choose() {
    let context = TestContext::new().with_example("microservices");
    let first = context.devloop(&["run", "-p", "web-only"]).success();
    assert!(!first.contains("api"), "{first}");
    assert_eq!(context.answer("web"), "Hello from web\n");
    let context = context.with("STAGE", "prod");
    let second = context.devloop(&["run"]).success();
    assert!(second.contains("poddisruptionbudget"), "{second}");
    assert_eq!(context.answer("api"), "{\"hello\": \"from api\"}\n");
    // A new base means new services.
    std::fs::write(context.path().join("base/serve"), "#!/bin/sh\necho new base\nexec httpd -f -p 8080 -h /www\n").unwrap();
    let third = context.devloop(&["build"]).success();
    for image in ["base", "web", "api"] {
        assert!(third.contains(&format!("{image}: Not found. Building")), "{third}");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn tagging_gives_every_kind_of_tag() {
    let context = TestContext::new().with_example("tagging").with_file(".gitignore", ".state\n").with_git().with("USER", "ada");
    let tag = |profile: &[&str]| {
        let arguments = [&["build", "-q", "--output", "{{range .Builds}}{{.Tag}}{{end}}"][..], profile].concat();
        let reference = context.devloop(&arguments).success();
        reference.split('@').next().unwrap().rsplit(':').next().unwrap().to_owned()
    };
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).current_dir(context.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let day = git(&["log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d"]);
    assert_eq!(tag(&[]), "v1");
    assert_eq!(tag(&["-p", "commit"]), format!("git-{}", git(&["rev-list", "-1", "HEAD", "--abbrev-commit"])));
    assert_eq!(tag(&["-p", "tree"]), git(&["rev-parse", "HEAD:./"]));
    assert_eq!(tag(&["-p", "input-digest"]).len(), 64);
    assert_eq!(tag(&["-p", "sha256"]), "latest");
    assert_eq!(tag(&["-p", "date"]), day);
    assert_eq!(tag(&["-p", "env"]), "ada-dev");
    assert_eq!(tag(&["-p", "custom"]), format!("{day}-{}", git(&["rev-list", "-1", "HEAD", "--abbrev-commit"])));
    assert_eq!(tag(&["--tag", "mine"]), "mine");
    std::fs::write(context.path().join("www/index.html"), "changed\n").unwrap();
    assert_eq!(tag(&[]), "v1-dirty");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn lifecycle_runs_its_hooks_is_verified_and_greets() {
    let context = TestContext::new().with_example("lifecycle");
    let built = context.devloop(&["build", "--file-output", "build.json"]).success();
    assert!(built.contains("built localhost:5000/lifecycle:"), "{built}");
    let deployed = context.devloop(&["deploy", "-a", "build.json"]).success();
    let said = deployed.split_once("Starting post-deploy hooks...").map(|(_, after)| after);
    assert!(said.is_some_and(|said| said.contains("Hello from devloop\n")), "{deployed}");
    assert_eq!(context.kubectl(&["get", "service", "lifecycle", "-o", "jsonpath={.spec.ports[0].name}"]), "http");
    let verified = context.devloop(&["verify", "-a", "build.json"]).success();
    assert!(verified.contains("[answers] Hello from devloop\n"), "{verified}");
    let greeted = context.devloop(&["exec", "greet", "-a", "build.json"]).success();
    assert!(greeted.contains("[greet] Hello from devloop\n"), "{greeted}");
}
