//! What can be wrong with charts, files and the machine.

use std::fs;

use super::config;
use super::verbs;
use super::with_chart;
use super::with_helm;
use crate::context::TestContext;

fn project(major: u32, release: &str) -> TestContext {
    let body = format!("deploy:\n  helm:\n    releases:\n      - name: web\n{release}");
    with_chart(with_helm(major), "chart", "web").with_file("skaffold.yaml", &config(&body))
}

fn a_chart_that_does_not_render_is_told_at_its_line(major: u32) {
    let context = project(major, "        chartPath: chart\n").with_file("chart/templates/bad.yaml", "a: b\nc: {{ .Values.no.such }}\n");
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(
        errors.contains("error[helm/render]: the chart of release `web` does not render\n --> chart/templates/bad.yaml:2:"),
        "{errors}"
    );
    assert!(errors.contains("2 | c: {{ .Values.no.such }}") && errors.contains("nil pointer evaluating interface {}.such"), "{errors}");
    let context = context.with_file("chart/templates/bad.yaml", "a: b\nc: {{ if }}\n");
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(errors.contains(" --> chart/templates/bad.yaml:2:") && errors.contains("missing value for if"), "{errors}");
    assert_eq!(context.kubectl(&["get", "secret", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_3_a_chart_that_does_not_render_is_told_at_its_line() {
    a_chart_that_does_not_render_is_told_at_its_line(3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_4_a_chart_that_does_not_render_is_told_at_its_line() {
    a_chart_that_does_not_render_is_told_at_its_line(4);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_is_missing_is_told_at_the_line_that_names_it() {
    let context = project(3, "        chartPath: charts/web\n");
    insta::assert_snapshot!(context.devloop(&["run"]).failure().1, @r"
    error[helm/no-chart]: there is no chart at `[FOLDER]/charts/web`
     --> skaffold.yaml:8:20
      |
    8 |         chartPath: charts/web
      |                    ^^^^^^^^^^
    help: paths start from the working directory; those of a required configuration from its own
    ");
    let context = project(3, "        chartPath: chart\n        valuesFiles: [values.yaml]\n");
    insta::assert_snapshot!(context.devloop(&["run"]).failure().1, @r"
    error[helm/no-file]: values file `[FOLDER]/values.yaml` of release `web` is missing
     --> skaffold.yaml:9:23
      |
    9 |         valuesFiles: [values.yaml]
      |                       ^^^^^^^^^^^
    help: paths start from the working directory; those of a required configuration from its own
    ");
    let context = project(3, "        chartPath: chart\n").with("PATH", "/nowhere");
    insta::assert_snapshot!(context.devloop(&["run"]).failure().1, @r"
    error[helm/not-installed]: helm is not installed
     --> skaffold.yaml:7:15
      |
    7 |       - name: web
      |               ^^^
    help: install helm 3.13 or newer, or helm 4: https://helm.sh/docs/intro/install/; `helm version` has to work
    ");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_namespace_is_created_on_demand() {
    let context = project(3, "        chartPath: chart\n        namespace: NAME\n");
    let namespace = format!("{}-other", context.namespace());
    let file = context.path().join("skaffold.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("NAME", &namespace);
    fs::write(&file, &text).unwrap();
    // The namespace of the command line would win.
    let run = |arguments: &[&str]| context.command(arguments).env_remove("SKAFFOLD_NAMESPACE").output().unwrap();
    let failed = run(&["run"]);
    let errors = String::from_utf8_lossy(&failed.stderr);
    assert!(errors.contains(&format!("namespaces \"{namespace}\" not found")), "{errors}");
    assert!(errors.contains("help: create the namespace, or set `createNamespace: true` for the release"), "{errors}");
    fs::write(&file, format!("{text}        createNamespace: true\n")).unwrap();
    let done = run(&["run"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(context.kubectl(&["get", "configmap", "web", "-n", &namespace, "-o", "jsonpath={.data.value}"]), "from the chart");
    assert!(run(&["delete"]).status.success());
    context.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_post_renderer_of_the_user_is_used_and_its_failure_fails_the_deploy() {
    let body = "deploy:\n  helm:\n    flags: {install: [--post-renderer, ./render]}\n    releases: [{name: web, chartPath: chart}]\n";
    let context = with_chart(with_helm(3), "chart", "web").with_file("skaffold.yaml", &config(body));
    let render = |text: &str| {
        let file = context.path().join("render");
        fs::write(&file, text).unwrap();
        assert!(std::process::Command::new("chmod").arg("+x").arg(&file).status().unwrap().success());
    };
    render("#!/bin/sh\necho broken >&2\nexit 3\n");
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(errors.contains("error[helm/failed]: helm install of release `web` failed") && errors.contains("broken"), "{errors}");
    render("#!/bin/sh\nsed s/from/by/\n");
    context.devloop(&["run"]).success();
    assert_eq!(super::value(&context, "web"), "by the chart");
    verbs(&context);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn pods_are_recreated_where_that_is_asked_for() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: localhost:5000/busybox, command: [sleep, \"1000\"]}]\n";
    let context = project(4, "        chartPath: chart\n        recreatePods: true\n        setValues: {value: one}\n")
        .with_file("chart/templates/web.yaml", deployment);
    context.devloop(&["run"]).success();
    // One that is about to go has a time at which it does.
    let pods = || {
        let format = "jsonpath={range .items[*]}{.metadata.uid} {.metadata.deletionTimestamp}{'\\n'}{end}";
        let all = context.kubectl(&["get", "pod", "-l", "app=web", "-o", format]);
        all.lines().filter(|line| line.split_whitespace().count() == 1).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let before = pods();
    let file = context.path().join("skaffold.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("value: one", "value: two")).unwrap();
    context.devloop(&["run"]).success();
    assert!(before.len() == 1 && !pods().contains(&before[0]), "{before:?}");
}
