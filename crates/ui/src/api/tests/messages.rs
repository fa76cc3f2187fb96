//! Skaffold's messages of a recorded session, as its clients get them.

use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Namespace;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Touched;
use serde_json::Value;

use super::super::proto::Phases;
use super::super::skaffold_v1;
use super::super::skaffold_v2;
use super::Duration;
use super::pod_line;
use super::sample;
use crate::Snapshot;

/// A `dev` session: a first pass, a forwarded port, a save that is synced, one whose build fails.
fn dev() -> Vec<Event> {
    let web = || sample::name("web");
    let triggered = |save| EventKind::Triggered { save, touched: Touched::default(), waited: Duration::ZERO };
    let ended = |save, outcome| EventKind::IterationEnded { save, first: 1, outcome, duration: Duration::from_secs(1), parts: Vec::new() };
    let changed = || Reason::Changed { files: vec!["index.js".into(), "a.css".into()] };
    let failed = || Outcome::Failed {
        diagnostic: Diagnostic::error("build/failed", "web could not be built").because("exit code 1").help("fix main.go"),
    };
    let source = ForwardSource { kind: "service".into(), name: "web".into(), namespace: Namespace("default".into()), port: "http".into() };
    let forwarded = |state| EventKind::PortForwarded {
        source: source.clone(),
        address: "127.0.0.1".into(),
        local_port: 8080,
        remote_port: Some(80),
        state,
    };
    let mut facts: Vec<EventKind> = sample::run_of_two().into_iter().map(|event| event.fact).collect();
    facts.pop();
    facts.insert(2, triggered(1));
    facts.extend([
        ended(1, Outcome::Succeeded),
        forwarded(ForwardState::Waiting { why: "no pod".into() }),
        forwarded(ForwardState::Ready { pod: "web-1".into() }),
        pod_line(0, "web", "listening").fact,
        triggered(2),
        EventKind::StepStarted { step: StepId::sync(web()), reason: changed() },
        EventKind::FilesSynced { artifact: web(), copied: 1, deleted: 1, containers: 1, replayed: false },
        sample::finished(StepId::sync(web()), Outcome::Succeeded),
        triggered(3),
        EventKind::StepStarted { step: StepId::build(web()), reason: changed() },
        sample::finished(StepId::build(web()), failed()),
        ended(3, failed()),
        EventKind::Warned { diagnostic: Diagnostic::warning("watch/limit", "few watches are left") },
        EventKind::SessionEnded { outcome: Outcome::Cancelled, duration: Duration::from_secs(9) },
    ]);
    sample::events(facts)
}

/// Returns what each event maps to, one message per line.
fn mapped(events: &[Event], map: impl Fn(&Event, Phases, &Snapshot) -> Vec<Value>) -> (String, Snapshot) {
    let (mut now, mut text) = (Snapshot::default(), String::new());
    for event in events {
        let before = Phases::of(&now);
        now.apply(event);
        for mut message in map(event, before, &now) {
            message.as_object_mut().unwrap().shift_remove("timestamp").unwrap();
            text.push_str(&message.to_string());
            text.push('\n');
        }
    }
    (text.replace(&super::super::proto::host_platform(), "HOST"), now)
}

#[test]
fn a_session_in_skaffolds_first_api() {
    let (text, now) = mapped(&dev(), skaffold_v1::entries);
    insta::assert_snapshot!(text);
    insta::assert_snapshot!("a_state_in_skaffolds_first_api", format!("{:#}", skaffold_v1::state(&now)));
}

#[test]
fn a_session_in_skaffolds_second_api() {
    let (text, now) = mapped(&dev(), skaffold_v2::events);
    insta::assert_snapshot!(text);
    insta::assert_snapshot!("a_state_in_skaffolds_second_api", format!("{:#}", skaffold_v2::state(&now)));
}

