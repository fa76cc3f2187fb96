//! Which path of the API a kind lives at: Kubernetes' own from a table, others asked for once per group.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use devloop_model::Cx;
use serde_json::Value;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;

/// A kind, and where it is in the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResolvedKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Version in that group.
    pub version: String,
    /// Kind: `Deployment`.
    pub kind: String,
    /// Name in paths: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl ResolvedKind {
    /// Returns `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the path of all objects, those of a namespace, or one of them.
    pub(super) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path =
            if self.group.is_empty() { format!("/api/{}", self.version) } else { format!("/apis/{}/{}", self.group, self.version) };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.push_str("/namespaces/");
            path.push_str(&encoded(namespace));
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(&encoded(name));
        }
        path
    }
}

/// Returns `text` as it may stand in a path or query.
pub(super) fn encoded(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            result.push(char::from(byte));
        } else {
            result.push('%');
            for nibble in [byte >> 4, byte & 15] {
                result.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
    result
}

/// Kubernetes' own kinds: they need no discovery request. From the API reference of Kubernetes 1.34.
const BUILT_IN: &[(&str, &str, &str, bool)] = &[
    ("", "ConfigMap", "configmaps", true),
    ("", "Endpoints", "endpoints", true),
    ("", "Event", "events", true),
    ("", "LimitRange", "limitranges", true),
    ("", "Namespace", "namespaces", false),
    ("", "Node", "nodes", false),
    ("", "PersistentVolume", "persistentvolumes", false),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "Pod", "pods", true),
    ("", "PodTemplate", "podtemplates", true),
    ("", "ReplicationController", "replicationcontrollers", true),
    ("", "ResourceQuota", "resourcequotas", true),
    ("", "Secret", "secrets", true),
    ("", "Service", "services", true),
    ("", "ServiceAccount", "serviceaccounts", true),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", false),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", false),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("apiregistration.k8s.io", "APIService", "apiservices", false),
    ("apps", "ControllerRevision", "controllerrevisions", true),
    ("apps", "DaemonSet", "daemonsets", true),
    ("apps", "Deployment", "deployments", true),
    ("apps", "ReplicaSet", "replicasets", true),
    ("apps", "StatefulSet", "statefulsets", true),
    ("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("batch", "CronJob", "cronjobs", true),
    ("batch", "Job", "jobs", true),
    ("certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", false),
    ("coordination.k8s.io", "Lease", "leases", true),
    ("discovery.k8s.io", "EndpointSlice", "endpointslices", true),
    ("events.k8s.io", "Event", "events", true),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", "flowschemas", false),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "prioritylevelconfigurations", false),
    ("networking.k8s.io", "Ingress", "ingresses", true),
    ("networking.k8s.io", "IngressClass", "ingressclasses", false),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies", true),
    ("node.k8s.io", "RuntimeClass", "runtimeclasses", false),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true),
    ("scheduling.k8s.io", "PriorityClass", "priorityclasses", false),
    ("storage.k8s.io", "CSIDriver", "csidrivers", false),
    ("storage.k8s.io", "CSINode", "csinodes", false),
    ("storage.k8s.io", "StorageClass", "storageclasses", false),
    ("storage.k8s.io", "VolumeAttachment", "volumeattachments", false),
];

/// What the cluster said of groups that are not in the table.
#[derive(Debug, Default)]
pub(super) struct Discovered(Mutex<HashMap<String, Arc<Vec<ResolvedKind>>>>);

impl Discovered {
    fn get(&self, api_version: &str) -> Option<Arc<Vec<ResolvedKind>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(api_version).cloned()
    }

    fn put(&self, api_version: &str, kinds: Arc<Vec<ResolvedKind>>) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(api_version.to_owned(), kinds);
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Returns a kind of Kubernetes' own, without asking any cluster.
pub fn built_in_kind(api_version: &str, kind: &str) -> Option<ResolvedKind> {
    let (group, version) = split(api_version);
    let (_, _, plural, namespaced) = BUILT_IN.iter().find(|(g, k, ..)| *g == group && *k == kind)?;
    Some(ResolvedKind {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: (*plural).into(),
        namespaced: *namespaced,
    })
}

/// Returns the groups in which Kubernetes itself has a kind of that name.
pub(super) fn groups_of(kind: &str) -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().filter(move |(_, known, ..)| *known == kind).map(|(group, ..)| *group)
}

