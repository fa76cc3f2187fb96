//! `devloop dev` with releases: a save of a chart or of values upgrades, and nothing that helm writes does.

use std::fs;

use devloop_model::Stage;

use super::calls;
use super::config;
use super::value;
use super::verbs;
use super::with_chart;
use super::with_helm;
use crate::session::Session;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_save_upgrades_what_it_touches_and_the_end_takes_it_away() {
    let body = "build: {artifacts: [{image: dev-helm, context: app, custom: {buildCommand: 'docker build -q -t $IMAGE . && docker push -q $IMAGE'}}]}\ndeploy:\n  helm:\n    releases:\n      - {name: a, chartPath: chart, valuesFiles: [a.yaml]}\n      - {name: b, chartPath: chart, setValueTemplates: {value: '{{.IMAGE_NAME}}'}}\n";
    let context = with_chart(with_chart(with_helm(3), "chart", "map"), "common", "common")
        .with_file("common/templates/map.yaml", "")
        .with_file("a.yaml", "value: one\n")
        .with_file("app/Dockerfile", "FROM localhost:5000/busybox\n")
        .with_file(
            "chart/Chart.yaml",
            "apiVersion: v2\nname: map\nversion: 0.1.0\ndependencies:\n- {name: common, version: 0.1.0, repository: 'file://../common'}\n",
        )
        .with_file("skaffold.yaml", &config(body))
        .with("SKAFFOLD_DEFAULT_REPO", "localhost:5000")
        .with("DOCKER_BUILDKIT", "0")
        .with("DEVLOOP_INTERACTIVE", "false");
    let mut session = Session::start(&context, &[]);
    session.succeeds();
    assert_eq!(verbs(&context)[0], "dependency build");
    assert_eq!((value(&context, "a").as_str(), value(&context, "b").as_str()), ("one", "dev-helm"));
    // What helm wrote into the chart wakes nothing.
    session.sleeps();

    fs::write(context.path().join("a.yaml"), "value: two\n").unwrap();
    let pass = session.succeeds();
    assert_eq!(pass.ran(Stage::Build).len(), 0);
    assert_eq!(pass.changes(), ["configmap/a Configured"]);
    assert_eq!(verbs(&context), ["upgrade a"]);

    // A new template, of both releases.
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}-more\"}\n";
    fs::write(context.path().join("chart/templates/more.yaml"), template).unwrap();
    session.succeeds();
    assert!(context.kubectl(&["get", "configmap", "-o", "name"]).contains("configmap/b-more"));
    calls(&context);

    // A chart that does not render ends nothing.
    fs::write(context.path().join("chart/templates/more.yaml"), "{{ .Values.no.such }}\n").unwrap();
    let failed = session.fails();
    assert!(failed.contains("does not render"), "{failed}");
    fs::write(context.path().join("chart/templates/more.yaml"), template).unwrap();
    session.succeeds();

    // A comment in skaffold.yaml upgrades nothing.
    calls(&context);
    fs::write(context.path().join("skaffold.yaml"), config(body) + "# a comment\n").unwrap();
    session.pass();
    assert_eq!(calls(&context), [""; 0]);
    session.leaves("INT");
    let names = context.kubectl(&["get", "configmap,secret", "-o", "name"]);
    assert!(!names.contains("configmap/a") && !names.contains("configmap/b") && !names.contains("helm"), "{names}");
}