#[test]
fn nothing_is_known_before_the_first_event() {
    let now = Snapshot::default();
    for state in [skaffold_v1::state(&now), skaffold_v2::state(&now)] {
        assert_eq!(state["deployState"]["autoTrigger"], true);
        assert_eq!(state["buildState"]["artifacts"], serde_json::json!({}));
        assert_eq!(state["buildState"]["statusCode"], "OK");
    }
}

#[test]
fn every_task_that_starts_ends() {
    let (text, _) = mapped(&dev(), skaffold_v2::events);
    let tasks: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["taskEvent"].take()).filter(|task| !task.is_null()).collect();
    let with = |status: &[&str]| -> Vec<&str> {
        let mut ids: Vec<&str> = tasks
            .iter()
            .filter(|task| status.contains(&task["status"].as_str().unwrap()))
            .map(|task| task["id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(with(&["InProgress"]), with(&["Succeeded", "Failed", "Canceled"]));
    assert_eq!(with(&["InProgress"]), ["Build-1", "Build-3", "Deploy-1", "DevLoop-1", "DevLoop-2", "DevLoop-3", "StatusCheck-1"]);
}

#[test]
fn tests_are_a_task_with_an_event_for_each() {
    let failed = Outcome::Failed { diagnostic: Diagnostic::error("test/failed", "it failed") };
    let opening = EventKind::Triggered { save: 1, touched: Touched::default(), waited: Duration::ZERO };
    let events = sample::events([vec![opening], sample::tests_of("web", &failed)].concat());
    let without_logs = |text: String| text.lines().filter(|line| !line.contains("skaffoldLogEvent")).collect::<Vec<_>>().join("\n");
    let (first, now) = mapped(&events, skaffold_v1::entries);
    insta::assert_snapshot!(first, @r#"
    {"event":{"devLoopEvent":{"iteration":0,"status":"In Progress","err":null}},"entry":"Update initiated"}
    {"event":{"testEvent":{"status":"In Progress","actionableErr":null}},"entry":"Test started"}
    {"event":{"testEvent":{"status":"Failed","actionableErr":{"errCode":"TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR","message":"it failed","suggestions":[]}}},"entry":"Test failed"}
    {"event":{"testEvent":{"status":"In Progress","actionableErr":null}},"entry":"Test started"}
    {"event":{"testEvent":{"status":"Complete","actionableErr":null}},"entry":"Test completed"}
    "#);
    insta::assert_snapshot!(skaffold_v1::state(&now)["testState"], @r#"{"status":"Failed","statusCode":"TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR"}"#);
    let (second, now) = mapped(&events, skaffold_v2::events);
    insta::assert_snapshot!(without_logs(second), @r#"
    {"taskEvent":{"id":"DevLoop-1","task":"DevLoop","description":"","iteration":1,"status":"InProgress","actionableErr":null}}
    {"taskEvent":{"id":"Test-1","task":"Test","description":"Test","iteration":1,"status":"InProgress","actionableErr":null}}
    {"testEvent":{"id":"web/0","task_id":"Test-1","status":"InProgress","actionableErr":null}}
    {"testEvent":{"id":"web/0","task_id":"Test-1","status":"Failed","actionableErr":{"errCode":"TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR","message":"it failed","suggestions":[]}}}
    {"testEvent":{"id":"web/1","task_id":"Test-1","status":"InProgress","actionableErr":null}}
    {"testEvent":{"id":"web/1","task_id":"Test-1","status":"Succeeded","actionableErr":null}}
    {"taskEvent":{"id":"Test-1","task":"Test","description":"","iteration":1,"status":"Failed","actionableErr":{"errCode":"TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR","message":"it failed","suggestions":[]}}}
    "#);
    insta::assert_snapshot!(skaffold_v2::state(&now)["testState"], @r#"{"status":"Failed","statusCode":"TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR"}"#);
}

#[test]
fn tests_of_a_deployment_and_actions_have_events_of_their_own() {
    for (stage, task, name) in [(Stage::Verify, "Verify", "verifyEvent"), (Stage::Exec, "Exec", "execEvent")] {
        let step = || StepId::of(stage);
        let failed = Outcome::Failed { diagnostic: Diagnostic::error("task/failed", "it ended with exit code 3") };
        let (health, duration) = ("health".to_owned(), Duration::from_secs(1));
        let events = sample::events(vec![
            EventKind::StepStarted { step: step(), reason: Reason::FirstRun },
            EventKind::TaskStarted { step: step(), task: health.clone() },
            EventKind::TaskFinished { step: step(), task: health, outcome: failed.clone(), duration },
            sample::finished(step(), failed),
        ]);
        let (text, snapshot) = mapped(&events, skaffold_v2::events);
        let of_task: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get(name).cloned()).collect();
        let statuses: Vec<&Value> = of_task.iter().map(|event| &event["status"]).collect();
        assert_eq!(statuses, ["InProgress", "Failed"], "{text}");
        assert_eq!((&of_task[1]["id"], &of_task[1]["task_id"]), (&"health".into(), &format!("{task}-0").into()));
        assert_eq!(of_task[1]["actionableErr"]["message"], "it ended with exit code 3");
        let state = skaffold_v2::state(&snapshot);
        assert_eq!(state[format!("{}State", task.to_lowercase())]["status"], "Failed");
    }
}

/// Returns the fields of a message with the types of their values.
fn shape(message: &Value) -> Value {
    match message {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        other => panic!("{other}"),
    }
}

#[test]
fn what_ides_debug_by_has_skaffolds_fields() {
    let recorded = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/skaffold.debugging.json")).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    let namespace = || Namespace("default".into());
    let container = || devloop_model::DebuggingContainer {
        namespace: namespace(),
        pod: "web-1".into(),
        container: "app".into(),
        artifact: "web".into(),
        runtime: "go".into(),
        working_dir: "/src".into(),
        ports: [("dlv".to_owned(), 56268)].into(),
    };
    let events = sample::events(vec![
        EventKind::DebuggingStarted { container: container() },
        EventKind::PortForwarded {
            source: ForwardSource { kind: "deployment".into(), name: "web".into(), namespace: namespace(), port: "56268".into() },
            address: "127.0.0.1".into(),
            local_port: 56300,
            remote_port: Some(56268),
            state: ForwardState::Ready { pod: "web-1".into() },
        },
    ]);
    let (first, now) = mapped(&events, |event, before, now| {
        skaffold_v1::entries(event, before, now)
            .into_iter()
            .map(|entry| serde_json::json!({ "timestamp": 0, "event": entry["event"] }))
            .collect()
    });
    let (second, _) = mapped(&events, skaffold_v2::events);
    let messages = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    for (version, messages) in [("v1", messages(&first)), ("v2", messages(&second))] {
        let of = |message: &Value| if version == "v1" { message["event"].clone() } else { message.clone() };
        let merged: Value = messages.iter().flat_map(|message| of(message).as_object().unwrap().clone()).collect();
        // Their order is that of the messages as well.
        assert_eq!(shape(&merged).to_string(), recorded[version].to_string());
        assert_eq!((&merged["portEvent"]["containerName"], &merged["portEvent"]["portName"]), (&"app".into(), &"dlv".into()));
    }
    for (version, state) in [("v1", skaffold_v1::state(&now)), ("v2", skaffold_v2::state(&now))] {
        let [container] = state["debuggingContainers"].as_array().unwrap().as_slice() else { panic!("{state}") };
        assert_eq!(shape(container), recorded[version]["debuggingContainerEvent"]);
        assert_eq!(container["status"], "Started");
    }
    let ended =
        sample::events(vec![EventKind::DebuggingStarted { container: container() }, EventKind::DebuggingEnded { container: container() }]);
    let (text, now) = mapped(&ended, skaffold_v2::events);
    assert!(text.contains("\"Terminated\"") && skaffold_v2::state(&now)["debuggingContainers"] == serde_json::json!([]), "{text}");
}
