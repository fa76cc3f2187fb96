//! Images, pods and charts that make it hard to debug.

use devloop_model::EventKind;
use devloop_model::ForwardState;
use serde_json::json;

use super::HELPERS;
use super::dap::Dap;
use crate::context::TestContext;
use crate::session::Session;

/// Returns a context of the Go example with its manifest or Dockerfile changed.
fn changed(file: &str, old: &str, new: &str) -> TestContext {
    let context = TestContext::new().with_example("debug-go");
    let path = context.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    std::fs::write(path, text.replace(old, new)).unwrap();
    context
}

fn debug(context: &TestContext, helpers: &str) -> Session {
    Session::of(context.command(&["debug", "--output", "json", "--debug-helpers-registry", helpers]))
}

fn started(session: &mut Session) -> String {
    let started = |fact: &EventKind| match fact {
        EventKind::DebuggingStarted { container } => Some(container.runtime.clone()),
        _ => None,
    };
    let before = session.seen.iter().find_map(|event| started(&event.fact));
    before.unwrap_or_else(|| session.until("a debugger", started))
}

fn warned(session: &Session) -> String {
    let warnings = session.seen.iter().filter_map(|event| match &event.fact {
        EventKind::Warned { diagnostic } => Some(diagnostic.to_string()),
        _ => None,
    });
    warnings.collect::<Vec<_>>().join("\n")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_empty_base_without_root_and_with_nothing_to_write_is_debugged() {
    let context = changed("Dockerfile", "FROM ${BASE}/busybox", "FROM scratch");
    let manifest = std::fs::read_to_string(context.path().join("k8s.yaml")).unwrap();
    let rights = "          securityContext: {runAsUser: 1234, runAsNonRoot: true, readOnlyRootFilesystem: true, \
                  allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}\n";
    let at = "          ports:\n";
    std::fs::write(context.path().join("k8s.yaml"), manifest.replacen(at, &format!("{rights}{at}"), 1)).unwrap();
    context.kubectl(&["label", "namespace", context.namespace(), "pod-security.kubernetes.io/enforce=restricted"]);
    let mut session = debug(&context, HELPERS);
    session.succeeds();
    assert_eq!(started(&mut session), "go");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_service_started_by_a_script_runs_as_it_is_and_says_why() {
    let context = changed(
        "Dockerfile",
        "ENTRYPOINT [\"/app\"]",
        "RUN printf '#!/bin/sh\\n/app\\n' >/start.sh; chmod +x /start.sh\nENTRYPOINT [\"/start.sh\"]",
    );
    let mut session = debug(&context, HELPERS);
    session.succeeds();
    let said = warned(&session);
    assert!(said.contains("is not debugged") && said.contains("shell script, `/start.sh`"), "{said}");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_support_image_that_is_missing_is_told_with_what_to_do() {
    let context = TestContext::new().with_example("debug-go");
    let mut session = debug(&context, "localhost:5000/nowhere");
    let said = session.fails();
    assert!(said.contains("install-go-debug-support") && said.contains("--debug-helpers-registry"), "{said}");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_local_port_that_is_taken_gives_way_to_the_next() {
    let taken = std::net::TcpListener::bind("127.0.0.1:56268").ok();
    let context = TestContext::new().with_example("debug-go");
    let mut session = debug(&context, HELPERS);
    session.succeeds();
    let forwarded = |fact: &EventKind| match fact {
        EventKind::PortForwarded { local_port, remote_port: Some(56268), .. } => Some(*local_port),
        _ => None,
    };
    let before = session.seen.iter().find_map(|event| forwarded(&event.fact));
    let port = before.unwrap_or_else(|| session.until("the port", forwarded));
    assert_ne!(port, 56268);
    session.leaves("INT");
    drop(taken);
}

/// Changes a file of a context.
fn edit(context: &TestContext, file: &str, changes: &[(&str, &str)]) {
    let path = context.path().join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "no `{old}` in {text}");
        text = text.replace(old, new);
    }
    std::fs::write(path, text).unwrap();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn two_containers_of_a_pod_have_a_debugger_each() {
    let context = TestContext::new().with_example("debug-go");
    edit(
        &context,
        "main.go",
        &[("ListenAndServe(\":8080\"", "ListenAndServe(\":\"+os.Getenv(\"PORT\")"), ("\"net/http\"", "\"net/http\"\n\t\"os\"")],
    );
    let own = "        - name: debug-go\n          image: debug-go\n";
    let other = "        - name: other\n          image: debug-go\n          env: [{name: PORT, value: '8081'}]\n";
    edit(&context, "k8s.yaml", &[(own, &format!("{other}{own}          env: [{{name: PORT, value: '8080'}}]\n"))]);
    let mut session = debug(&context, HELPERS);
    session.succeeds();
    let mut ports = std::collections::BTreeMap::new();
    let mut look = |fact: &EventKind| {
        if let EventKind::PortForwarded {
            local_port, remote_port: Some(port @ (56268 | 56269)), state: ForwardState::Ready { .. }, ..
        } = fact
        {
            ports.insert(*port, *local_port);
        }
        (ports.len() == 2).then(|| ports.values().copied().collect::<Vec<_>>())
    };
    let before = session.seen.iter().find_map(|event| look(&event.fact));
    let locals = before.unwrap_or_else(|| session.until("two ports", look));
    assert_ne!(locals[0], locals[1]);
    for port in locals {
        Dap::attach(
            port,
            json!({"mode": "remote", "substitutePath": [{"from": context.path(), "to": "/src"}]}),
            &context.path().join("main.go"),
            15,
        )
        .disconnect();
    }
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_release_of_helm_is_debugged_and_then_no_longer() {
    let context = TestContext::new().with_example("debug-go");
    let manifest = std::fs::read_to_string(context.path().join("k8s.yaml")).unwrap();
    let config = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    let (before, _) = config.split_once("manifests:").unwrap();
    let settings = format!("global: {{debug-helpers-registry: {HELPERS}}}\n");
    let context = context
        .with_file("chart/Chart.yaml", "apiVersion: v2\nname: debug-go\nversion: 0.1.0\n")
        .with_file("chart/values.yaml", "image: debug-go\n")
        .with_file("chart/templates/k8s.yaml", &manifest.replace("image: debug-go\n", "image: {{ .Values.image }}\n"))
        .with_file("skaffold.yaml", &format!("{before}deploy:\n  helm:\n    releases:\n      - name: debug-go\n        chartPath: chart\n"))
        // Where the images with debuggers are is a matter of the machine.
        .with_file(".state/config/devloop/config", &settings);
    context.devloop(&["run"]).success();
    let command = |context: &TestContext| {
        context.kubectl(&["get", "deployment", "debug-go", "-o", "jsonpath={.spec.template.spec.containers[0].command[0]}"])
    };
    assert_eq!(command(&context), "");
    let mut session = Session::of(context.command(&["debug", "--output", "json", "--cleanup=false"]));
    session.succeeds();
    assert_eq!((started(&mut session).as_str(), command(&context).as_str()), ("go", "/dbg/go/bin/dlv"));
    session.leaves("INT");
    context.devloop(&["run"]).success();
    assert_eq!(command(&context), "");
}
