//! What the containers of a pod do; no I/O.

use serde_json::Value;

use crate::family::containers;
use crate::objects::list;
use crate::objects::text;

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerState {
    /// The image, as the pod names it.
    pub(super) image: String,
    /// How often it was restarted.
    pub(super) restarts: i64,
    /// Whether it runs.
    pub(super) running: bool,
    /// Whether there is a log: it runs, or did.
    pub(super) started: bool,
}

/// Returns the containers of a pod by name, init containers first.
pub(super) fn states(pod: &Value) -> Vec<(String, ContainerState)> {
    let statuses: Vec<&Value> =
        list(&pod["status"], "initContainerStatuses").iter().chain(list(&pod["status"], "containerStatuses")).collect();
    let state = |spec: &Value| {
        let name = spec["name"].as_str()?;
        let status = statuses.iter().find(|status| status["name"] == name).copied().unwrap_or(&Value::Null);
        let (now, before) = (&status["state"], &status["lastState"]);
        let state = ContainerState {
            image: text(&spec["image"]).to_owned(),
            restarts: status["restartCount"].as_i64().unwrap_or_default(),
            running: now["running"].is_object(),
            started: now["running"].is_object() || has_run(&now["terminated"]) || has_run(&before["terminated"]),
        };
        Some((name.to_owned(), state))
    };
    containers(pod).filter_map(state).collect()
}

/// A container that could not be created is "terminated" too, but has no log.
fn has_run(terminated: &Value) -> bool {
    terminated["containerID"].as_str().is_some_and(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_follow_the_status() {
        let pod = json!({
            "spec": {"initContainers": [{"name": "init", "image": "i"}], "containers": [{"name": "c", "image": "x"}, {"name": "new", "image": "n"}]},
            "status": {"initContainerStatuses": [{"name": "init", "restartCount": 0, "state": {"terminated": {"containerID": "containerd://1"}}}],
                       "containerStatuses": [{"name": "c", "restartCount": 2, "state": {"running": {}}}, {"name": "new", "state": {"terminated": {}}}]}});
        let state = |image: &str, restarts, running, started| ContainerState { image: image.into(), restarts, running, started };
        let expected = [("init", state("i", 0, false, true)), ("c", state("x", 2, true, true)), ("new", state("n", 0, false, false))];
        assert_eq!(states(&pod), expected.map(|(name, state)| (name.to_owned(), state)));
    }
}
