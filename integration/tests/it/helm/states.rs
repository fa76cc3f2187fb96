//! Releases that are there already, in whatever state.

use std::fs;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use super::config;
use super::revision;
use super::value;
use super::verbs;
use super::with_chart;
use super::with_helm;
use crate::context::TestContext;

fn project(major: u32) -> TestContext {
    let body = "deploy: {helm: {releases: [{name: web, chartPath: chart, setValues: {value: mine}}]}}\n";
    with_chart(with_helm(major), "chart", "web").with_file("skaffold.yaml", &config(body))
}

/// Kills helm while it waits for a hook that does not end, which leaves a pending release.
fn leave_pending(context: &TestContext, verb: &str) {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hang\n  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-delete-policy: before-hook-creation}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      terminationGracePeriodSeconds: 1\n      containers: [{name: hang, image: localhost:5000/busybox, command: [sleep, \"1000\"]}]\n";
    let chart = context.path().join("hanging");
    let from = context.path().join("chart");
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(&chart).status().unwrap().success());
    fs::write(chart.join("templates/job.yaml"), job).unwrap();
    let mut helm = context.helm_command(&[verb, "web", "hanging"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !context.kubectl(&["get", "secret", "-l", "owner=helm", "-o", "jsonpath={.items[*].metadata.labels.status}"]).contains("pending")
    {
        assert!(Instant::now() < deadline && helm.try_wait().unwrap().is_none(), "helm does not hang");
    }
    helm.kill().unwrap();
    helm.wait().unwrap();
    verbs(context);
}

fn pending_releases_are_told_and_force_gets_out(major: u32) {
    let context = project(major);
    leave_pending(&context, "install");
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(errors.contains("error[deploy/release-pending]: release `web` is in the state `pending-install`"), "{errors}");
    assert!(errors.contains(" --> skaffold.yaml:4:"), "{errors}");
    assert!(errors.contains("help: wait for it, or run with `--force`, which clears away what it left"), "{errors}");
    assert_eq!(verbs(&context), [""; 0]);
    context.devloop(&["run", "--force"]).success();
    assert_eq!((value(&context, "web").as_str(), revision(&context, "web")), ("mine", 1));

    fs::remove_dir_all(context.path().join("hanging")).unwrap();
    leave_pending(&context, "upgrade");
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(errors.contains("is in the state `pending-upgrade`"), "{errors}");
    context.devloop(&["run", "--force"]).success();
    assert_eq!((value(&context, "web").as_str(), revision(&context, "web")), ("mine", 2));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_3_pending_releases_are_told_and_force_gets_out() {
    pending_releases_are_told_and_force_gets_out(3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_4_pending_releases_are_told_and_force_gets_out() {
    pending_releases_are_told_and_force_gets_out(4);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_release_of_the_same_chart_is_taken_over_and_one_of_another_is_not() {
    let context = project(3);
    context.helm(&["install", "web", "chart", "--set", "value=theirs"]);
    let run = context.devloop(&["run"]);
    assert!(run.stderr.contains("warning[deploy/release-taken-over]: release `web` is taken over"), "{}", run.stderr);
    run.success();
    assert_eq!((value(&context, "web").as_str(), revision(&context, "web")), ("mine", 2));
    context.devloop(&["delete"]).success();
    assert!(!context.kubectl(&["get", "secret", "-o", "name"]).contains("helm"));

    let context = with_chart(context, "other", "other");
    context.helm(&["install", "web", "other"]);
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(
        errors.contains("error[deploy/release-taken]: there is a release `web` of another chart in namespace `[NAMESPACE]`"),
        "{errors}"
    );
    assert!(errors.contains("it was made from the chart `other`, and not by this configuration"), "{errors}");
    let kept = context.devloop(&["delete"]);
    assert!(kept.stderr.contains("release `web` is kept: this configuration did not install it"), "{}", kept.stderr);
    kept.success();
    context.devloop(&["run", "--force"]).success();
    assert_eq!(value(&context, "web"), "mine");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_first_install_that_failed_is_made_anew() {
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: migrate, image: localhost:5000/busybox, command: [\"COMMAND\"]}]\n";
    let context = project(3).with_file("chart/templates/hook.yaml", &hook.replace("COMMAND", "false"));
    let (_, errors) = context.devloop(&["run"]).failure();
    assert!(errors.contains("error[helm/failed]: helm install of release `web` failed") && errors.contains("pre-install"), "{errors}");
    verbs(&context);
    let context = context.with_file("chart/templates/hook.yaml", &hook.replace("COMMAND", "true"));
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("Release web is installed anew"), "{run}");
    assert_eq!(verbs(&context), ["uninstall web", "install web"]);
    assert_eq!(value(&context, "web"), "mine");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn upgrade_on_change_is_minded() {
    let body = "deploy: {helm: {releases: [{name: web, chartPath: chart, setValues: {value: VALUE}, upgradeOnChange: false}]}}\n";
    let context = with_chart(with_helm(3), "chart", "web").with_file("skaffold.yaml", &config(body));
    context.devloop(&["run"]).success();
    let context = context.with_file("skaffold.yaml", &config(&body.replace("VALUE", "other")));
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("Release web is left as it is: `upgradeOnChange` is off"), "{run}");
    assert_eq!(value(&context, "web"), "VALUE");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_an_interrupted_run_left_is_cleared_away_by_the_next() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hang\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      terminationGracePeriodSeconds: 1\n      containers: [{name: hang, image: localhost:5000/busybox, command: [sleep, \"1000\"]}]\n";
    let context = project(3).with_file("chart/templates/job.yaml", job);
    let mut run = context.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while context.kubectl(&["get", "secret", "-l", "owner=helm,status=pending-install", "-o", "name"]).is_empty() {
        assert!(Instant::now() < deadline && run.try_wait().unwrap().is_none(), "helm does not hang");
    }
    assert!(std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    fs::remove_file(context.path().join("chart/templates/job.yaml")).unwrap();
    context.devloop(&["run"]).success();
    assert_eq!((value(&context, "web").as_str(), revision(&context, "web")), ("mine", 1));
}
