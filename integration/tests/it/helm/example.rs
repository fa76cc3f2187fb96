//! `examples/helm`, by both versions of helm.

use super::calls;
use super::revision;
use super::verbs;
use super::with_helm;

fn deploys_answers_and_leaves_nothing(major: u32) {
    let context = with_helm(major).with_example("helm");
    let first = context.devloop(&["run"]).success();
    assert!(first.contains("Release hello-helm is at revision 1") && first.contains("hello-helm runs for dev."), "{first}");
    assert_eq!(verbs(&context), ["install hello-helm"]);
    assert_eq!(context.answer("hello-helm"), "Hello from dev\n");

    let second = context.devloop(&["run"]).success();
    assert!(second.contains("Found Remotely") && second.contains("deployment.apps/hello-helm unchanged"), "{second}");
    assert_eq!(calls(&context), [""; 0], "helm has nothing to do");

    let third = context.devloop(&["run", "-p", "prod"]).success();
    assert!(third.contains("deployment.apps/hello-helm configured") && third.contains("service/hello-helm unchanged"), "{third}");
    assert_eq!(verbs(&context), ["upgrade hello-helm"]);
    assert_eq!(revision(&context, "hello-helm"), 2);
    assert_eq!(context.kubectl(&["get", "deployment", "hello-helm", "-o", "jsonpath={.spec.replicas}"]), "2");
    assert_eq!(context.answer("hello-helm"), "Hello from prod\n");

    let dry = context.devloop(&["delete", "--dry-run"]).success();
    assert!(dry.contains("release.helm.sh/hello-helm -n [NAMESPACE]\n") && dry.contains("deployment/hello-helm -n [NAMESPACE]\n"), "{dry}");
    context.devloop(&["delete"]).success();
    assert_eq!(verbs(&context), ["uninstall hello-helm"]);
    assert_eq!(context.kubectl(&["get", "deployment,service,secret", "-o", "name"]), "");
    assert!(!context.kubectl(&["get", "configmap", "-o", "name"]).contains("devloop"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_3_deploys_answers_and_leaves_nothing() {
    deploys_answers_and_leaves_nothing(3);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn helm_4_deploys_answers_and_leaves_nothing() {
    deploys_answers_and_leaves_nothing(4);
}
