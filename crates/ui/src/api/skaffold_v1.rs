//! Skaffold's first event API: our events and state to its messages (`proto/v1/skaffold.proto`,
//! `pkg/skaffold/event/event.go`). Pure.

use std::collections::BTreeMap;

use devloop_model::AutoStage;
use devloop_model::DebuggingContainer;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::ImageName;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::Stage;
use devloop_model::StepId;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::proto;
use super::proto::Phases;
use super::proto::Status;
use crate::Snapshot;
use crate::snapshot::Forward;

const NOT_STARTED: &str = "Not Started";
const IN_PROGRESS: &str = "In Progress";
const COMPLETE: &str = "Complete";
const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";
const CANCELED: &str = "Canceled";

/// Returns the word for a status; what success is called differs by the event.
fn word(status: Status, success: &'static str) -> &'static str {
    match status {
        Status::NotStarted => NOT_STARTED,
        Status::InProgress => IN_PROGRESS,
        Status::Succeeded => success,
        Status::Failed => FAILED,
        Status::Canceled => CANCELED,
    }
}

/// Returns the log entries of an event; `now` is what is known with it, `before` what was under way.
pub(crate) fn entries(event: &Event, before: Phases, now: &Snapshot) -> Vec<Value> {
    let at = proto::timestamp(event.at);
    facts(event, before, now).into_iter().map(|(fact, entry)| json!({ "timestamp": at, "event": fact, "entry": entry })).collect()
}

/// Returns the entry that tells a client how many events it did not get.
pub(crate) fn dropped(count: u64) -> Value {
    json!({ "timestamp": null, "event": null, "entry": format!("{count} earlier events are no longer kept") })
}

fn facts(event: &Event, before: Phases, now: &Snapshot) -> Vec<(Value, String)> {
    match &event.fact {
        EventKind::PlanLoaded { .. } => {
            vec![(json!({ "metaEvent": { "entry": proto::greeting(now), "metadata": metadata(now) } }), String::new())]
        }
        EventKind::Triggered { save, .. } => vec![iteration(*save, IN_PROGRESS, &Outcome::Succeeded)],
        EventKind::IterationEnded { save, outcome, .. } => {
            (before.ended + 1..=*save).map(|save| iteration(save, word(outcome.into(), SUCCEEDED), outcome)).collect()
        }
        EventKind::StepStarted { step, reason } => started(now, step, reason),
        EventKind::StepFinished { step, outcome, .. } => finished(now, step, outcome),
        EventKind::TestStarted { .. } => vec![test(IN_PROGRESS, &Outcome::Succeeded)],
        EventKind::TestFinished { outcome, .. } => vec![test(word(outcome.into(), COMPLETE), outcome)],
        EventKind::Readiness { object, ready, message, .. } => vec![readiness(object, *ready, message)],
        EventKind::PortForwarded { source, state: ForwardState::Ready { .. }, .. } => {
            now.forwards.iter().filter(|forward| forward.source == *source).map(|forward| forwarded(now, forward)).collect()
        }
        EventKind::DebuggingStarted { container } => vec![debugging(container, proto::STARTED)],
        EventKind::DebuggingEnded { container } => vec![debugging(container, proto::TERMINATED)],
        EventKind::FilesSynced { artifact, copied, deleted, replayed: false, .. } => {
            vec![synced(artifact, copied + deleted, SUCCEEDED, &Outcome::Succeeded)]
        }
        EventKind::SessionEnded { outcome, .. } => {
            // The user ended it: that is no failure.
            let status = if matches!(outcome, Outcome::Failed { .. }) { FAILED } else { COMPLETE };
            let err = proto::error(outcome, proto::UNKNOWN_ERROR);
            vec![(json!({ "terminationEvent": { "status": status, "err": err } }), String::new())]
        }
        _ => Vec::new(),
    }
}

/// Returns the start or end of an iteration; Skaffold's first one is 0.
fn iteration(save: u64, status: &str, outcome: &Outcome) -> (Value, String) {
    let err = proto::error(outcome, proto::UNKNOWN_ERROR);
    let entry = match status {
        IN_PROGRESS => "Update initiated".to_owned(),
        SUCCEEDED => "Update succeeded".to_owned(),
        FAILED => format!("Update failed with error code {}", err["errCode"].as_str().unwrap_or_default()),
        _ => String::new(),
    };
    (json!({ "devLoopEvent": { "iteration": save.saturating_sub(1), "status": status, "err": err } }), entry)
}

fn started(now: &Snapshot, step: &StepId, reason: &Reason) -> Vec<(Value, String)> {
    match (step.stage, &step.artifact) {
        (Stage::Build, Some(artifact)) => vec![build(now, artifact, IN_PROGRESS, &Outcome::Succeeded)],
        (Stage::Sync, Some(artifact)) => vec![synced(artifact, files(reason), IN_PROGRESS, &Outcome::Succeeded)],
        (Stage::Deploy, _) => vec![deploy(IN_PROGRESS, &Outcome::Succeeded)],
        (Stage::StatusCheck, _) => vec![status_check("Started", &Outcome::Succeeded)],
        _ => Vec::new(),
    }
}

fn finished(now: &Snapshot, step: &StepId, outcome: &Outcome) -> Vec<(Value, String)> {
    let status = Status::from(outcome);
    match (step.stage, &step.artifact) {
        (Stage::Build, Some(artifact)) => vec![build(now, artifact, word(status, COMPLETE), outcome)],
        // What was synced is said by its own event.
        (Stage::Sync, Some(artifact)) if status != Status::Succeeded => {
            let count = now.step(step).map(|record| files(&record.reason)).unwrap_or_default();
            vec![synced(artifact, count, word(status, SUCCEEDED), outcome)]
        }
        (Stage::Deploy, _) => vec![deploy(word(status, COMPLETE), outcome)],
        (Stage::StatusCheck, _) => vec![status_check(word(status, SUCCEEDED), outcome)],
        _ => Vec::new(),
    }
}

/// Returns how many files a step is about.
pub(crate) fn files(reason: &Reason) -> usize {
    match reason {
        Reason::Changed { files } => files.len(),
        _ => 0,
    }
}

/// Returns the deprecated fields for an error, and the one that replaces them.
fn error_fields(outcome: &Outcome, stage: Stage) -> (String, Value, Value) {
    let error = proto::error(outcome, proto::unknown_code(stage));
    let code = error.get("errCode").cloned().unwrap_or_else(|| json!("OK"));
    (error["message"].as_str().unwrap_or_default().to_owned(), code, error)
}

fn build(now: &Snapshot, artifact: &ImageName, status: &str, outcome: &Outcome) -> (Value, String) {
    let (err, code, error) = error_fields(outcome, Stage::Build);
    let fact = json!({ "buildEvent": {
        "artifact": artifact,
        "status": status,
        "err": err,
        "errCode": code,
        "actionableErr": error,
        "hostPlatform": proto::host_platform(),
        "targetPlatforms": proto::platforms(now, artifact),
    } });
    let entry = match status {
        IN_PROGRESS => format!("Build started for artifact {artifact}"),
        COMPLETE => format!("Build completed for artifact {artifact}"),
        FAILED => format!("Build failed for artifact {artifact}"),
        _ => String::new(),
    };
    (fact, entry)
}

fn test(status: &str, outcome: &Outcome) -> (Value, String) {
    let entry = match status {
        IN_PROGRESS => "Test started",
        COMPLETE => "Test completed",
        FAILED => "Test failed",
        _ => "",
    };
    let error = proto::error(outcome, proto::unknown_code(Stage::Test));
    (json!({ "testEvent": { "status": status, "actionableErr": error } }), entry.to_owned())
}

fn deploy(status: &str, outcome: &Outcome) -> (Value, String) {
    let (err, code, error) = error_fields(outcome, Stage::Deploy);
    let entry = match status {
        IN_PROGRESS => "Deploy started",
        COMPLETE => "Deploy completed",
        FAILED => "Deploy failed",
        _ => "",
    };
    (json!({ "deployEvent": { "status": status, "err": err, "errCode": code, "actionableErr": error } }), entry.to_owned())
}

fn status_check(status: &str, outcome: &Outcome) -> (Value, String) {
    let (err, code, error) = error_fields(outcome, Stage::StatusCheck);
    let entry = match status {
        "Started" => "Status check started",
        SUCCEEDED => "Status check succeeded",
        FAILED => "Status check failed",
        _ => "",
    };
    let fact = json!({ "statusCheckEvent": { "status": status, "message": "", "err": err, "errCode": code, "actionableErr": error } });
    (fact, entry.to_owned())
}

fn readiness(object: &ObjectKey, ready: bool, message: &str) -> (Value, String) {
    let name = proto::resource(object);
    let (status, message, code) = if ready {
        (SUCCEEDED, SUCCEEDED, "STATUSCHECK_SUCCESS")
    } else {
        (IN_PROGRESS, message, "STATUSCHECK_DEPLOYMENT_ROLLOUT_PENDING")
    };
    let entry = if ready {
        format!("Resource {name} status completed successfully")
    } else {
        format!("Resource {name} status updated to {status}")
    };
    let fact = json!({ "resourceStatusCheckEvent": {
        "resource": name, "status": status, "message": message, "err": "", "statusCode": code, "actionableErr": null,
    } });
    (fact, entry)
}

fn forwarded(now: &Snapshot, forward: &Forward) -> (Value, String) {
    (json!({ "portEvent": port(now, forward) }), format!("Forwarding container  to local port {}", forward.local_port))
}

fn port(now: &Snapshot, forward: &Forward) -> Value {
    let remote = forward.source.port.parse::<u16>().ok().or(forward.remote_port).unwrap_or_default();
    let first = [("localPort".to_owned(), json!(forward.local_port)), ("remotePort".to_owned(), json!(remote))];
    Value::Object(first.into_iter().chain(proto::port(now, forward)).collect())
}

fn synced(artifact: &ImageName, count: usize, status: &str, outcome: &Outcome) -> (Value, String) {
    let (err, code, error) = error_fields(outcome, Stage::Sync);
    let fact = json!({ "fileSyncEvent": {
        "fileCount": count, "image": artifact, "status": status, "err": err, "errCode": code, "actionableErr": error,
    } });
    let entry = match status {
        IN_PROGRESS => format!("File sync started for {count} files for {artifact}"),
        SUCCEEDED => format!("File sync succeeded for {count} files for {artifact}"),
        FAILED => format!("File sync failed for {count} files for {artifact}"),
        _ => String::new(),
    };
    (fact, entry)
}

fn debugging(container: &DebuggingContainer, status: &str) -> (Value, String) {
    let DebuggingContainer { namespace, pod, container: name, .. } = container;
    let fact = json!({ "debuggingContainerEvent": proto::debugging(container, status) });
    (fact, format!("Debuggable container {} pod/{pod}:{name} ({namespace})", status.to_lowercase()))
}

/// Returns the `State` of a session.
pub(crate) fn state(now: &Snapshot) -> Value {
    let (deploy, check) = (StepId::of(Stage::Deploy), StepId::of(Stage::StatusCheck));
    let (tested, test_code) = proto::tests(now);
    let artifacts: Map<String, Value> =
        now.artifacts.iter().map(|record| (record.artifact.to_string(), json!(word(Status::of_artifact(now, record), COMPLETE)))).collect();
    json!({
        "buildState": {
            "artifacts": artifacts,
            "autoTrigger": proto::auto(now, AutoStage::Build),
            "statusCode": proto::build_code(now),
        },
        "deployState": {
            "status": word(Status::of(now, &deploy), COMPLETE),
            "autoTrigger": proto::auto(now, AutoStage::Deploy),
            "statusCode": proto::stage_code(now, &deploy, "DEPLOY_SUCCESS"),
        },
        "forwardedPorts": now.forwards.iter().map(|forward| (forward.local_port.to_string(), port(now, forward))).collect::<Map<_, _>>(),
        "statusCheckState": {
            "status": word(Status::of(now, &check), SUCCEEDED),
            "resources": proto::resources(now, |resource| if resource.ready { SUCCEEDED } else { IN_PROGRESS }),
            "statusCode": proto::stage_code(now, &check, "STATUSCHECK_SUCCESS"),
        },
        "fileSyncState": { "status": word(sync_status(now), SUCCEEDED), "autoTrigger": proto::auto(now, AutoStage::Sync) },
        "debuggingContainers": now.debugging.iter().map(|container| proto::debugging(container, proto::STARTED)).collect::<Vec<_>>(),
        "metadata": metadata(now),
        "testState": { "status": word(tested, COMPLETE), "statusCode": test_code },
    })
}

/// Returns how far the last sync is, of whichever artifact.
pub(crate) fn sync_status(now: &Snapshot) -> Status {
    let last = now.steps.iter().filter(|record| record.step.stage == Stage::Sync).max_by_key(|record| record.started);
    last.map_or(Status::NotStarted, |record| Status::of(now, &record.step))
}

fn metadata(now: &Snapshot) -> Value {
    let mut builders = BTreeMap::new();
    for artifact in &now.planned {
        *builders.entry(artifact.builder.clone()).or_default() += 1;
    }
    json!({
        "build": {
            "numberOfArtifacts": now.planned.len(),
            "builders": proto::counted(&builders),
            "type": "LOCAL",
            "additional": {},
        },
        "deploy": { "deployers": proto::counted(&now.deployers), "cluster": proto::cluster_type(now) },
        "test": null,
        "additional": {},
    })
}
