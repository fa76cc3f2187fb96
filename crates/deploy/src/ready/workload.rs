//! What the status of a workload says: ready, not yet, or never.
//!
//! Facts: `pkg/polymorphichelpers/rollout_status.go` of kubectl for Deployments, StatefulSets and DaemonSets,
//! `pkg/kstatus/status/core.go` of cli-utils for everything else.

use serde_json::Value;

/// What a status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadyState {
    /// It does what it was asked to do.
    Ready,
    /// Not yet: what is being waited for.
    Pending(String),
    /// Its pods run, and have to go on for a moment to be believed.
    Settling(String),
    /// Its controller cannot make pods: why. This may pass.
    Doubtful(String),
    /// It gave up: why.
    Failed(String),
}

use ReadyState::Doubtful;
use ReadyState::Failed;
use ReadyState::Pending;
use ReadyState::Ready;
use ReadyState::Settling;

/// Returns what the status of an object of this kind says; `generation` is what was applied.
pub(super) fn state(kind: &str, built_in: bool, object: &Value, generation: Option<i64>) -> ReadyState {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Pending("it is being deleted".to_owned());
    }
    if let Some(pending) = unobserved(object, generation) {
        return pending;
    }
    match kind {
        "Deployment" if built_in => deployment(object),
        "StatefulSet" if built_in => stateful_set(object),
        "DaemonSet" if built_in => daemon_set(object),
        "Job" if built_in => job(object),
        "Pod" if built_in => pod(object),
        _ => custom(object),
    }
}

/// A status that was written before the last change says nothing about it.
fn unobserved(object: &Value, applied: Option<i64>) -> Option<ReadyState> {
    let observed = object["status"]["observedGeneration"].as_i64();
    let wanted = object["metadata"]["generation"].as_i64().max(applied);
    let always_observes = matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "DaemonSet"));
    match (observed, wanted) {
        (Some(observed), Some(wanted)) if observed < wanted => Some(Pending("its controller has not seen the change yet".to_owned())),
        (None, Some(_)) if always_observes => Some(Pending("its controller has not seen it yet".to_owned())),
        _ => None,
    }
}

/// Returns the condition of this type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn is_true(condition: Option<&Value>) -> bool {
    condition.is_some_and(|condition| condition["status"] == "True")
}

