//! What the status of a kaniko pod says about it.

use serde_json::Value;

use super::pod::CONTAINER;
use super::pod::INIT_CONTAINER;
use crate::builder::pod_status::container;
use crate::builder::pod_status::hopeless;
use crate::builder::pod_status::text;
use crate::builder::pod_status::told;
use crate::builder::pod_status::unschedulable;

/// How far a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It does not run yet; what it waits for, where that may last.
    Waiting(Option<String>),
    /// It waits for the context.
    Receiving,
    /// Kaniko runs, or ran and the pod does not say so yet.
    Building,
    /// Kaniko is done; what it left as its digest.
    Done(String),
    /// It will not build.
    Failed(Failure),
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Kaniko ended with this code.
    Exited(i64),
    /// The pod could not run, or not go on.
    Pod(String),
}

impl State {
    /// Returns what `pod` says.
    pub(super) fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let (init, kaniko) =
            (container(status, "initContainerStatuses", INIT_CONTAINER), container(status, "containerStatuses", CONTAINER));
        if status["phase"] == "Succeeded" {
            return Self::Done(kaniko["terminated"]["message"].as_str().unwrap_or_default().trim().to_owned());
        }
        if status["phase"] == "Failed" {
            return Self::Failed(failure(status, init, kaniko));
        }
        if let Some(why) = [init, kaniko].into_iter().find_map(hopeless) {
            return Self::Failed(Failure::Pod(why));
        }
        if kaniko["running"].is_object() || kaniko["terminated"].is_object() {
            return Self::Building;
        }
        if init["running"].is_object() {
            return Self::Receiving;
        }
        Self::Waiting(unschedulable(status))
    }
}

fn failure(status: &Value, init: &Value, kaniko: &Value) -> Failure {
    if let Some(why) = text(&status["reason"]) {
        // Evicted, DeadlineExceeded, Preempting: Kubernetes itself ended it.
        return Failure::Pod(told(&why, &status["message"]));
    }
    let terminated = |state: &Value| state["terminated"]["exitCode"].as_i64().filter(|code| *code != 0);
    match (terminated(kaniko), terminated(init)) {
        (Some(_), _) if kaniko["terminated"]["reason"] == "OOMKilled" => {
            Failure::Pod("OOMKilled: kaniko took more memory than `build.cluster.resources` or its node allows".to_owned())
        }
        (Some(code), _) => Failure::Exited(code),
        (None, Some(code)) => Failure::Pod(format!("the container that takes the context ended with exit code {code}")),
        (None, None) => Failure::Pod("its pod failed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(init: Value, kaniko: Value, status: Value) -> State {
        let mut pod = json!({"status": status});
        pod["status"]["initContainerStatuses"] = json!([{"name": INIT_CONTAINER, "state": init}]);
        // Somebody's webhook may have put another container beside it.
        pod["status"]["containerStatuses"] = json!([{"name": "sidecar", "state": {"running": {}}}, {"name": CONTAINER, "state": kaniko}]);
        State::of(&pod)
    }

    #[test]
    fn a_pod_goes_its_way() {
        let waiting = json!({"waiting": {"reason": "PodInitializing"}});
        let done = json!({"terminated": {"exitCode": 0, "message": "sha256:1\n"}});
        let pending = json!({"phase": "Pending"});
        assert_eq!(State::of(&json!({"status": {"phase": "Pending"}})), State::Waiting(None));
        assert_eq!(of(json!({"running": {}}), waiting.clone(), pending.clone()), State::Receiving);
        assert_eq!(of(done.clone(), waiting, pending), State::Waiting(None));
        assert_eq!(of(done.clone(), json!({"running": {}}), json!({"phase": "Running"})), State::Building);
        assert_eq!(of(done.clone(), done.clone(), json!({"phase": "Running"})), State::Building);
        assert_eq!(of(done.clone(), done, json!({"phase": "Succeeded"})), State::Done("sha256:1".to_owned()));
    }

    #[test]
    fn what_will_not_build_is_told_with_its_reason() {
        let failed = |init: Value, kaniko: Value, status: Value| match of(init, kaniko, status) {
            State::Failed(failure) => failure,
            state => panic!("{state:?}"),
        };
        let pod = |why: &str| Failure::Pod(why.to_owned());
        let pull = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
        assert_eq!(failed(pull.clone(), json!({}), json!({"phase": "Pending"})), pod("ErrImagePull: no such image"));
        assert_eq!(failed(json!({}), pull, json!({"phase": "Pending"})), pod("ErrImagePull: no such image"));
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"});
        assert_eq!(failed(json!({}), json!({"terminated": {"exitCode": 137}}), evicted), pod("Evicted: low on memory"));
        let oom = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        assert!(matches!(failed(json!({}), oom, json!({"phase": "Failed"})), Failure::Pod(why) if why.starts_with("OOMKilled: ")));
        let code = json!({"terminated": {"exitCode": 42, "reason": "Error"}});
        assert_eq!(failed(json!({}), code.clone(), json!({"phase": "Failed"})), Failure::Exited(42));
        assert!(matches!(failed(code, json!({}), json!({"phase": "Failed"})), Failure::Pod(why) if why.contains("exit code 42")));
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"});
        let state = State::of(&json!({"status": {"phase": "Pending", "conditions": [condition]}}));
        assert_eq!(state, State::Waiting(Some("Unschedulable: 0/1 nodes".to_owned())));
    }
}
