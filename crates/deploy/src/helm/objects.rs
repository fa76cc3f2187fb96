//! The objects of a release, as its record names them and as the cluster has them.

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::differences;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Manifest;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::ReleasedObject;
use serde_json::Value;

use super::Rendering;
use crate::DeployError;
use crate::kubectl::each;

/// Returns the objects of a record, in its order.
pub(super) fn of_record(record: &devloop_clients::helm::HelmRecord, rendering: &Rendering) -> Result<Vec<Manifest>, DeployError> {
    let name = format!("release {}", record.name);
    (rendering.read)(&record.manifest, &name).map_err(|diagnostic| DeployError::Release(Box::new(diagnostic)))
}

/// Returns the objects that are live, and the keys of those that are not there.
pub(super) async fn live(
    manifests: &[Manifest],
    namespace: &Namespace,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<(Vec<ReleasedObject>, Vec<ObjectKey>), DeployError> {
    let looked = each(manifests, |manifest| one(manifest, namespace, cluster, cx)).await?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for object in looked {
        match object {
            Ok(object) => found.push(object),
            Err(key) => missing.push(key),
        }
    }
    Ok((found, missing))
}

async fn one(
    manifest: &Manifest,
    namespace: &Namespace,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Result<ReleasedObject, ObjectKey>, DeployError> {
    let (api_version, named) = (manifest.api_version().to_owned(), manifest.key());
    let kind = match cluster.resource(&api_version, &named.kind, cx).await {
        Ok(kind) => kind,
        // Its definition is gone, and every object with it.
        Err(KubeError::UnknownKind { .. }) => return Ok(Err(named)),
        Err(error) => return Err(error.into()),
    };
    let key = ObjectKey { namespace: kind.namespaced.then(|| named.namespace.unwrap_or_else(|| namespace.clone())), ..named };
    let Some(live) = cluster.get(&api_version, &key, cx).await? else { return Ok(Err(key)) };
    let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Ok(ReleasedObject { key, api_version, uid, generation: live["metadata"]["generation"].as_i64() }))
}

/// Returns what an upgrade did to each object of `after`, with the fields that it changed, and which of `before` it took away.
pub(super) fn changes(before: &[Manifest], after: &[Manifest]) -> (Vec<(Change, Vec<String>)>, Vec<ObjectKey>) {
    let known: BTreeMap<ObjectKey, &Value> = before.iter().map(|manifest| (manifest.key(), &manifest.object)).collect();
    let change = |manifest: &Manifest| match known.get(&manifest.key()) {
        None => (Change::Created, Vec::new()),
        Some(object) if **object == manifest.object => (Change::Unchanged, Vec::new()),
        Some(object) => (Change::Configured, differences(object, &manifest.object)),
    };
    let gone = |key: &&ObjectKey| !after.iter().any(|manifest| manifest.key() == **key);
    (after.iter().map(change).collect(), known.keys().filter(gone).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_upgrade_did() {
        let manifest = |name: &str, value: i32| Manifest {
            object: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": value}}),
            source: String::new(),
        };
        let (changes, gone) = changes(
            &[manifest("same", 1), manifest("other", 1), manifest("gone", 1)],
            &[manifest("new", 1), manifest("other", 2), manifest("same", 1)],
        );
        let fields = vec!["data.x".to_owned()];
        assert_eq!(changes, [(Change::Created, vec![]), (Change::Configured, fields), (Change::Unchanged, vec![])]);
        assert_eq!(gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["configmap/gone"]);
    }
}
