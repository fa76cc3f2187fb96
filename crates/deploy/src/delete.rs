//! Taking back what a configuration created.

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::KubeError;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ManifestSet;
use devloop_model::ObjectKey;
use devloop_model::Stream;
use serde_json::Value;

use crate::DeployError;
use crate::DeployJob;
use crate::inventory::Entry;
use crate::inventory::Inventory;
use crate::kubectl::delete_by_command;
use crate::kubectl::each;
use crate::kubectl::flags_need_command;
use crate::prune::asks_to_stay;
use crate::prune::is_entry;
use crate::rank::Rank;
use crate::wanted::namespace;
use crate::wanted::wanted;

/// What a delete did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Objects that were deleted, in that order; with `dry_run`, that would be.
    pub deleted: Vec<ObjectKey>,
    /// Objects of the manifests that stay, because something else created them.
    pub kept: Vec<ObjectKey>,
    /// Objects that stay, because a deploy that was no watching session created them.
    pub deployed: Vec<ObjectKey>,
}

/// An object that is to be deleted.
struct Doomed {
    api_version: String,
    key: ObjectKey,
    uid: String,
    object: Value,
}

/// Returns what was deleted: the objects that the inventory or the manifests name and that a deploy of this configuration
/// created, in reverse order of their ranks, each rank gone before the next.
///
/// # Errors
/// When the cluster forbids it or does not answer.
pub async fn delete(job: &DeployJob, manifests: &ManifestSet, dry_run: bool, cluster: &Cluster, cx: &Cx) -> Result<Deletion, DeployError> {
    let namespace = namespace(job, cx)?;
    let mut inventory = Inventory::load(&job.inventory, &namespace, cluster, cx).await?;
    let candidates = candidates(job, manifests, &inventory, cluster, cx).await?;
    let staying: BTreeMap<ObjectKey, Entry> = inventory
        .entries
        .iter()
        .filter(|(_, entry)| job.passing && !entry.passing)
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect();
    let mut deletion = Deletion { deployed: staying.keys().cloned().collect(), ..Deletion::default() };
    for rank in Rank::ALL.into_iter().rev() {
        let entries: Vec<&Entry> = candidates.values().filter(|entry| Rank::of(&entry.key) == rank).collect();
        let found = each(entries, |entry| doomed(&inventory, entry, cluster, cx)).await?;
        let (doomed, kept): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(Result::is_ok);
        let doomed: Vec<Doomed> = doomed.into_iter().flatten().collect();
        deletion.kept.extend(kept.into_iter().filter_map(Result::err));
        if dry_run {
            for one in &doomed {
                cx.emit(EventKind::ObjectChanged { object: one.key.clone(), change: Change::Deletable, fields: Vec::new() });
            }
        } else {
            remove(job, &doomed, cluster, cx).await?;
        }
        deletion.deleted.extend(doomed.into_iter().map(|one| one.key));
    }
    if !deletion.deployed.is_empty() {
        let names: Vec<String> = deletion.deployed.iter().map(ToString::to_string).collect();
        cx.log(Stream::Stdout, format!("{} kept: deployed before this session; `devloop delete` deletes them", names.join(", ")));
    }
    for key in &deletion.kept {
        let what = format!("{key} is kept: this configuration did not create it");
        cx.warn(Diagnostic::warning("deploy/kept", what).help(format!("delete it with `kubectl delete {}`", key.for_kubectl())));
    }
    match (dry_run, staying.is_empty()) {
        (true, _) => {}
        (false, true) => inventory.remove(cluster, cx).await?,
        (false, false) => inventory.save(staying, cluster, cx).await?,
    }
    Ok(deletion)
}

