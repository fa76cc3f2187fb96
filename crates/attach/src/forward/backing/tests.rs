use serde_json::json;

use super::*;
use crate::objects::tests::object;
use crate::objects::tests::objects;
use crate::objects::tests::shop;

/// Returns a pod of the labels `app: web`, with a port `web`.
fn pod(name: &str, created: u8, phase: &str, ready: bool) -> Value {
    let mut pod = object("Pod", name, ("ReplicaSet", "web-1"));
    pod["metadata"]["labels"] = json!({"app": "web", "x": "y"});
    pod["metadata"]["creationTimestamp"] = json!(format!("2026-01-02T03:04:{created:02}Z"));
    pod["spec"] = json!({"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]});
    pod["status"] = json!({"phase": phase, "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]});
    pod
}

fn leaving(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("now");
    pod
}

fn service() -> Value {
    let mut service = object("Service", "web", ("", ""));
    service["spec"] = json!({"selector": {"app": "web"}, "ports": [
        {"name": "front", "port": 80, "targetPort": "web"},
        {"name": "admin", "port": 81, "targetPort": 9000},
        {"name": "plain", "port": 8080},
        {"name": "lost", "port": 83, "targetPort": "other"},
        {"name": "dns", "port": 53, "protocol": "UDP"}]});
    service
}

fn family() -> Vec<Value> {
    vec![service(), object("ReplicaSet", "web-1", ("Deployment", "web")), object("Deployment", "web", ("", ""))]
}

fn wanted(kind: &str, name: &str, port: ForwardPort) -> Wanted {
    Wanted::for_test(kind, name, &shop(), port)
}

/// Returns the pod and port, or why there is none.
fn behind(wanted: &Wanted, values: Vec<Value>) -> String {
    match backing(wanted, &objects(values)) {
        Backing::Unknown => "unknown".to_owned(),
        Backing::Waiting { why, coming } => format!("{why} ({})", if coming { "coming" } else { "not coming" }),
        Backing::Failed { why } => format!("failed: {why}"),
        Backing::Pod(pod) => format!("{}:{}", pod.pod, pod.port),
    }
}

#[test]
fn the_newest_ready_pod_is_picked_else_the_newest_that_runs() {
    let web = wanted("deployment", "web", ForwardPort::Number(1));
    let ready = |name, created| pod(name, created, "Running", true);
    let runs = |name, created| pod(name, created, "Running", false);
    for (pods, expected) in [
        (vec![ready("a", 1), ready("b", 2)], "b:1"),
        (vec![ready("b", 2), ready("a", 1)], "b:1"),
        (vec![ready("a", 1), runs("b", 2)], "a:1"),
        (vec![runs("a", 1), runs("b", 2)], "b:1"),
        (vec![leaving(ready("a", 1)), runs("b", 2)], "b:1"),
        (vec![ready("a", 1), pod("b", 2, "Pending", false)], "a:1"),
        (vec![pod("b", 2, "Pending", false)], "pod/b is starting (coming)"),
        (vec![leaving(ready("a", 1))], "pod/a is being replaced or deleted (coming)"),
        (vec![pod("a", 1, "Succeeded", false)], "no pod of deployment/web is there (not coming)"),
        (vec![], "no pod of deployment/web is there (not coming)"),
    ] {
        assert_eq!(behind(&web, [family(), pods].concat()), expected);
    }
}

#[test]
fn ports_are_resolved_by_number_and_name() {
    let all = || [family(), vec![pod("p", 1, "Running", true)]].concat();
    let named = |name: &str| ForwardPort::Name(name.to_owned());
    for (kind, name, port, expected) in [
        ("service", "web", ForwardPort::Number(80), "p:8080"),
        ("service", "web", named("front"), "p:8080"),
        ("service", "web", named("admin"), "p:9000"),
        ("service", "web", named("plain"), "p:8080"),
        ("service", "web", named("lost"), "failed: pod/p has no port `other`; its ports: 8080 (`web`)"),
        ("service", "web", named("dns"), "failed: UDP ports cannot be forwarded"),
        (
            "service",
            "web",
            ForwardPort::Number(82),
            "failed: service/web has no port 82; its ports: 80 (`front`), 81 (`admin`), 8080 (`plain`), 83 (`lost`), 53 (`dns`)",
        ),
        ("pod", "p", ForwardPort::Number(9999), "p:9999"),
        ("pod", "p", named("web"), "p:8080"),
        ("replicaset", "web-1", named("web"), "p:8080"),
        ("deployment", "web", named("nope"), "failed: pod/p has no port `nope`; its ports: 8080 (`web`)"),
        ("deployment", "web-1", ForwardPort::Number(1), "there is no deployment/web-1 in namespace shop (not coming)"),
        ("service", "api", ForwardPort::Number(1), "there is no service/api in namespace shop (not coming)"),
        ("pod", "q", ForwardPort::Number(1), "there is no pod/q in namespace shop (not coming)"),
        ("container", "web", ForwardPort::Number(1), "failed: a container is nothing that Kubernetes has: it is for the docker deployer"),
    ] {
        assert_eq!(behind(&wanted(kind, name, port), all()), expected, "{kind}/{name}");
    }
}

#[test]
fn a_service_forwards_only_to_what_it_selects() {
    let web = wanted("service", "web", ForwardPort::Number(80));
    let mut other = pod("p", 1, "Running", true);
    other["metadata"]["labels"] = json!({"app": "api"});
    assert_eq!(behind(&web, vec![service(), other]), "no pod of service/web is there (not coming)");
    let mut external = service();
    external["spec"]["selector"] = Value::Null;
    assert_eq!(behind(&web, vec![external]), "failed: service/web selects no pods");
}

#[test]
fn what_may_break_a_connection_changes_what_is_behind() {
    let web = wanted("pod", "p", ForwardPort::Number(1));
    let of = |pod: Value| backing(&web, &objects(vec![pod]));
    let (ready, runs) = (pod("p", 1, "Running", true), pod("p", 1, "Running", false));
    let mut restarted = ready.clone();
    restarted["status"]["containerStatuses"] = json!([{"restartCount": 1}]);
    let mut another = ready.clone();
    another["metadata"]["uid"] = json!("another");
    for changed in [runs, restarted, another] {
        assert_ne!(of(ready.clone()), of(changed));
    }
    let mut labelled = ready.clone();
    labelled["metadata"]["labels"]["z"] = json!("z");
    assert_eq!(of(ready), of(labelled));
}
