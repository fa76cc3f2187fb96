//! Skaffold's second event API: our events and state to its messages (`proto/v2/skaffold.proto`,
//! `pkg/skaffold/event/v2`). Pure.

use devloop_model::AutoStage;
use devloop_model::CacheOutcome;
use devloop_model::DebuggingContainer;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::ImageName;
use devloop_model::Outcome;
use devloop_model::PlannedArtifact;
use devloop_model::Reason;
use devloop_model::Severity;
use devloop_model::Stage;
use devloop_model::StepId;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::proto;
use super::proto::Phases;
use super::proto::Status;
use super::skaffold_v1::files;
use super::skaffold_v1::sync_status;
use crate::Snapshot;
use crate::snapshot::Forward;

/// The subtask of lines that belong to a whole task.
const NO_SUBTASK: &str = "-1";

fn word(status: Status) -> &'static str {
    match status {
        Status::NotStarted => "NotStarted",
        Status::InProgress => "InProgress",
        Status::Succeeded => "Succeeded",
        Status::Failed => "Failed",
        Status::Canceled => "Canceled",
    }
}

/// Returns the messages of an event; `now` is what is known with it, `before` what was under way.
pub(crate) fn events(event: &Event, before: Phases, now: &Snapshot) -> Vec<Value> {
    let at = proto::timestamp(event.at);
    let facts = opened(before, now).into_iter().chain(facts(event, before, now)).chain(closed(event, before, now));
    facts.map(|(name, fact)| json!({ "timestamp": at, name: fact })).collect()
}

/// Returns the message that tells a client how many events it did not get.
pub(crate) fn dropped(count: u64, now: &Snapshot) -> Value {
    let (name, fact) = line(now, "DevLoop", NO_SUBTASK, "WARN", &format!("{count} earlier events are no longer kept"));
    json!({ "timestamp": null, name: fact })
}

