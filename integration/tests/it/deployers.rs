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

/// Returns a project of two configurations, of which one deploys to a context of its own: another namespace of the same cluster.
fn two_contexts() -> (TestContext, TestContext) {
    let (own, other) = (TestContext::new(), TestContext::new());
    let kubeconfig = own.path().join("kubeconfig");
    std::fs::write(&kubeconfig, own.kubectl(&["config", "view", "--raw", "--flatten"])).unwrap();
    let kubeconfig = kubeconfig.display().to_string();
    let namespace = format!("--namespace={}", other.namespace());
    let current = own.kubectl(&["config", "current-context"]);
    let of = |field: &str| {
        own.kubectl(&["config", "view", "-o", &format!("jsonpath={{.contexts[?(@.name==\"{}\")].context.{field}}}", current.trim())])
    };
    let (cluster, user) = (format!("--cluster={}", of("cluster")), format!("--user={}", of("user")));
    own.kubectl(&["--kubeconfig", &kubeconfig, "config", "set-context", "other", &cluster, &user, &namespace]);
    let own_namespace = format!("--namespace={}", own.namespace());
    own.kubectl(&["--kubeconfig", &kubeconfig, "config", "set-context", "--current", &own_namespace]);
    let pod = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{terminationGracePeriodSeconds: 0, containers: [{{name: {name}, image: 'localhost:5000/busybox', command: [sh, -c, 'echo {name} runs; sleep 1000']}}]}}\n"
        )
    };
    let config = |name: &str, deploy: &str| {
        format!(
            "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {{name: {name}}}\nmanifests: {{rawYaml: [{name}.yaml]}}\ndeploy: {{kubectl: {{}}{deploy}}}\n"
        )
    };
    let own = own
        .with_file("skaffold.yaml", &[config("near", ""), config("far", ", kubeContext: other")].join("---\n"))
        .with_file("near.yaml", &pod("near"))
        .with_file("far.yaml", &pod("far"))
        .with("KUBECONFIG", &kubeconfig)
        .with("SKAFFOLD_NAMESPACE", "");
    (own, other)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn each_configuration_deploys_to_its_own_context() {
    let (own, other) = two_contexts();
    let pods = |context: &TestContext| context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
    let run = |arguments: &[&str]| {
        let output = own.command(arguments).env_remove("SKAFFOLD_NAMESPACE").output().unwrap();
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(&["run"]);
    assert!(said.contains("pod/near is ready") && said.contains("pod/far is ready"), "{said}");
    assert_eq!((pods(&own).as_str(), pods(&other).as_str()), ("near", "far"));
    assert_eq!(run(&["run"]).matches(" unchanged").count(), 2);
    run(&["delete"]);
    assert_eq!((pods(&own).as_str(), pods(&other).as_str()), ("", ""));
    // The command line wins over all of them.
    let context = own.kubectl(&["config", "current-context"]);
    run(&["run", "--kube-context", context.trim()]);
    assert_eq!((pods(&own).as_str(), pods(&other).as_str()), ("far near", ""));
}
