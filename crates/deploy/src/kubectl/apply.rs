//! One rank of objects, applied.

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Validation;
use devloop_clients::kube::differences;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ObjectKey;
use devloop_model::Stream;
use serde_json::Value;

use super::Done;
use super::command;
use super::each;
use super::live::Live;
use crate::DeployError;
use crate::DeployJob;
use crate::INVENTORY_LABEL;
use crate::fingerprint;
use crate::inventory::Entry;
use crate::inventory::Inventory;
use crate::rank::Rank;
use crate::wanted::Wanted;

/// How long the API server may take to serve the kinds of a new CRD.
const ESTABLISH_LIMIT: Duration = Duration::from_secs(30);

/// What holds for every object of a deploy.
pub(super) struct Plan<'a> {
    job: &'a DeployJob,
    before: &'a BTreeMap<ObjectKey, Entry>,
    flags: Option<command::NativeFlags>,
    live: Live,
}

impl<'a> Plan<'a> {
    pub(super) fn of(job: &'a DeployJob, before: &'a BTreeMap<ObjectKey, Entry>, live: Live) -> Self {
        Self { job, before, live, flags: command::native_flags(&job.kubectl) }
    }

    fn force(&self) -> bool {
        self.job.force || self.flags.as_ref().is_some_and(|flags| flags.force)
    }

    fn options(&self) -> ApplyOptions {
        let off = self.job.kubectl.disable_validation || self.flags.as_ref().is_some_and(|flags| flags.no_validation);
        ApplyOptions { validation: if off { Validation::Ignore } else { Validation::Strict }, ..ApplyOptions::default() }
    }
}

