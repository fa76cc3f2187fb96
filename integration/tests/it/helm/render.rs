//! `manifests.helm`, and what `devloop render` prints of releases.

use std::fs;

use super::config;
use super::verbs;
use super::with_chart;
use super::with_helm;
use crate::context::root;

/// `DEVLOOP_UPDATE_GOLDEN=1` writes the file instead of comparing it.
fn is_rendered_as_ever(major: u32) {
    let context = with_helm(major).with_example("helm");
    let digest = format!("sha256:{}", "a".repeat(64));
    let image = format!("hello-helm=registry.example.com/hello-helm:v1@{digest}");
    let rendered = context.devloop(&["render", "--offline", "-p", "prod", "-i", &image]).success();
    assert_eq!(verbs(&context), ["template hello-helm"]);
    let golden = root().join("integration/tests/it/golden/helm.yaml");
    if std::env::var_os("DEVLOOP_UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, &rendered).unwrap();
    }
    assert_eq!(rendered, fs::read_to_string(golden).unwrap());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_3_the_example_is_rendered_as_ever() {
    is_rendered_as_ever(3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_4_the_example_is_rendered_as_ever() {
    is_rendered_as_ever(4);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn kubectl_applies_what_helm_renders() {
    let body = "manifests:\n  helm:\n    releases:\n      - {name: one, chartPath: chart, setValues: {value: 1}}\n      - {name: two, chartPath: chart, overrides: {value: {{VALUE}}}}\ndeploy: {kubectl: {}}\n";
    let write = |value: &str| config(&body.replace("{{VALUE}}", value));
    let context = with_chart(with_helm(3), "chart", "map")
        .with_file("chart/crds/widget.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.helm.example.com}\nspec:\n  group: helm.example.com\n  names: {kind: Widget, plural: widgets}\n  scope: Namespaced\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]\n")
        .with_file("skaffold.yaml", &write("2"));
    let rendered = context.devloop(&["render"]).success();
    assert!(rendered.contains("kind: CustomResourceDefinition") && rendered.contains("value: \"2\""), "{rendered}");
    verbs(&context);
    context.devloop(&["run"]).success();
    let mut done = verbs(&context);
    done.sort();
    assert_eq!(done, ["template one", "template two"]);
    assert_eq!((super::value(&context, "one").as_str(), super::value(&context, "two").as_str()), ("1", "2"));
    assert_eq!(context.kubectl(&["get", "secret", "-o", "name"]), "", "helm keeps no record of what it only renders");

    fs::write(context.path().join("skaffold.yaml"), write("3")).unwrap();
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("configmap/two configured") && run.contains("configmap/one unchanged"), "{run}");
    context.devloop(&["delete"]).success();
    assert!(!context.kubectl(&["get", "configmap", "-o", "name"]).contains("one"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn render_shows_what_helm_deploys() {
    let body = "manifests: {helm: {releases: [{name: both, chartPath: chart, setValues: {value: rendered}}]}}\ndeploy: {helm: {releases: [{name: both, chartPath: chart, setValues: {value: deployed}}, {name: own, chartPath: chart}]}}\n";
    let context = with_chart(with_helm(3), "chart", "map").with_file("skaffold.yaml", &config(body));
    let rendered = context.devloop(&["render"]).success();
    assert!(rendered.contains("name: both") && rendered.contains("value: rendered") && rendered.contains("name: own"), "{rendered}");
    assert!(!rendered.contains("value: deployed"), "{rendered}");
    verbs(&context);
    context.devloop(&["run"]).success();
    let mut done = verbs(&context);
    done.sort();
    assert_eq!(done, ["install both", "install own"]);
    assert_eq!(super::value(&context, "both"), "rendered");
}
