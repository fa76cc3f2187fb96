//! What a session does by itself, and what it waits to be asked for.

use std::process::Command;

use devloop_model::AutoStage;
use devloop_model::EventKind;
use devloop_model::Hold;
use devloop_model::Stage;

use super::app::App;
use crate::context::free_port;
use crate::session::Session;

/// Asks a session for something, as programs do that speak Skaffold's API.
fn ask(port: &str, path: &str, body: &str) {
    let url = format!("http://127.0.0.1:{port}{path}");
    let method = if path.ends_with("auto_execute") { "PUT" } else { "POST" };
    let output = Command::new("curl")
        .args(["-sSf", "--max-time", "30", "-X", method, "-H", "Content-Type: application/json", "-d", body, &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until something waits to be asked for.
fn waits(session: &mut Session, wanted: AutoStage) {
    session.until("a step that waits to be asked for", |fact| match fact {
        EventKind::StepHeld { hold: Hold::Manual { stage }, .. } if *stage == wanted => Some(()),
        _ => None,
    });
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_builds_and_deploys_when_it_is_asked() {
    let app = App::new();
    let port = free_port().to_string();
    let mut session = app.dev(&["--auto-build=false", "--auto-deploy=false", "--rpc-http-port", &port]);
    app.serves("v1");
    app.save("v2");
    waits(&mut session, AutoStage::Build);
    ask(&port, "/v1/execute", r#"{"build": true}"#);
    waits(&mut session, AutoStage::Deploy);
    app.serves("v1");
    ask(&port, "/v1/execute", r#"{"deploy": true}"#);
    app.serves("v2");

    // A stage that is switched on acts by itself again.
    ask(&port, "/v1/build/auto_execute", r#"{"enabled": true}"#);
    ask(&port, "/v1/deploy/auto_execute", r#"{"enabled": true}"#);
    app.save("v3");
    app.serves("v3");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_looks_at_files_when_it_is_asked() {
    let app = App::new();
    let port = free_port().to_string();
    let mut session = app.dev(&["--trigger=manual", "--rpc-http-port", &port]);
    app.save("v2");
    session.sleeps();
    ask(&port, "/v1/execute", r#"{"build": true, "sync": true, "deploy": true}"#);
    session.succeeds();
    app.serves("v2");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_polls() {
    let app = App::new();
    let mut session = app.dev(&["--trigger=polling", "--watch-poll-interval=100"]);
    app.save("v2");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    app.serves("v2");
    app.write("k8s/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n");
    assert_eq!(session.succeeds().changes(), ["configmap/extra Created"]);
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_watches_the_sources_of_chosen_images() {
    let app = App::new();
    app.edit("skaffold.yaml", "artifacts:\n", "artifacts:\n  - image: other\n    context: other\n");
    app.write("other/Dockerfile", "FROM localhost:5000/busybox\nCOPY note /\n");
    app.write("other/note", "one");
    let mut session = app.dev(&["--watch-image=web"]);
    app.write("other/note", "two");
    session.sleeps();
    app.save("v2");
    let pass = session.succeeds();
    assert_eq!(pass.ran(Stage::Build).len(), 1, "{pass:?}");
    app.serves("v2");
    session.leaves("INT");
}
