//! Which containers run, and what the pods they are in allow; no I/O.

use devloop_clients::kube::ContainerRef;
use devloop_model::Namespace;
use serde_json::Value;

use super::container::Running;

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodContainer {
    /// UID of its pod.
    pub(super) uid: String,
    pub(super) container: ContainerRef,
    pub(super) running: Running,
    /// `securityContext` of the container, with what the pod says where it says nothing.
    pub(super) security: Value,
}

/// Returns the containers of a pod that run and that the pod is not about to end.
pub(super) fn running(pod: &Value) -> Vec<PodContainer> {
    let metadata = &pod["metadata"];
    if metadata["deletionTimestamp"].is_string() {
        return Vec::new();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lists = [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")];
    let containers = lists.iter().flat_map(|(specs, statuses)| {
        let statuses = &pod["status"][*statuses];
        pod["spec"][*specs].as_array().into_iter().flatten().filter_map(move |spec| {
            // An init container that ends by itself is none that files are synced into.
            let stays = *specs == "containers" || spec["restartPolicy"] == "Always";
            status_of(statuses, spec).filter(|_| stays).map(|status| (spec, status))
        })
    });
    let of = |(spec, status): (&Value, &Value)| PodContainer {
        uid: text(&metadata["uid"]),
        container: ContainerRef {
            namespace: Namespace(text(&metadata["namespace"])),
            pod: text(&metadata["name"]),
            container: text(&spec["name"]),
        },
        running: Running { image: text(&spec["image"]), id: text(&status["containerID"]) },
        security: security(&pod["spec"]["securityContext"], &spec["securityContext"]),
    };
    containers.map(of).collect()
}

/// Returns the status of a container that runs.
fn status_of<'a>(statuses: &'a Value, spec: &Value) -> Option<&'a Value> {
    let status = statuses.as_array()?.iter().find(|status| status["name"] == spec["name"])?;
    status["state"]["running"].is_object().then_some(status)
}

fn security(pod: &Value, container: &Value) -> Value {
    let mut merged = container.as_object().cloned().unwrap_or_default();
    for field in ["runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "seLinuxOptions", "appArmorProfile"] {
        if !merged.contains_key(field) && !pod[field].is_null() {
            merged.insert(field.to_owned(), pod[field].clone());
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_runs_and_stays_counts() {
        let mut pod = json!({
            "metadata": {"uid": "u", "namespace": "shop", "name": "web-1"},
            "spec": {"securityContext": {"runAsUser": 7, "runAsGroup": 8, "fsGroup": 9}, "initContainers": [{"name": "init", "image": "i"}, {"name": "sidecar", "image": "s", "restartPolicy": "Always"}],
                     "containers": [{"name": "app", "image": "a", "securityContext": {"runAsUser": 5}}, {"name": "waits", "image": "w"}]},
            "status": {"initContainerStatuses": [{"name": "init", "containerID": "containerd://0", "state": {"running": {}}}, {"name": "sidecar", "containerID": "containerd://1", "state": {"running": {}}}],
                       "containerStatuses": [{"name": "waits", "state": {"waiting": {}}}, {"name": "app", "containerID": "containerd://2", "state": {"running": {}}}]}});
        let found = running(&pod);
        assert_eq!(
            found.iter().map(|one| (one.container.container.as_str(), one.running.id.as_str())).collect::<Vec<_>>(),
            [("sidecar", "containerd://1"), ("app", "containerd://2")]
        );
        assert_eq!(found[1].security, json!({"runAsUser": 5, "runAsGroup": 8}));
        pod["metadata"]["deletionTimestamp"] = json!("now");
        assert_eq!(running(&pod), []);
    }
}
