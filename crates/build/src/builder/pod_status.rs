//! What the status of a pod that builds says, whoever builds in it.

use serde_json::Value;

/// Waiting reasons that do not go away by themselves.
const HOPELESS: [&str; 8] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
];

/// Returns the state of a container.
pub(super) fn container<'p>(status: &'p Value, list: &str, name: &str) -> &'p Value {
    let found = status[list].as_array().into_iter().flatten().find(|status| status["name"] == name);
    found.map_or(&Value::Null, |status| &status["state"])
}

/// Returns why a container will not run, where waiting does not help.
pub(super) fn hopeless(state: &Value) -> Option<String> {
    let waiting = &state["waiting"];
    let reason = waiting["reason"].as_str().filter(|reason| HOPELESS.contains(reason))?;
    Some(told(reason, &waiting["message"]))
}

/// Returns why no node takes a pod.
pub(super) fn unschedulable(status: &Value) -> Option<String> {
    let conditions = status["conditions"].as_array()?;
    let refused = conditions.iter().find(|c| c["type"] == "PodScheduled" && c["status"] == "False" && c["reason"] == "Unschedulable")?;
    Some(told("Unschedulable", &refused["message"]))
}

/// Returns Kubernetes' word for something, and its sentence where there is one.
pub(super) fn told(reason: &str, message: &Value) -> String {
    text(message).map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}"))
}

/// Returns a text that says something.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