type Fact = (&'static str, Value);

fn facts(event: &Event, before: Phases, now: &Snapshot) -> Vec<Fact> {
    match &event.fact {
        EventKind::PlanLoaded { .. } => vec![("metaEvent", json!({ "entry": proto::greeting(now), "metadata": metadata(now) }))],
        EventKind::Triggered { save, .. } => vec![task("DevLoop", *save, "", Status::InProgress, &Outcome::Succeeded)],
        EventKind::IterationEnded { save, outcome, .. } => {
            (before.ended + 1..=*save).map(|save| task("DevLoop", save, "", outcome.into(), outcome)).collect()
        }
        EventKind::CacheChecked { artifact, outcome, .. } => {
            let status = if *outcome == CacheOutcome::NotFound { Status::Failed } else { Status::Succeeded };
            vec![build(now, artifact, "Cache", status, &Outcome::Succeeded)]
        }
        EventKind::StepStarted { step, reason } => started(now, step, reason),
        EventKind::StepFinished { step, outcome, .. } => finished(now, step, outcome),
        EventKind::TestStarted { artifact, index, .. } => vec![test(now, artifact, *index, Status::InProgress, &Outcome::Succeeded)],
        EventKind::TestFinished { artifact, index, outcome, .. } => vec![test(now, artifact, *index, outcome.into(), outcome)],
        EventKind::StepLog { step, line: text, .. } => vec![line(now, task_of(step.stage), &subtask(step), "STANDARD", text)],
        EventKind::Warned { diagnostic } => {
            let level = if diagnostic.severity == Severity::Error { "ERROR" } else { "WARN" };
            vec![line(now, "DevLoop", NO_SUBTASK, level, &proto::message(diagnostic))]
        }
        EventKind::TaskStarted { step, task } => vec![task_event(now, step, task, Status::InProgress, &Outcome::Succeeded)],
        EventKind::TaskFinished { step, task, outcome, .. } => vec![task_event(now, step, task, outcome.into(), outcome)],
        EventKind::PodLog { pod, container, line, .. } => vec![application_log(pod, container, line)],
        EventKind::Readiness { object, ready, message, .. } => vec![readiness(now, &proto::resource(object), *ready, message)],
        EventKind::PortForwarded { source, state: ForwardState::Ready { .. }, .. } => {
            now.forwards.iter().filter(|forward| forward.source == *source).map(|forward| ("portEvent", port(now, forward))).collect()
        }
        EventKind::DebuggingStarted { container } => vec![("debuggingContainerEvent", debugging(container, proto::STARTED))],
        EventKind::DebuggingEnded { container } => vec![("debuggingContainerEvent", debugging(container, proto::TERMINATED))],
        EventKind::FilesSynced { artifact, copied, deleted, replayed: false, .. } => {
            vec![synced(now, artifact, copied + deleted, Status::Succeeded, &Outcome::Succeeded)]
        }
        EventKind::SessionEnded { outcome, .. } => {
            // The user ended it: that is no failure.
            let status = if matches!(outcome, Outcome::Failed { .. }) { "Failed" } else { "Complete" };
            vec![("terminationEvent", json!({ "status": status, "err": proto::error(outcome, proto::UNKNOWN_ERROR) }))]
        }
        _ => Vec::new(),
    }
}

/// A task that several steps make up, and whether it was under way before an event and is after it.
struct Several {
    name: &'static str,
    description: &'static str,
    stages: &'static [Stage],
    before: bool,
    after: bool,
}

fn several(before: Phases, now: &Snapshot) -> [Several; 2] {
    let after = Phases::of(now);
    let task = |name, description, stages, before, after| Several { name, description, stages, before, after };
    [
        task("Build", "Build containers", &[Stage::Prepare, Stage::Build], before.builds, after.builds),
        task("Test", "Test", &[Stage::Test], before.tests, after.tests),
    ]
}

/// Returns the starts of such tasks that start with this event.
fn opened(before: Phases, now: &Snapshot) -> Vec<Fact> {
    let opened = several(before, now).into_iter().filter(|task| !task.before && task.after);
    opened.map(|Several { name, description, .. }| task(name, now.save, description, Status::InProgress, &Outcome::Succeeded)).collect()
}

/// Returns the ends of those that end with this event.
fn closed(event: &Event, before: Phases, now: &Snapshot) -> Vec<Fact> {
    let closed = several(before, now).into_iter().filter(|task| task.before && !task.after);
    let ended = |Several { name, stages, .. }: Several| {
        let failed = now.steps.iter().filter(|record| record.save == now.save && stages.contains(&record.step.stage));
        let failed = failed.filter_map(|record| record.outcome.as_ref()).find(|outcome| !matches!(outcome, Outcome::Succeeded));
        let outcome = match &event.fact {
            EventKind::StepFinished { outcome, .. } if !matches!(outcome, Outcome::Succeeded) => outcome,
            _ => failed.unwrap_or(&Outcome::Succeeded),
        };
        task(name, now.save, "", outcome.into(), outcome)
    };
    closed.map(ended).collect()
}

/// Returns the task that a stage belongs to (`pkg/skaffold/constants`).
fn task_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Configure => "DevInit",
        Stage::Prepare | Stage::Build => "Build",
        Stage::Test => "Test",
        Stage::Sync => "Sync",
        Stage::Render => "Render",
        Stage::Deploy => "Deploy",
        Stage::StatusCheck => "StatusCheck",
        Stage::Attach => "PortForward",
        Stage::Delete => "Cleanup",
        Stage::Verify => "Verify",
        Stage::Exec => "Exec",
    }
}

fn subtask(step: &StepId) -> String {
    match (step.stage, &step.artifact) {
        (_, Some(artifact)) => artifact.to_string(),
        (Stage::Render | Stage::Deploy, None) => "0".to_owned(),
        _ => NO_SUBTASK.to_owned(),
    }
}

fn id(task: &str, iteration: u64) -> String {
    format!("{task}-{iteration}")
}

fn task(name: &str, iteration: u64, description: &str, status: Status, outcome: &Outcome) -> Fact {
    let code = match name {
        "Build" => "BUILD_UNKNOWN",
        "Test" => "TEST_UNKNOWN",
        _ => proto::UNKNOWN_ERROR,
    };
    let fact = json!({
        "id": id(name, iteration),
        "task": name,
        "description": description,
        "iteration": iteration,
        "status": word(status),
        "actionableErr": proto::error(outcome, code),
    });
    ("taskEvent", fact)
}

