//! Several deployers in one configuration.

use crate::context::TestContext;

const CONFIG: &str = "apiVersion: skaffold/v4beta13
kind: Config
manifests: {rawYaml: [NAME.yaml]}
deploy:
  kubectl: {}
  helm: {releases: [{name: shop, chartPath: chart}]}
";

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_and_kubectl_deploy_side_by_side_but_not_the_same_object() {
    let context = TestContext::new()
        .with_file("skaffold.yaml", &CONFIG.replace("NAME", "other"))
        .with_file("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        .with_file("chart/templates/settings.yaml", &config_map("settings"))
        .with_file("settings.yaml", &config_map("settings"))
        .with_file("other.yaml", &config_map("other"));
    let said = context.devloop(&["run"]).success();
    assert!(said.contains("configmap/settings created") && said.contains("configmap/other created"), "{said}");
    let context = context.with_file("skaffold.yaml", &CONFIG.replace("NAME", "settings"));
    let (_, errors) = context.devloop(&["run"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[deploy/claimed-twice]: configmap/settings is deployed by helm and by kubectl
      a release has it, and so has settings.yaml
    help: leave it to one of them
    ");
    context.devloop(&["delete"]).success();
    assert_eq!(context.kubectl(&["get", "configmap", "settings", "other", "--ignore-not-found", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn hooks_run_around_releases_of_helm() {
    let hooks = "hooks: {before: [{host: {command: [sh, -c, 'echo before >> said']}}], after: [{host: {command: [sh, -c, 'echo after in $SKAFFOLD_NAMESPACES >> said']}}]}";
    let config = format!(
        "apiVersion: skaffold/v4beta13\nkind: Config\ndeploy: {{helm: {{releases: [{{name: shop, chartPath: chart}}], {hooks}}}}}\n"
    );
    let context = TestContext::new()
        .with_file("skaffold.yaml", &config)
        .with_file("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        .with_file("chart/templates/settings.yaml", &config_map("settings"));
    context.devloop(&["run"]).success();
    let said = std::fs::read_to_string(context.path().join("said")).unwrap();
    assert_eq!(said, format!("before\nafter in {}\n", context.namespace()));
}
