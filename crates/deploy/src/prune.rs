//! Deleting what left the manifests, and nothing else.

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::KubeError;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ObjectKey;
use serde_json::Value;

use crate::DeployError;
use crate::inventory::Entry;
use crate::inventory::Inventory;
use crate::kubectl::each;
use crate::kubectl::stale;
use crate::rank::Rank;
use crate::wanted::Wanted;

/// Returns the entries that stay in the inventory, after deleting the others in reverse order of their ranks.
///
/// Deleting a namespace, a definition or a volume would take along what this configuration did not create, or data:
/// those wait for `delete`.
pub(crate) async fn prune(
    inventory: &Inventory,
    before: &BTreeMap<ObjectKey, Entry>,
    wanted: &[Wanted],
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Vec<Entry>, DeployError> {
    let mut kept = Vec::new();
    for rank in Rank::ALL.into_iter().rev() {
        let entries: Vec<&Entry> = stale(before, wanted).filter(|entry| Rank::of(&entry.key) == rank).collect();
        let outcomes =
            each(entries, |entry| async move { one(inventory, entry, cluster, cx).await.map(|gone| (!gone).then(|| entry.clone())) })
                .await?;
        kept.extend(outcomes.into_iter().flatten());
    }
    Ok(kept)
}

/// Returns whether the object is gone, or no concern of ours.
async fn one(inventory: &Inventory, entry: &Entry, cluster: &Cluster, cx: &Cx) -> Result<bool, DeployError> {
    let failed = |error| match error {
        KubeError::Cancelled => DeployError::Cancelled,
        error => DeployError::object(&entry.key, "", error),
    };
    let live = match cluster.get(&entry.api_version, &entry.key, cx).await {
        Ok(Some(live)) if inventory.owns(&live) && is_entry(entry, &live) => live,
        // Its kind is gone, and with it every object of that kind.
        Ok(_) | Err(KubeError::UnknownKind { .. }) => return Ok(true),
        Err(error) => return Err(failed(error)),
    };
    if asks_to_stay(&live) {
        return Ok(true);
    }
    if takes_others_along(&entry.key) {
        let what = format!("{} is no longer in the manifests; it is kept, because deleting it would delete what is in it", entry.key);
        cx.warn(Diagnostic::warning("deploy/kept", what).help(format!("delete it with `kubectl delete {}`", entry.key.for_kubectl())));
        return Ok(false);
    }
    let options = DeleteOptions { uid: live["metadata"]["uid"].as_str().map(str::to_owned), ..DeleteOptions::default() };
    match cluster.delete(&entry.api_version, &entry.key, &options, cx).await {
        Ok(true) => cx.emit(EventKind::ObjectChanged { object: entry.key.clone(), change: Change::Pruned, fields: Vec::new() }),
        Ok(false) | Err(KubeError::Conflict { .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(true)
}

/// Returns whether `live` is the very object of the entry and not a namesake.
pub(crate) fn is_entry(entry: &Entry, live: &Value) -> bool {
    entry.uid.is_empty() || live["metadata"]["uid"] == *entry.uid
}

/// Returns whether an annotation says that the object outlives its manifest: those of kubectl's apply sets, cli-utils, Helm.
pub(crate) fn asks_to_stay(live: &Value) -> bool {
    let annotations = &live["metadata"]["annotations"];
    annotations["cli-utils.sigs.k8s.io/on-remove"] == "keep"
        || annotations["client.lifecycle.config.k8s.io/deletion"] == "detach"
        || annotations["helm.sh/resource-policy"] == "keep"
}

fn takes_others_along(key: &ObjectKey) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str()),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}