/// Returns what a condition says, in its own words.
fn words(condition: &Value) -> String {
    let (reason, message) = (condition["reason"].as_str().unwrap_or_default(), condition["message"].as_str().unwrap_or_default());
    match (reason, message) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn deployment(object: &Value) -> ReadyState {
    let status = &object["status"];
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (updated, all, available) = (number(&status["updatedReplicas"]), number(&status["replicas"]), number(&status["availableReplicas"]));
    if object["spec"]["paused"] == true {
        return Ready;
    }
    if let Some(progress) = condition(object, "Progressing").filter(|c| c["reason"] == "ProgressDeadlineExceeded") {
        return Failed(progress["message"].as_str().unwrap_or("it exceeded its progress deadline").to_owned());
    }
    if updated < wanted {
        if let Some(failure) = condition(object, "ReplicaFailure").filter(|c| c["status"] == "True") {
            return Doubtful(words(failure));
        }
        return Pending(format!("{updated} of {wanted} new replicas were made"));
    }
    if all > updated {
        return Pending(format!("{} old replicas are still to end", all - updated));
    }
    if available < updated {
        return Pending(format!("{available} of {updated} new replicas are available"));
    }
    Ready
}

fn stateful_set(object: &Value) -> ReadyState {
    let (spec, status) = (&object["spec"], &object["status"]);
    if spec["updateStrategy"]["type"] == "OnDelete" {
        return Ready;
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let (ready, updated) = (number(&status["readyReplicas"]), number(&status["updatedReplicas"]));
    if ready < wanted {
        return Pending(format!("{ready} of {wanted} replicas are ready"));
    }
    let kept = number(&spec["updateStrategy"]["rollingUpdate"]["partition"]);
    if kept > 0 {
        let target = (wanted - kept).max(0);
        return if updated < target { Pending(format!("{updated} of {target} replicas are updated")) } else { Ready };
    }
    if status["updateRevision"] != status["currentRevision"] {
        return Pending(format!("{updated} of {wanted} replicas are updated"));
    }
    Ready
}

fn daemon_set(object: &Value) -> ReadyState {
    let status = &object["status"];
    if object["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return Ready;
    }
    let wanted = number(&status["desiredNumberScheduled"]);
    let (updated, available) = (number(&status["updatedNumberScheduled"]), number(&status["numberAvailable"]));
    if updated < wanted {
        return Pending(format!("{updated} of {wanted} updated pods were made"));
    }
    if available < wanted {
        return Pending(format!("{available} of {wanted} updated pods are available"));
    }
    Ready
}

/// A job is done when it completed; one whose pods go on running is doing what it was asked to do.
fn job(object: &Value) -> ReadyState {
    let status = &object["status"];
    if let Some(failure) = condition(object, "Failed").or_else(|| condition(object, "FailureTarget")).filter(|c| c["status"] == "True") {
        return Failed(words(failure));
    }
    if is_true(condition(object, "Complete")) || is_true(condition(object, "SuccessCriteriaMet")) || is_true(condition(object, "Suspended"))
    {
        return Ready;
    }
    let (active, ready, failed) = (number(&status["active"]), number(&status["ready"]), number(&status["failed"]));
    let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    if active > 0 && ready >= active && failed == 0 {
        return Settling(format!("{ready} pods are running"));
    }
    Pending(format!("{active} pods are active, {} succeeded{failures}", number(&status["succeeded"])))
}

fn pod(object: &Value) -> ReadyState {
    let status = &object["status"];
    match status["phase"].as_str() {
        Some("Succeeded") => Ready,
        Some("Failed") => Failed(words(status)),
        _ if is_true(condition(object, "Ready")) => Ready,
        _ => Pending("it is not ready".to_owned()),
    }
}

/// The rules of kstatus; an object without conditions has nothing to wait for.
fn custom(object: &Value) -> ReadyState {
    if let Some(stalled) = condition(object, "Stalled").filter(|c| c["status"] == "True") {
        return Failed(words(stalled));
    }
    if let Some(reconciling) = condition(object, "Reconciling").filter(|c| c["status"] == "True") {
        return Pending(words(reconciling));
    }
    match condition(object, "Ready").or_else(|| condition(object, "Available")) {
        Some(ready) if ready["status"] != "True" => Pending(words(ready)),
        _ => Ready,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, built_in: bool, object: &str) -> String {
        let mut object: Value = serde_saphyr::from_str(object).unwrap();
        object["kind"] = json!(kind);
        format!("{:?}", state(kind, built_in, &object, Some(2)))
    }

    #[test]
    fn a_status_is_read_as_kubectl_reads_it() {
        for (kind, status, expected) in [
            (
                "Deployment",
                "{metadata: {generation: 2}, status: {observedGeneration: 1}}",
                r#"Pending("its controller has not seen the change yet")"#,
            ),
            (
                "Deployment",
                "{metadata: {generation: 1}, status: {observedGeneration: 1}}",
                r#"Pending("its controller has not seen the change yet")"#,
            ),
            ("Deployment", "{metadata: {generation: 2}}", r#"Pending("its controller has not seen it yet")"#),
            (
                "Deployment",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, updatedReplicas: 1, replicas: 2}}",
                r#"Pending("1 of 2 new replicas were made")"#,
            ),
            (
                "Deployment",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, updatedReplicas: 2, replicas: 3}}",
                r#"Pending("1 old replicas are still to end")"#,
            ),
            (
                "Deployment",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, updatedReplicas: 2, replicas: 2, availableReplicas: 1}}",
                r#"Pending("1 of 2 new replicas are available")"#,
            ),
            (
                "Deployment",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, updatedReplicas: 2, replicas: 2, availableReplicas: 2}}",
                "Ready",
            ),
            ("Deployment", "{spec: {replicas: 0}, status: {observedGeneration: 2}}", "Ready"),
            ("Deployment", "{spec: {paused: true}, status: {observedGeneration: 2}}", "Ready"),
            (
                "Deployment",
                "{status: {observedGeneration: 2, conditions: [{type: Progressing, reason: ProgressDeadlineExceeded, message: gave up}]}}",
                r#"Failed("gave up")"#,
            ),
            (
                "Deployment",
                "{status: {observedGeneration: 2, conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: exceeded quota}]}}",
                r#"Doubtful("FailedCreate: exceeded quota")"#,
            ),
            (
                "StatefulSet",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, readyReplicas: 1}}",
                r#"Pending("1 of 2 replicas are ready")"#,
            ),
            (
                "StatefulSet",
                "{spec: {replicas: 2}, status: {observedGeneration: 2, readyReplicas: 2, updatedReplicas: 1, updateRevision: b, currentRevision: a}}",
                r#"Pending("1 of 2 replicas are updated")"#,
            ),
            (
                "StatefulSet",
                "{spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 1}}}, status: {observedGeneration: 2, readyReplicas: 3, updatedReplicas: 2, updateRevision: b, currentRevision: a}}",
                "Ready",
            ),
            ("StatefulSet", "{spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 2}}", "Ready"),
            (
                "StatefulSet",
                "{spec: {replicas: 1}, status: {observedGeneration: 2, readyReplicas: 1, updatedReplicas: 1, updateRevision: a, currentRevision: a}}",
                "Ready",
            ),
            (
                "DaemonSet",
                "{status: {observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 2}}",
                r#"Pending("2 of 3 updated pods were made")"#,
            ),
            (
                "DaemonSet",
                "{status: {observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1}}",
                r#"Pending("1 of 3 updated pods are available")"#,
            ),
            (
                "DaemonSet",
                "{status: {observedGeneration: 2, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1}}",
                "Ready",
            ),
            ("Job", "{status: {active: 1}}", r#"Pending("1 pods are active, 0 succeeded")"#),
            ("Job", "{status: {active: 1, ready: 1}}", r#"Settling("1 pods are running")"#),
            ("Job", "{status: {active: 1, ready: 1, failed: 2}}", r#"Pending("1 pods are active, 0 succeeded, 2 failed")"#),
            ("Job", "{status: {conditions: [{type: Complete, status: 'True'}]}}", "Ready"),
            (
                "Job",
                "{status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: too often}]}}",
                r#"Failed("BackoffLimitExceeded: too often")"#,
            ),
            ("Pod", "{status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", "Ready"),
            ("Pod", "{status: {phase: Running, conditions: [{type: Ready, status: 'False'}]}}", r#"Pending("it is not ready")"#),
            ("Pod", "{status: {phase: Succeeded}}", "Ready"),
            ("Pod", "{status: {phase: Failed, reason: Evicted, message: no disk}}", r#"Failed("Evicted: no disk")"#),
            ("Pod", "{metadata: {deletionTimestamp: now}}", r#"Pending("it is being deleted")"#),
        ] {
            assert_eq!(of(kind, true, status), expected, "{kind} {status}");
        }
    }

    #[test]
    fn custom_resources_follow_their_conditions() {
        for (status, expected) in [
            ("{}", "Ready"),
            ("{metadata: {generation: 2}, status: {observedGeneration: 1}}", r#"Pending("its controller has not seen the change yet")"#),
            (
                "{status: {conditions: [{type: Ready, status: 'False', reason: Wait, message: for a disk}]}}",
                r#"Pending("Wait: for a disk")"#,
            ),
            ("{status: {conditions: [{type: Ready, status: Unknown}]}}", r#"Pending("")"#),
            ("{status: {conditions: [{type: Available, status: 'True'}]}}", "Ready"),
            (
                "{status: {conditions: [{type: Ready, status: 'True'}, {type: Reconciling, status: 'True', message: once more}]}}",
                r#"Pending("once more")"#,
            ),
            ("{status: {conditions: [{type: Stalled, status: 'True', reason: Broken}]}}", r#"Failed("Broken")"#),
        ] {
            // A custom kind may be called like one of Kubernetes' own.
            assert_eq!(of("Widget", false, status), expected, "{status}");
        }
    }
}
