//! What is in charts: images named as they are, labels, dependencies, order, what left the configuration.

use std::fs;

use super::config;
use super::revision;
use super::value;
use super::verbs;
use super::with_chart;
use super::with_helm;

/// A chart names an artifact as it is, as charts for Skaffold do: helm renders, and the image is put in.
fn images_and_labels_are_put_in(major: u32) {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}, annotations: {note: '{{ \"{{x}}\" }}'}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: {{ .Values.image }}}]\n";
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-upgrade}\ndata: {image: {{ .Values.image }}}\n";
    let body = "build: {artifacts: [{image: literal-web, custom: {buildCommand: 'docker build -q -t $IMAGE . && docker push -q $IMAGE'}}]}\ndeploy:\n  helm: {releases: [{name: web, chartPath: chart, setValues: {image: literal-web}}]}\n";
    let context = with_chart(with_helm(major), "chart", "web")
        .with_file("Dockerfile", "FROM localhost:5000/busybox\nCMD [\"sleep\", \"1000\"]\n")
        .with_file("chart/templates/web.yaml", deployment)
        .with_file("chart/templates/hook.yaml", hook)
        .with_file("skaffold.yaml", &config(body))
        .with("DOCKER_BUILDKIT", "0");
    context.devloop(&["run", "-d", "localhost:5000", "--label", "team=a"]).success();
    assert_eq!(verbs(&context), ["install web dry", "install web"]);
    let shown = context.kubectl(&[
        "get",
        "deployment",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image} {.metadata.labels.team} {.spec.template.metadata.annotations.note}",
    ]);
    assert!(shown.starts_with("localhost:5000/literal-web:") && shown.contains("@sha256:") && shown.ends_with(" a {{x}}"), "{shown}");
    // The release is what helm itself would have made of the chart.
    assert_eq!(context.helm(&["get", "values", "web", "-o", "json"]).trim(), r#"{"image":"literal-web"}"#);
    assert!(context.helm(&["list"]).contains("web-0.1.0"));
    verbs(&context);

    context.devloop(&["run", "-d", "localhost:5000", "--label", "team=a"]).success();
    assert_eq!(verbs(&context), [""; 0]);
    context.devloop(&["run", "-d", "localhost:5000", "--label", "team=b"]).success();
    assert_eq!(verbs(&context), ["upgrade web dry", "upgrade web"]);
    let team = || context.kubectl(&["get", "deployment", "web", "-o", "jsonpath={.metadata.labels.team}"]);
    assert_eq!(team(), "b");
    context.helm(&["rollback", "web", "1"]);
    assert_eq!((team().as_str(), revision(&context, "web")), ("a", 3));
    // Somebody else's revision is not ours.
    context.devloop(&["run", "-d", "localhost:5000", "--label", "team=b"]).success();
    assert_eq!((team().as_str(), revision(&context, "web")), ("b", 4));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_3_images_and_labels_are_put_in() {
    images_and_labels_are_put_in(3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_4_images_and_labels_are_put_in() {
    images_and_labels_are_put_in(4);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn only_what_changed_is_upgraded_and_what_is_gone_uninstalled() {
    let releases = |names: &[&str]| {
        let one = |name: &&str| format!("{{name: {name}, chartPath: chart, valuesFiles: [{name}.yaml]}}");
        let list: Vec<String> = names.iter().map(one).collect();
        config(&format!("deploy: {{helm: {{releases: [{}]}}}}\n", list.join(", ")))
    };
    let mut context = with_chart(with_helm(3), "chart", "map").with_file("skaffold.yaml", &releases(&["a", "b", "c"]));
    for name in ["a", "b", "c"] {
        context = context.with_file(&format!("{name}.yaml"), &format!("value: {name}1\n"));
    }
    context.devloop(&["run"]).success();
    let mut installed = verbs(&context);
    installed.sort();
    assert_eq!(installed, ["install a", "install b", "install c"]);

    fs::write(context.path().join("b.yaml"), "value: b2\n").unwrap();
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("configmap/b configured") && run.contains("configmap/a unchanged"), "{run}");
    assert_eq!(verbs(&context), ["upgrade b"]);
    assert_eq!((value(&context, "a").as_str(), value(&context, "b").as_str()), ("a1", "b2"));

    // An object that somebody deleted comes back.
    context.kubectl(&["delete", "configmap", "a"]);
    context.devloop(&["run"]).success();
    assert_eq!(verbs(&context), ["upgrade a"]);
    assert_eq!(value(&context, "a"), "a1");

    fs::write(context.path().join("skaffold.yaml"), releases(&["a", "b"])).unwrap();
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("configmap/c pruned"), "{run}");
    assert_eq!(verbs(&context), ["uninstall c"]);
    assert!(!context.kubectl(&["get", "configmap", "-o", "name"]).contains("configmap/c\n"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn releases_come_in_the_order_that_they_ask_for() {
    let body = "deploy:\n  helm:\n    releases:\n      - {name: last, chartPath: chart, dependsOn: [first, broken]}\n      - {name: first, chartPath: chart}\n      - {name: broken, chartPath: broken}\n      - {name: other, chartPath: chart, dependsOn: [first]}\n";
    let context = with_chart(with_chart(with_helm(3), "chart", "map"), "broken", "broken")
        .with_file("broken/templates/map.yaml", "a: {{ .Values.no.such }}\n")
        .with_file("skaffold.yaml", &config(body));
    context.devloop(&["run"]).failure();
    let done = verbs(&context);
    let at = |verb: &str| done.iter().position(|done| done == verb);
    assert!(at("install first") < at("install other") && at("install last").is_none(), "{done:?}");
    with_chart(context, "broken", "broken").devloop(&["run"]).success();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dependencies_are_built_when_they_changed() {
    let body = "deploy: {helm: {releases: [{name: web, chartPath: chart}]}}\n";
    let context = with_chart(with_chart(with_helm(3), "chart", "web"), "common", "common")
        .with_file("common/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\ndata: {value: one}\n")
        .with_file(
            "chart/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: common, version: 0.1.0, repository: 'file://../common'}\n",
        )
        .with_file("skaffold.yaml", &config(body));
    context.devloop(&["run"]).success();
    assert_eq!(verbs(&context), ["dependency build", "install web"]);
    assert_eq!(value(&context, "common"), "one");
    context.devloop(&["run"]).success();
    assert_eq!(verbs(&context), [""; 0]);
    // A template of the chart changes nothing of what it depends on.
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {value: two}\n";
    fs::write(context.path().join("chart/templates/map.yaml"), template).unwrap();
    context.devloop(&["run"]).success();
    assert_eq!(verbs(&context), ["upgrade web"]);
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\ndata: {value: two}\n";
    fs::write(context.path().join("common/templates/map.yaml"), template).unwrap();
    context.devloop(&["run"]).success();
    assert_eq!(verbs(&context), ["dependency build", "upgrade web"]);
    assert_eq!(value(&context, "common"), "two");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_chart_is_packaged_with_the_version_that_is_asked_for() {
    let body = "deploy: {helm: {releases: [{name: web, chartPath: chart, packaged: {version: '1.2.{{.PATCH}}', appVersion: v9}}]}}\n";
    let context = with_chart(with_helm(3), "chart", "web").with_file("skaffold.yaml", &config(body)).with("PATCH", "3");
    context.devloop(&["run"]).success();
    assert_eq!(
        verbs(&context),
        ["package [FOLDER]/chart".replace("[FOLDER]", &context.path().display().to_string()), "install web".into()]
    );
    let list = context.helm(&["list"]);
    assert!(list.contains("web-1.2.3") && list.contains("v9"), "{list}");
    verbs(&context);
    let context = context.with("PATCH", "4");
    context.devloop(&["run"]).success();
    assert!(context.helm(&["list"]).contains("web-1.2.4"));
}
