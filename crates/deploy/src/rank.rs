//! What has to be there before what.
//!
//! Within a rank the order does not matter. From what the API server checks on a write (namespaces, definitions, roles in
//! bindings) and from what pods read when they start; Helm's `InstallOrder` agrees.

use devloop_model::ObjectKey;

/// When an object is applied; deleted in reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rank {
    /// What everything else lives in.
    Namespaces,
    /// Kinds, and cluster-wide classes that others name.
    Definitions,
    /// What pods read and are limited by.
    Configuration,
    /// What names roles, and what pods find each other by.
    Bindings,
    /// The rest.
    Workloads,
    /// What stands before the API server and needs its workload.
    Gates,
}

impl Rank {
    /// Every rank, first applied first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Namespaces, Self::Definitions, Self::Configuration, Self::Bindings, Self::Workloads, Self::Gates];

    /// Returns the rank of an object.
    pub(crate) fn of(key: &ObjectKey) -> Self {
        match (key.group.as_str(), key.kind.as_str()) {
            ("", "Namespace") => Self::Namespaces,
            ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("scheduling.k8s.io", "PriorityClass")
            | ("storage.k8s.io", "StorageClass" | "CSIDriver")
            | ("node.k8s.io", "RuntimeClass")
            | ("networking.k8s.io", "IngressClass") => Self::Definitions,
            (
                "",
                "ServiceAccount" | "ConfigMap" | "Secret" | "ResourceQuota" | "LimitRange" | "PersistentVolume" | "PersistentVolumeClaim",
            )
            | ("rbac.authorization.k8s.io", "Role" | "ClusterRole")
            | ("networking.k8s.io", "NetworkPolicy")
            | ("policy", "PodDisruptionBudget") => Self::Configuration,
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") | ("", "Service") => Self::Bindings,
            ("apiregistration.k8s.io", "APIService") | ("admissionregistration.k8s.io", _) => Self::Gates,
            _ => Self::Workloads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first() {
        let rank =
            |group: &str, kind: &str| Rank::of(&ObjectKey { group: group.into(), kind: kind.into(), namespace: None, name: "x".into() });
        for (earlier, later) in [
            (("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")),
            (("apiextensions.k8s.io", "CustomResourceDefinition"), ("example.com", "Widget")),
            (("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "RoleBinding")),
            (("", "ServiceAccount"), ("apps", "Deployment")),
            (("", "ConfigMap"), ("", "Pod")),
            (("", "Service"), ("apps", "StatefulSet")),
            (("apps", "Deployment"), ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")),
            (("", "Service"), ("serving.knative.dev", "Service")),
        ] {
            assert!(rank(earlier.0, earlier.1) < rank(later.0, later.1), "{earlier:?} before {later:?}");
        }
    }
}