fn started(now: &Snapshot, step: &StepId, reason: &Reason) -> Vec<Fact> {
    let describe = |text: &str| task(task_of(step.stage), now.save, text, Status::InProgress, &Outcome::Succeeded);
    match (step.stage, &step.artifact) {
        (Stage::Build, Some(artifact)) => vec![build(now, artifact, "Build", Status::InProgress, &Outcome::Succeeded)],
        (Stage::Sync, Some(artifact)) => vec![synced(now, artifact, files(reason), Status::InProgress, &Outcome::Succeeded)],
        (Stage::Render, _) => vec![describe("Render Manifests"), subtask_event(now, step, &Outcome::Succeeded)],
        (Stage::Deploy, _) => vec![describe("Deploy to cluster"), subtask_event(now, step, &Outcome::Succeeded)],
        (Stage::StatusCheck, _) => vec![describe("Status Checking Deployed Artifacts")],
        (Stage::Delete, _) => vec![describe("Clean up")],
        (Stage::Verify, _) => vec![describe("Running verification test(s) locally")],
        (Stage::Exec, _) => vec![describe("Executing custom action")],
        _ => Vec::new(),
    }
}

fn finished(now: &Snapshot, step: &StepId, outcome: &Outcome) -> Vec<Fact> {
    let end = || {
        let (name, mut fact) = task(task_of(step.stage), now.save, "", outcome.into(), outcome);
        fact["actionableErr"] = proto::error(outcome, proto::unknown_code(step.stage));
        (name, fact)
    };
    match (step.stage, &step.artifact) {
        (Stage::Build, Some(artifact)) => vec![build(now, artifact, "Build", outcome.into(), outcome)],
        // What was synced is said by its own event.
        (Stage::Sync, Some(artifact)) if !matches!(outcome, Outcome::Succeeded) => {
            let count = now.step(step).map(|record| files(&record.reason)).unwrap_or_default();
            vec![synced(now, artifact, count, outcome.into(), outcome)]
        }
        (Stage::Render | Stage::Deploy, _) => vec![subtask_event(now, step, outcome), end()],
        (Stage::StatusCheck | Stage::Delete | Stage::Verify | Stage::Exec, _) => vec![end()],
        _ => Vec::new(),
    }
}

/// Returns how far the one renderer or deployer is.
fn subtask_event(now: &Snapshot, step: &StepId, outcome: &Outcome) -> Fact {
    let name = if step.stage == Stage::Render { "renderEvent" } else { "deploySubtaskEvent" };
    let fact = json!({
        "id": subtask(step),
        "task_id": id(task_of(step.stage), now.save),
        "status": word(Status::of(now, step)),
        "actionableErr": proto::error(outcome, proto::unknown_code(step.stage)),
    });
    (name, fact)
}

/// Returns how far a test of `verify`, or a container of an action, is.
fn task_event(now: &Snapshot, step: &StepId, task: &str, status: Status, outcome: &Outcome) -> Fact {
    let fact = json!({
        "id": task,
        "task_id": id(task_of(step.stage), now.save),
        "status": word(status),
        "actionableErr": proto::error(outcome, proto::unknown_code(step.stage)),
    });
    (if step.stage == Stage::Exec { "execEvent" } else { "verifyEvent" }, fact)
}

fn build(now: &Snapshot, artifact: &ImageName, step: &str, status: Status, outcome: &Outcome) -> Fact {
    let fact = json!({
        "id": artifact,
        "task_id": id("Build", now.save),
        "artifact": artifact,
        "step": step,
        "status": word(status),
        "actionableErr": proto::error(outcome, "BUILD_UNKNOWN"),
        "hostPlatform": proto::host_platform(),
        "targetPlatforms": proto::platforms(now, artifact),
    });
    ("buildSubtaskEvent", fact)
}

fn test(now: &Snapshot, artifact: &ImageName, index: usize, status: Status, outcome: &Outcome) -> Fact {
    let fact = json!({
        "id": format!("{artifact}/{index}"),
        "task_id": id("Test", now.save),
        "status": word(status),
        "actionableErr": proto::error(outcome, "TEST_UNKNOWN"),
    });
    ("testEvent", fact)
}

fn line(now: &Snapshot, task: &str, subtask: &str, level: &str, text: &str) -> Fact {
    let fact = json!({ "task_id": id(task, now.save), "subtask_id": subtask, "level": level, "message": format!("{text}\n") });
    ("skaffoldLogEvent", fact)
}

fn application_log(pod: &str, container: &str, line: &str) -> Fact {
    let prefix = format!("[{container}]");
    let fact = json!({
        "containerName": container,
        "podName": pod,
        "prefix": prefix,
        "message": format!("{line}\n"),
        "richFormattedMessage": format!("{prefix} {line}\n"),
    });
    ("applicationLogEvent", fact)
}