/// Returns what may have to be deleted: the inventory's entries, and the manifests' objects in case it was lost.
async fn candidates(
    job: &DeployJob,
    manifests: &ManifestSet,
    inventory: &Inventory,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<BTreeMap<ObjectKey, Entry>, DeployError> {
    if job.passing {
        return Ok(inventory.entries.iter().filter(|(_, entry)| entry.passing).map(|(key, entry)| (key.clone(), entry.clone())).collect());
    }
    let mut candidates = inventory.entries.clone();
    let known = ManifestSet { manifests: known_kinds(manifests, cluster, cx).await? };
    for one in wanted(job, &known, cluster, cx).await? {
        let entry = Entry::named(one.key.clone(), one.api_version, false);
        candidates.entry(one.key).or_insert(entry);
    }
    Ok(candidates)
}

/// Returns the manifests whose kind the cluster has: of others there can be no objects.
async fn known_kinds(manifests: &ManifestSet, cluster: &Cluster, cx: &Cx) -> Result<Vec<devloop_model::Manifest>, DeployError> {
    let mut known = Vec::with_capacity(manifests.manifests.len());
    for manifest in &manifests.manifests {
        let is_list = manifest.object["kind"] == "List";
        match cluster.resource(manifest.api_version(), &manifest.key().kind, cx).await {
            Ok(_) => known.push(manifest.clone()),
            Err(KubeError::UnknownKind { .. }) if is_list => known.push(manifest.clone()),
            Err(KubeError::UnknownKind { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(known)
}

/// Returns the object if it is ours to delete, its key if it is somebody else's, nothing if it is not there.
async fn doomed(
    inventory: &Inventory,
    entry: &Entry,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Option<Result<Doomed, ObjectKey>>, DeployError> {
    let live = match cluster.get(&entry.api_version, &entry.key, cx).await {
        Ok(Some(live)) => live,
        Ok(None) | Err(KubeError::UnknownKind { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !inventory.owns(&live) || !is_entry(entry, &live) || asks_to_stay(&live) {
        return Ok(Some(Err(entry.key.clone())));
    }
    let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let name = serde_json::json!({"name": entry.key.name, "namespace": entry.key.namespace});
    let object = serde_json::json!({"apiVersion": entry.api_version, "kind": entry.key.kind, "metadata": name});
    Ok(Some(Ok(Doomed { api_version: entry.api_version.clone(), key: entry.key.clone(), uid, object })))
}

/// Deletes the objects of one rank and waits until they are gone.
async fn remove(job: &DeployJob, doomed: &[Doomed], cluster: &Cluster, cx: &Cx) -> Result<(), DeployError> {
    if doomed.is_empty() {
        return Ok(());
    }
    if flags_need_command(&job.kubectl) {
        let objects: Vec<Value> = doomed.iter().map(|one| one.object.clone()).collect();
        delete_by_command(job, &objects, false, cx).await?;
    }
    each(doomed, |one| async move {
        if !flags_need_command(&job.kubectl) {
            let options = DeleteOptions { uid: Some(one.uid.clone()), ..DeleteOptions::default() };
            match cluster.delete(&one.api_version, &one.key, &options, cx).await {
                Ok(_) | Err(KubeError::Conflict { .. }) => {}
                Err(error) => return Err(DeployError::object(&one.key, "", error)),
            }
        }
        gone(job, one, cluster, cx).await
    })
    .await
    .map(drop)
}

async fn gone(job: &DeployJob, one: &Doomed, cluster: &Cluster, cx: &Cx) -> Result<(), DeployError> {
    let limit = job.wait_for_deletions.max;
    if job.wait_for_deletions.enabled {
        match cluster.wait_gone(&one.api_version, &one.key, Some(&one.uid), limit, cx).await {
            // Its kind went first.
            Ok(()) | Err(KubeError::UnknownKind { .. }) => {}
            Err(KubeError::TimedOut { .. }) => return Err(DeployError::StillDeleting { object: Box::new(one.key.clone()), limit }),
            Err(error) => return Err(error.into()),
        }
    }
    cx.emit(EventKind::ObjectChanged { object: one.key.clone(), change: Change::Deleted, fields: Vec::new() });
    Ok(())
}
