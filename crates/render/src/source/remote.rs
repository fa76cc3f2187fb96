//! `manifests.remoteManifests`: objects that are in a cluster already.

use std::path::Path;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::KubeSettings;
use devloop_model::Cx;
use devloop_model::Manifest;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::RemoteManifest;
use devloop_model::RenderSpec;
use serde_json::Value;

use crate::RenderError;

/// Kinds by what kubectl calls them: singular, plural, short.
const KINDS: [(&str, &str, &[&str]); 13] = [
    ("v1", "Pod", &["pod", "pods", "po"]),
    ("v1", "Service", &["service", "services", "svc"]),
    ("v1", "ConfigMap", &["configmap", "configmaps", "cm"]),
    ("v1", "Secret", &["secret", "secrets"]),
    ("v1", "ServiceAccount", &["serviceaccount", "serviceaccounts", "sa"]),
    ("v1", "PersistentVolumeClaim", &["persistentvolumeclaim", "persistentvolumeclaims", "pvc"]),
    ("apps/v1", "Deployment", &["deployment", "deployments", "deploy"]),
    ("apps/v1", "StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("apps/v1", "DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("apps/v1", "ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("batch/v1", "Job", &["job", "jobs"]),
    ("batch/v1", "CronJob", &["cronjob", "cronjobs", "cj"]),
    ("networking.k8s.io/v1", "Ingress", &["ingress", "ingresses", "ing"]),
];

/// Fields of `metadata` that the cluster wrote: applying them back would fail or mean nothing.
const CLUSTERS_OWN: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Returns the objects of `manifests.remoteManifests`, without what only a cluster may write.
///
/// # Errors
/// When there is no cluster to ask, an entry names no object, or the object cannot be read.
pub(crate) async fn remote(
    module: &RenderSpec,
    session: Option<&Cluster>,
    kubeconfig: Option<&Path>,
    cx: &Cx,
) -> Result<Vec<Manifest>, RenderError> {
    let mut manifests = Vec::new();
    for entry in &module.remote_manifests {
        let boxed = || Box::new(entry.clone());
        let session = session.ok_or_else(|| RenderError::NoCluster { entry: boxed() })?;
        let (api_version, key) = object_of(&entry.manifest).ok_or_else(|| RenderError::RemoteName { entry: boxed() })?;
        let fault = |source: KubeError| match source {
            KubeError::Cancelled => RenderError::Cancelled(devloop_model::Cancelled),
            source => RenderError::Remote { entry: boxed(), source: Box::new(source) },
        };
        let cluster = cluster_of(entry, session, kubeconfig, cx).await.map_err(fault)?;
        let found = cluster.get(&api_version, &key, cx).await.map_err(fault)?;
        let object = found.ok_or_else(|| RenderError::RemoteMissing { entry: boxed() })?;
        manifests.push(Manifest { object: bare(object), source: format!("the cluster, {}", entry.manifest) });
    }
    Ok(manifests)
}

async fn cluster_of(entry: &RemoteManifest, session: &Cluster, kubeconfig: Option<&Path>, cx: &Cx) -> Result<Cluster, KubeError> {
    match entry.kube_context.as_deref() {
        Some(context) if session.context() != Some(context) => {
            let settings =
                KubeSettings { kubeconfig: kubeconfig.map(Path::to_owned), context: Some(context.to_owned()), env: cx.env.clone() };
            Cluster::connect(&settings, cx).await
        }
        _ => Ok(session.clone()),
    }
}

/// Returns the API version and key of `namespace:kind/name`; the kind as kubectl knows it, or `Kind.version.group`.
fn object_of(text: &str) -> Option<(String, ObjectKey)> {
    let (namespace, object) = match text.split_once(':') {
        Some((namespace, object)) => (Some(namespace), object),
        None => (None, text),
    };
    let (kind, name) = object.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())?;
    let lower = kind.to_lowercase();
    let known = KINDS.iter().find(|(version, _, names)| {
        let (group, _) = version.split_once('/').unwrap_or(("", version));
        names.contains(&&*lower) || lower.split_once('.').is_some_and(|(bare, of)| of == group && names.contains(&bare))
    });
    let (api_version, kind) = if let Some((version, kind, _)) = known {
        ((*version).to_owned(), (*kind).to_owned())
    } else {
        let (kind, rest) = kind.split_once('.')?;
        let (version, group) = rest.split_once('.')?;
        (format!("{group}/{version}"), kind.to_owned())
    };
    let group = api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
    Some((api_version, ObjectKey { group, kind, namespace: namespace.map(|n| Namespace(n.to_owned())), name: name.to_owned() }))
}

/// Returns the object as its author could have written it.
fn bare(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.shift_remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !CLUSTERS_OWN.contains(&name.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|name, _| {
                    !matches!(name.as_str(), "kubectl.kubernetes.io/last-applied-configuration" | "deployment.kubernetes.io/revision")
                });
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_name_objects_as_kubectl_does() {
        for (text, expected) in [
            ("shop:deployment/web", Some(("apps/v1", "Deployment", Some("shop"), "web"))),
            ("deploy/web", Some(("apps/v1", "Deployment", None, "web"))),
            ("deployments.apps/web", Some(("apps/v1", "Deployment", None, "web"))),
            ("Pod/web", Some(("v1", "Pod", None, "web"))),
            ("Widget.v1beta1.example.com/w", Some(("example.com/v1beta1", "Widget", None, "w"))),
            ("web", None),
            ("deployment/", None),
            ("nonsense/web", None),
        ] {
            let found = object_of(text);
            let found = found.as_ref().map(|(version, key)| {
                (version.as_str(), key.kind.as_str(), key.namespace.as_ref().map(Namespace::as_str), key.name.as_str())
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_the_cluster_wrote_is_left_out() {
        let live = json!({
            "kind": "Pod",
            "metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "managedFields": [], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}},
            "spec": {},
            "status": {"phase": "Running"}
        });
        assert_eq!(bare(live), json!({"kind": "Pod", "metadata": {"name": "a", "annotations": {"mine": "1"}}, "spec": {}}));
    }
}