fn readiness(now: &Snapshot, resource: &str, ready: bool, message: &str) -> Fact {
    let (status, message, code) = if ready {
        (Status::Succeeded, "Succeeded", "STATUSCHECK_SUCCESS")
    } else {
        (Status::InProgress, message, "STATUSCHECK_DEPLOYMENT_ROLLOUT_PENDING")
    };
    let fact = json!({
        "id": resource,
        "task_id": id("Deploy", now.save),
        "resource": resource,
        "status": word(status),
        "message": message,
        "statusCode": code,
        "actionableErr": null,
    });
    ("statusCheckSubtaskEvent", fact)
}

fn port(now: &Snapshot, forward: &Forward) -> Value {
    let first = [
        ("id".to_owned(), json!("")),
        ("task_id".to_owned(), json!(id("PortForward", now.save))),
        ("localPort".to_owned(), json!(forward.local_port)),
    ];
    Value::Object(first.into_iter().chain(proto::port(now, forward)).collect())
}

fn synced(now: &Snapshot, artifact: &ImageName, count: usize, status: Status, outcome: &Outcome) -> Fact {
    let fact = json!({
        "id": artifact,
        "task_id": id("Sync", now.save),
        "fileCount": count,
        "image": artifact,
        "status": word(status),
        "actionableErr": proto::error(outcome, "SYNC_UNKNOWN"),
    });
    ("fileSyncEvent", fact)
}

fn debugging(container: &DebuggingContainer, status: &str) -> Value {
    // Both are empty, as Skaffold leaves them.
    let first = [("id".to_owned(), json!("")), ("task_id".to_owned(), json!(""))];
    Value::Object(first.into_iter().chain(proto::debugging(container, status)).collect())
}

/// Returns the `State` of a session.
pub(crate) fn state(now: &Snapshot) -> Value {
    let stage = |stage: Stage, success: &'static str| {
        let step = StepId::of(stage);
        (word(Status::of(now, &step)), proto::stage_code(now, &step, success))
    };
    let (render, deploy, check) =
        (stage(Stage::Render, "RENDER_SUCCESS"), stage(Stage::Deploy, "DEPLOY_SUCCESS"), stage(Stage::StatusCheck, "STATUSCHECK_SUCCESS"));
    let (tested, test_code) = proto::tests(now);
    let (verify, exec) = (stage(Stage::Verify, "OK"), stage(Stage::Exec, "OK"));
    let artifacts: Map<String, Value> =
        now.artifacts.iter().map(|record| (record.artifact.to_string(), json!(word(Status::of_artifact(now, record))))).collect();
    json!({
        "buildState": {
            "artifacts": artifacts,
            "autoTrigger": proto::auto(now, AutoStage::Build),
            "statusCode": proto::build_code(now),
        },
        "deployState": { "status": deploy.0, "autoTrigger": proto::auto(now, AutoStage::Deploy), "statusCode": deploy.1 },
        "forwardedPorts": now.forwards.iter().map(|forward| (forward.local_port.to_string(), port(now, forward))).collect::<Map<_, _>>(),
        "statusCheckState": {
            "status": check.0,
            "resources": proto::resources(now, |resource| word(if resource.ready { Status::Succeeded } else { Status::InProgress })),
            "statusCode": check.1,
        },
        "fileSyncState": { "status": word(sync_status(now)), "autoTrigger": proto::auto(now, AutoStage::Sync) },
        "debuggingContainers": now.debugging.iter().map(|container| debugging(container, proto::STARTED)).collect::<Vec<_>>(),
        "metadata": metadata(now),
        "testState": { "status": word(tested), "statusCode": test_code },
        "renderState": { "status": render.0, "statusCode": render.1 },
        "verifyState": { "status": verify.0, "statusCode": verify.1 },
        "execState": { "status": exec.0, "statusCode": exec.1 },
    })
}

fn metadata(now: &Snapshot) -> Value {
    let artifact = |PlannedArtifact { image, builder, context, dockerfile }: &PlannedArtifact| json!({ "type": proto::kind(builder), "name": image, "context": context, "dockerfile": dockerfile.as_deref().unwrap_or_default() });
    json!({
        "build": {
            "artifacts": now.planned.iter().map(artifact).collect::<Vec<_>>(),
            "type": "LOCAL",
            "additional": {},
        },
        "deploy": { "deployers": proto::counted(&now.deployers), "cluster": proto::cluster_type(now) },
        "test": null,
        "runID": "",
        "render": { "Renderers": proto::counted(&now.renderers) },
        "additional": {},
    })
}
