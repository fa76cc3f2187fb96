//! Commands around builds, rendering and deploys: when they run, what they are told, and what their failure stops.

use crate::context::TestContext;

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {colour: red}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: web}]}
";

/// Changes the project's skaffold.yaml.
fn change(context: TestContext, from: &str, to: &str) -> TestContext {
    let config = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    assert!(config.contains(from), "{config}");
    context.with_file("skaffold.yaml", &config.replace(from, to))
}

/// Returns a project with these fields of `deploy.kubectl`.
fn project(kubectl: &str) -> TestContext {
    let config = format!(
        "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  tagPolicy: {{sha256: {{}}}}\n  artifacts: [{{image: web}}]\nmanifests: {{rawYaml: [web.yaml]}}\ndeploy: {{kubectl: {{{kubectl}}}}}\n"
    );
    TestContext::new()
        .with_file("skaffold.yaml", &config)
        .with_file("web.yaml", WEB)
        .with_file("Dockerfile", "FROM localhost:5000/busybox\nCMD [\"sleep\", \"1000\"]\n")
}

fn said(context: &TestContext) -> String {
    let text = std::fs::read_to_string(context.path().join("said")).unwrap_or_default();
    text.replace(&context.path().display().to_string(), "[FOLDER]").replace(context.namespace(), "[NAMESPACE]")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn hooks_run_around_each_stage_and_are_told_what_it_is_about() {
    let config = r#"apiVersion: skaffold/v4beta14
kind: Config
build:
  tagPolicy: {envTemplate: {template: v1}}
  hooks:
    before: [{command: [sh, -c, "echo before builds >> said"]}]
    after: [{command: [sh, -c, "echo after builds >> said"]}]
  artifacts:
  - image: web
    hooks:
      before: [{command: [sh, -c, "echo before $SKAFFOLD_IMAGE $SKAFFOLD_PUSH_IMAGE >> said"]}]
      after: [{command: [sh, -c, "echo after $SKAFFOLD_IMAGE_REPO $SKAFFOLD_IMAGE_TAG >> $SKAFFOLD_WORK_DIR/said"], dir: /}]
manifests:
  rawYaml: [made.yaml]
  hooks:
    before: [{host: {command: [cp, web.yaml, made.yaml]}}]
    after:
    - host: {command: [sh, -c, "echo $(grep -c ^kind:) manifest for $SKAFFOLD_NAMESPACES >> said"]}
    - host: {command: [sed, "s/colour: red/colour: blue/"], withChange: true}
deploy:
  kubectl:
    hooks:
      before:
      - host: {command: [sh, -c, "echo to $SKAFFOLD_KUBE_CONTEXT >> said"]}
      - host: {command: [sh, -c, "echo elsewhere >> said"], os: [plan9]}
      after:
      - container: {command: [sh, -c, "echo once >> /tmp/visits; cat /tmp/visits"], podName: "web-*", containerName: app}
      - host: {command: [sh, -c, "echo after >> said"]}
"#;
    let context = project("").with_file("skaffold.yaml", config);
    let output = context.devloop(&["run"]).success();
    assert_eq!(
        said(&context),
        "before builds\nbefore localhost:5000/web:v1 true\nafter localhost:5000/web v1\nafter builds\n1 manifest for [NAMESPACE]\nto devcluster\nafter\n"
    );
    for line in ["Starting pre-deploy hooks...", "Completed post-render hooks", "\nonce\n"] {
        assert!(output.contains(line), "{line}: {output}");
    }
    assert_eq!(context.kubectl(&["get", "deployment", "web", "-o", "jsonpath={.metadata.labels.colour}"]), "blue");
    let again = context.devloop(&["run"]).success();
    assert!(again.contains("deployment.apps/web unchanged") && !again.contains("pre-build"), "{again}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_hook_that_fails_or_hangs_fails_its_stage() {
    let before = r#"hooks: {before: [{host: {command: [sh, -c, "echo lost >&2; exit 7"]}}]}"#;
    let context = project(before);
    let (_, errors) = context.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[hooks/failed]: a pre-deploy hook failed on this machine: `sh -c echo lost >&2; exit 7`
      `sh` ended with exit status: 7
      lost
    ");
    assert_eq!(context.kubectl(&["get", "deployment", "-o", "name"]), "");
    let context = change(context, before, "hooks: {after: [{host: {command: [sleep, '1000']}}]}");
    let (_, errors) = context.devloop(&["run", "--hook-timeout=100ms"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[hooks/failed]: a post-deploy hook failed on this machine: `sleep 1000`
      `sleep` was stopped after 0.1 s
    help: `--hook-timeout` gives hooks more time, unless they have a `timeout` of their own
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_hook_in_containers_tells_why_it_failed_and_that_it_found_none() {
    let after = r"hooks: {after: [{container: {command: [cat, /gone], podName: 'nothing-*'}}, {container: {command: [cat, /gone], podName: 'web-*'}}]}";
    let context = project(after);
    let (output, errors) = context.devloop(&["run"]).failure();
    let pod = context.kubectl(&["get", "pod", "-o", "jsonpath={.items[0].metadata.name}"]);
    let said = (output + &errors).replace(&pod, "[POD]");
    let about = said.lines().filter(|line| ["hook", "/gone", "looked in"].iter().any(|word| line.contains(word)));
    insta::assert_snapshot!(about.collect::<Vec<_>>().join("\n"), @r"
    Starting post-deploy hooks...
    cat: can't open '/gone': No such file or directory
    warning[hooks/no-container]: no running container `*` of a pod `nothing-*` for a post-deploy hook
      looked in namespace [NAMESPACE]
    error[hooks/failed]: a post-deploy hook failed in container app of pod/[POD] in namespace [NAMESPACE]: `cat /gone`
      cat: can't open '/gone': No such file or directory
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_hook_that_gives_back_no_manifests_prunes_nothing() {
    let context = project("");
    context.devloop(&["run"]).success();
    let hook = "rawYaml: [web.yaml], hooks: {after: [{host: {command: ['true'], withChange: true}}]}";
    let context = change(context, "rawYaml: [web.yaml]", hook);
    let (_, errors) = context.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[render/hook-output]: a post-render hook with `withChange: true` printed nothing: `true`
    help: print the manifests that are to be deployed, or leave out `withChange` where it only looks at them
    ");
    assert_eq!(context.kubectl(&["get", "deployment", "-o", "name"]), "deployment.apps/web\n");
}