/// Returns Kubernetes' own kind of this group that is spelled almost so.
pub(super) fn kind_like(api_version: &str, kind: &str) -> Option<&'static str> {
    let (group, _) = split(api_version);
    let of_group: Vec<&'static str> = BUILT_IN.iter().filter(|(known, ..)| *known == group).map(|(_, kind, ..)| *kind).collect();
    devloop_model::nearest(kind, &of_group)
}

impl Cluster {
    /// Returns where a kind is in the API; Kubernetes' own without a request, others by one request per group and version.
    ///
    /// # Errors
    /// [`KubeError::UnknownKind`] when the cluster does not have it, or when it cannot be asked.
    pub async fn resource(&self, api_version: &str, kind: &str, cx: &Cx) -> Result<ResolvedKind, KubeError> {
        if let Some(known) = built_in_kind(api_version, kind) {
            return Ok(known);
        }
        let kinds = match self.discovered().get(api_version) {
            Some(kinds) => kinds,
            None => self.discover(api_version, cx).await?,
        };
        let unknown = || KubeError::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() };
        kinds.iter().find(|known| known.kind == kind).cloned().ok_or_else(unknown)
    }

    /// Forgets what kinds the cluster has, so that they are asked for anew: to be called once CRDs were applied.
    pub fn forget_kinds(&self) {
        self.discovered().clear();
    }

    async fn discover(&self, api_version: &str, cx: &Cx) -> Result<Arc<Vec<ResolvedKind>>, KubeError> {
        let (group, version) = split(api_version);
        let path =
            if group.is_empty() { format!("/api/{}", encoded(version)) } else { format!("/apis/{}/{}", encoded(group), encoded(version)) };
        let answer = match self.call(Call::get(path, format!("ask for the kinds of {api_version}")), cx).await {
            Err(KubeError::NotFound { .. } | KubeError::UnknownKind { .. }) => Value::Null,
            other => other?,
        };
        let kinds = Arc::new(kinds_in(&answer, group, version));
        if !kinds.is_empty() {
            self.discovered().put(api_version, Arc::clone(&kinds));
        }
        Ok(kinds)
    }
}

/// Returns the kinds of an `APIResourceList`, without subresources.
fn kinds_in(list: &Value, group: &str, version: &str) -> Vec<ResolvedKind> {
    let resources = list["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    resources
        .iter()
        .filter_map(|resource| {
            let plural = resource["name"].as_str().filter(|name| !name.contains('/'))?;
            Some(ResolvedKind {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: resource["kind"].as_str()?.to_owned(),
                plural: plural.to_owned(),
                namespaced: resource["namespaced"].as_bool().unwrap_or_default(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_spelled_almost_right_is_found() {
        for (api_version, kind, near) in [
            ("apps/v1", "Deplyment", Some("Deployment")),
            ("v1", "service", Some("Service")),
            ("v1", "Deployment", None),
            ("example.com/v1", "Deplyment", None),
        ] {
            assert_eq!(kind_like(api_version, kind), near, "{api_version} {kind}");
        }
    }

    #[test]
    fn paths_follow_the_api() {
        for (api_version, kind, namespace, name, path) in [
            ("v1", "Pod", Some("shop"), Some("web"), "/api/v1/namespaces/shop/pods/web"),
            ("v1", "Pod", None, None, "/api/v1/pods"),
            ("v1", "Namespace", Some("ignored"), Some("shop"), "/api/v1/namespaces/shop"),
            ("apps/v1", "Deployment", Some("shop"), None, "/apis/apps/v1/namespaces/shop/deployments"),
            (
                "rbac.authorization.k8s.io/v1",
                "ClusterRole",
                None,
                Some("system:a b"),
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%20b",
            ),
        ] {
            assert_eq!(built_in_kind(api_version, kind).unwrap().path(namespace, name), path);
        }
    }

    #[test]
    fn kinds_outside_the_table_are_not_guessed() {
        for (api_version, kind) in [("extensions/v1beta1", "Ingress"), ("v1", "Deployment"), ("serving.knative.dev/v1", "Service")] {
            assert_eq!(built_in_kind(api_version, kind), None, "{api_version} {kind}");
        }
    }

    #[test]
    fn a_resource_list_gives_kinds_without_subresources() {
        let list = serde_json::json!({"resources": [
            {"name": "widgets", "kind": "Widget", "namespaced": true},
            {"name": "widgets/status", "kind": "Widget", "namespaced": true},
        ]});
        let kinds = kinds_in(&list, "example.com", "v1");
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].path(Some("a"), Some("b")), "/apis/example.com/v1/namespaces/a/widgets/b");
    }
}