/// Returns what became of the objects of one rank.
pub(super) async fn rank(
    plan: &Plan<'_>,
    inventory: &Inventory,
    objects: &[&Wanted],
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Vec<Done>, DeployError> {
    let done = if plan.flags.is_some() {
        each(objects, |wanted| one(plan, inventory, wanted, cluster, cx)).await?
    } else {
        by_command(plan, inventory, objects, cluster, cx).await?
    };
    if objects.first().is_some_and(|one| one.rank == Rank::Definitions) {
        let definitions = objects.iter().filter(|one| one.key.kind == "CustomResourceDefinition");
        each(definitions, |one| async {
            cluster.wait_established(&one.key.name, ESTABLISH_LIMIT, cx).await.map_err(|error| one.error(error))
        })
        .await?;
    }
    Ok(done)
}

/// Returns what became of one object, in process.
async fn one(plan: &Plan<'_>, inventory: &Inventory, wanted: &Wanted, cluster: &Cluster, cx: &Cx) -> Result<Done, DeployError> {
    let live = ready_to_write(plan, wanted, cluster, cx).await?;
    let object = marked(wanted, live.as_ref(), inventory);
    let manifest = fingerprint::of_manifest(&object);
    if let Some(live) = &live
        && is_as_applied(plan.before.get(&wanted.key), live, &object, &manifest)
    {
        let digest = fingerprint::of_live(live, &object);
        cx.emit(EventKind::ObjectChanged { object: wanted.key.clone(), change: Change::Unchanged, fields: Vec::new() });
        return Ok(Done::new(wanted, live, manifest, digest));
    }
    let applied = match cluster.apply_over(&object, live, plan.options(), cx).await {
        Err(error) if plan.force() && error.is_immutable_field() => return anew(plan, inventory, wanted, cluster, cx).await,
        other => other.map_err(|error| wanted.error(error))?,
    };
    cx.emit(EventKind::ObjectChanged { object: wanted.key.clone(), change: applied.change, fields: applied.fields.clone() });
    let digest = fingerprint::of_live(&applied.object, &object);
    Ok(Done::new(wanted, &applied.object, manifest, digest))
}

/// Returns whether `live` is still what the last apply of this same manifest made.
fn is_as_applied(entry: Option<&Entry>, live: &Value, object: &Value, manifest: &str) -> bool {
    entry.is_some_and(|entry| {
        entry.manifest == manifest && live["metadata"]["uid"] == *entry.uid && entry.live == fingerprint::of_live(live, object)
    })
}

/// Returns the object as the cluster has it; none if it is not there, or no longer.
async fn ready_to_write(plan: &Plan<'_>, wanted: &Wanted, cluster: &Cluster, cx: &Cx) -> Result<Option<Value>, DeployError> {
    let live = plan.live.get(wanted, cluster, cx).await.map_err(|error| wanted.error(error))?;
    let leaving = live.as_ref().filter(|live| live["metadata"]["deletionTimestamp"].is_string());
    let Some(leaving) = leaving.filter(|_| plan.job.wait_for_deletions.enabled) else { return Ok(live) };
    cx.log(Stream::Stdout, format!("Waiting for {} to be deleted", wanted.key));
    let limit = plan.job.wait_for_deletions.max;
    match cluster.wait_gone(&wanted.api_version, &wanted.key, leaving["metadata"]["uid"].as_str(), limit, cx).await {
        Ok(()) => cluster.get(&wanted.api_version, &wanted.key, cx).await.map_err(|error| wanted.error(error)),
        Err(KubeError::TimedOut { .. }) => Err(DeployError::StillDeleting { object: Box::new(wanted.key.clone()), limit }),
        Err(error) => Err(wanted.error(error)),
    }
}

/// Returns the object with the label of the inventory that made it: ours, or the one that the live object names. An object
/// that was there before gets none.
fn marked(wanted: &Wanted, live: Option<&Value>, inventory: &Inventory) -> Value {
    let mut object = wanted.object.clone();
    let owner = match live {
        Some(live) if !inventory.owns(live) => live["metadata"]["labels"][INVENTORY_LABEL].as_str(),
        _ => Some(inventory.id()),
    };
    if let Some(owner) = owner {
        let labels = &mut object["metadata"]["labels"];
        if labels.is_null() {
            *labels = Value::Object(serde_json::Map::new());
        }
        labels[INVENTORY_LABEL] = owner.into();
    }
    object
}

/// Returns the object after it was deleted and created anew (`kubectl apply --force` does so with no grace for its pods).
async fn anew(plan: &Plan<'_>, inventory: &Inventory, wanted: &Wanted, cluster: &Cluster, cx: &Cx) -> Result<Done, DeployError> {
    let limit = plan.job.wait_for_deletions.max;
    let options = DeleteOptions { grace: Some(Duration::ZERO), ..DeleteOptions::default() };
    let recreate = async {
        cluster.delete(&wanted.api_version, &wanted.key, &options, cx).await?;
        cluster.wait_gone(&wanted.api_version, &wanted.key, None, limit, cx).await?;
        cx.emit(EventKind::ObjectChanged { object: wanted.key.clone(), change: Change::Deleted, fields: Vec::new() });
        let object = marked(wanted, None, inventory);
        Ok((cluster.apply_over(&object, None, plan.options(), cx).await?, object))
    };
    let (applied, object) = recreate.await.map_err(|error| wanted.error(error))?;
    cx.emit(EventKind::ObjectChanged { object: wanted.key.clone(), change: Change::Created, fields: Vec::new() });
    let digest = fingerprint::of_live(&applied.object, &object);
    Ok(Done::new(wanted, &applied.object, fingerprint::of_manifest(&object), digest))
}

/// Returns what became of the objects after the real kubectl applied them.
async fn by_command(
    plan: &Plan<'_>,
    inventory: &Inventory,
    objects: &[&Wanted],
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Vec<Done>, DeployError> {
    let before = each(objects, |wanted| ready_to_write(plan, wanted, cluster, cx)).await?;
    let marked: Vec<Value> = objects.iter().zip(&before).map(|(wanted, live)| marked(wanted, live.as_ref(), inventory)).collect();
    for line in command::apply(plan.job, &marked, cx).await? {
        tracing::debug!(line, "kubectl apply");
    }
    let after =
        each(objects, |wanted| async { cluster.get(&wanted.api_version, &wanted.key, cx).await.map_err(|error| wanted.error(error)) })
            .await?;
    let mut done = Vec::with_capacity(objects.len());
    for (((wanted, before), after), object) in objects.iter().zip(before).zip(after).zip(&marked) {
        // `--dry-run` and `--prune` among the flags: nothing is there, and there is nothing to remember.
        let Some(after) = after else { continue };
        let same = |before: &Value| {
            before["metadata"]["uid"] == after["metadata"]["uid"]
                && fingerprint::of_live(before, object) == fingerprint::of_live(&after, object)
        };
        let change = match &before {
            None => Change::Created,
            Some(before) if same(before) => Change::Unchanged,
            Some(_) => Change::Configured,
        };
        let fields = before.as_ref().filter(|_| change == Change::Configured).map(|before| differences(before, &after)).unwrap_or_default();
        cx.emit(EventKind::ObjectChanged { object: wanted.key.clone(), change, fields });
        done.push(Done::new(wanted, &after, fingerprint::of_manifest(object), fingerprint::of_live(&after, object)));
    }
    Ok(done)
}
