//! What the status of a builder's pod says about it.

use devloop_model::Diagnostic;
use serde_json::Value;

use super::object::CONTAINER;
use crate::builder::pod_status::container;
use crate::builder::pod_status::hopeless;
use crate::builder::pod_status::text;
use crate::builder::pod_status::unschedulable;

/// How far a pod is.
#[derive(Debug)]
pub(super) enum State {
    /// It does not run yet.
    Starts,
    /// It runs.
    Runs,
    /// It ended: what it said.
    Ended(String),
    /// It will not run.
    Hopeless(Diagnostic),
    /// No node takes it, as long as the cluster has no other.
    Stuck(Diagnostic),
}

impl State {
    /// Returns what `pod` says.
    pub(super) fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let builder = container(status, "containerStatuses", CONTAINER);
        if builder["running"].is_object() {
            return Self::Runs;
        }
        if let Some(ended) = builder.get("terminated") {
            return Self::Ended(text(&ended["message"]).unwrap_or_else(|| "the builder ended".to_owned()).trim().to_owned());
        }
        if let Some(why) = hopeless(builder) {
            return Self::Hopeless(cannot_start(pod, builder).because(why));
        }
        match unschedulable(status) {
            Some(why) => {
                let fault = Diagnostic::error("build/builder", "no node takes the builder").because(why);
                Self::Stuck(fault.help("look at `resources`, `nodeSelector` and `tolerations` of `build.cluster`"))
            }
            None if status["phase"] == "Failed" => Self::Ended(text(&status["message"]).unwrap_or_else(|| "its pod failed".to_owned())),
            None => Self::Starts,
        }
    }
}

fn cannot_start(pod: &Value, builder: &Value) -> Diagnostic {
    if !builder["waiting"]["reason"].as_str().is_some_and(|reason| reason.contains("Image")) {
        return Diagnostic::error("build/builder", "the builder cannot be started");
    }
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let own = containers.filter(|own| own["name"] == CONTAINER).find_map(|own| own["image"].as_str()).unwrap_or_default();
    Diagnostic::error("build/builder", format!("the image of the builder cannot be pulled: `{own}`"))
        .help("push it with `builder-image/build IMAGE`, and name it by `--builder-image` where it is not in the default repository")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(builder: &Value, status: &Value) -> State {
        let mut pod =
            json!({"spec": {"containers": [{"name": "mesh", "image": "m"}, {"name": CONTAINER, "image": "r.io/b:1"}]}, "status": status});
        // Somebody's webhook may have put another container beside it.
        pod["status"]["containerStatuses"] = json!([{"name": "mesh", "state": {"running": {}}}, {"name": CONTAINER, "state": builder}]);
        State::of(&pod)
    }

    #[test]
    fn a_builder_goes_its_way() {
        let pending = json!({"phase": "Pending"});
        assert!(matches!(State::of(&json!({"status": pending})), State::Starts));
        assert!(matches!(of(&json!({"waiting": {"reason": "ContainerCreating"}}), &pending), State::Starts));
        assert!(matches!(of(&json!({"running": {}}), &json!({"phase": "Running"})), State::Runs));
        let idle = of(&json!({"terminated": {"exitCode": 0, "message": "idle\n"}}), &json!({"phase": "Succeeded"}));
        assert!(matches!(idle, State::Ended(why) if why == "idle"));
        let evicted = json!({"phase": "Failed", "message": "low on memory"});
        assert!(matches!(State::of(&json!({"status": evicted})), State::Ended(why) if why == "low on memory"));
    }

    #[test]
    fn what_will_not_run_is_told_with_its_reason() {
        let State::Hopeless(pull) = of(&json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}), &json!({})) else {
            panic!("an image that cannot be pulled");
        };
        insta::assert_snapshot!(pull, @r"
        error[build/builder]: the image of the builder cannot be pulled: `r.io/b:1`
          ErrImagePull: no such image
        help: push it with `builder-image/build IMAGE`, and name it by `--builder-image` where it is not in the default repository
        ");
        let State::Hopeless(start) = of(&json!({"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}), &json!({}))
        else {
            panic!("a container that cannot be made");
        };
        insta::assert_snapshot!(start, @r"
        error[build/builder]: the builder cannot be started
          CreateContainerConfigError: no secret
        ");
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"});
        let State::Stuck(stuck) = State::of(&json!({"status": {"phase": "Pending", "conditions": [condition]}})) else {
            panic!("no node");
        };
        insta::assert_snapshot!(stuck, @r"
        error[build/builder]: no node takes the builder
          Unschedulable: 0/1 nodes
        help: look at `resources`, `nodeSelector` and `tolerations` of `build.cluster`
        ");
    }
}
