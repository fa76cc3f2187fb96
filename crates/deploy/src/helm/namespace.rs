//! Namespaces that releases are to create: made before the first release, which may need one of another's.

use std::collections::BTreeSet;

use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use serde_json::json;

use super::wanted::Wanted;
use crate::DeployError;

/// Creates the namespaces of releases with `createNamespace` that are not there, as helm's `--create-namespace` would. Where
/// they may not be looked at, that is left to helm.
pub(super) async fn create(wanted: &[Wanted], cluster: &Cluster, cx: &Cx) -> Result<(), DeployError> {
    let asked = wanted.iter().filter(|wanted| wanted.release.spec.create_namespace).map(|wanted| &wanted.release.namespace);
    for namespace in asked.collect::<BTreeSet<&Namespace>>() {
        let key = ObjectKey { group: String::new(), kind: "Namespace".into(), namespace: None, name: namespace.to_string() };
        match cluster.get("v1", &key, cx).await {
            Ok(Some(_)) | Err(KubeError::Forbidden { .. }) => continue,
            Ok(None) => {}
            Err(error) => return Err(error.into()),
        }
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"name": namespace}}});
        cluster.apply(&object, ApplyOptions::default(), cx).await?;
        cx.emit(EventKind::ObjectChanged { object: key, change: Change::Created, fields: Vec::new() });
    }
    Ok(())
}
