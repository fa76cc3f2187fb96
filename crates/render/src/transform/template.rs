//! Which part of an object pods are made of.

use serde_json::Value;

/// Returns what a workload makes pods of: an object with `metadata` and `spec`.
pub(super) fn template(object: &mut Value) -> Option<&mut Value> {
    let group = object["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
    let path = match (group, object["kind"].as_str()?) {
        ("", "Pod") => "",
        ("", "ReplicationController") | ("apps", "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet") | ("batch", "Job") => {
            "/spec/template"
        }
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template",
        _ => return None,
    };
    object.pointer_mut(path)
}
