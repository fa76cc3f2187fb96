//! Ephemeral containers: what is added to a pod that runs.

use devloop_model::Cx;
use devloop_model::Namespace;
use serde_json::Value;
use serde_json::json;

use super::Cluster;
use super::KubeError;
use super::apply::bytes;
use super::cluster::Call;
use super::kinds::built_in_kind;

impl Cluster {
    /// Returns the pod after a container was added to it, which cannot be taken away again.
    ///
    /// # Errors
    /// When the API server rejects it, RBAC forbids it (`pods/ephemeralcontainers`), or the cluster does not answer.
    pub async fn add_ephemeral_container(&self, namespace: &Namespace, pod: &str, container: &Value, cx: &Cx) -> Result<Value, KubeError> {
        let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
        let uri = format!("{}/ephemeralcontainers", kind.path(Some(namespace.as_str()), Some(pod)));
        let patch = json!({ "spec": { "ephemeralContainers": [container] } });
        let action = format!("add a container to pod/{pod} in namespace {namespace}");
        let call = Call::with_body(http::Method::PATCH, uri, "application/strategic-merge-patch+json", bytes(&patch), action).about(&kind);
        self.call(call, cx).await
    }
}
