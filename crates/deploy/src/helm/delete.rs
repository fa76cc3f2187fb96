//! Uninstalling what a configuration installed.

use std::collections::BTreeMap;

use devloop_clients::helm;
use devloop_clients::helm::HelmRecord;
use devloop_clients::helm::Storage;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::MissingKey;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::ReleasedObject;
use devloop_model::Stream;

use super::HelmJob;
use super::Rendering;
use super::Tools;
use super::inventory_name;
use super::key;
use super::objects;
use super::order;
use super::order::Failed;
use super::records_of;
use crate::Deletion;
use crate::DeployError;
use crate::inventory::Entry;
use crate::inventory::Inventory;

/// A release that is to go.
#[derive(Debug)]
pub(super) struct Doomed {
    record: HelmRecord,
    manifests: Vec<devloop_model::Manifest>,
    /// How its objects are told to have gone.
    change: Change,
}

impl Doomed {
    /// Returns a release that left the configuration.
    pub(super) fn pruned(record: HelmRecord, rendering: &Rendering) -> Result<Self, DeployError> {
        Ok(Self { manifests: objects::of_record(&record, rendering)?, record, change: Change::Pruned })
    }
}

/// Returns what was uninstalled: the releases of this configuration, those that depend on others first.
///
/// # Errors
/// When helm is not installed or fails, or the cluster does not answer.
pub async fn delete(job: &HelmJob, rendering: &Rendering, dry_run: bool, cluster: &Cluster, cx: &Cx) -> Result<Deletion, DeployError> {
    let tools = Tools { job, rendering, storage: Storage::of(cx)?, cluster, cx };
    let mut inventory = Inventory::load(&inventory_name(job), &job.settings.namespace, cluster, cx).await?;
    let (going, staying): (Vec<Entry>, Vec<Entry>) = inventory.entries.values().cloned().partition(|entry| !job.passing || entry.passing);
    let configured = configured(job);
    let strangers = configured.iter().filter(|(_, key)| !job.passing && !inventory.entries.contains_key(key)).map(|(_, key)| key.clone());
    let keys = going.iter().map(|entry| entry.key.clone()).chain(strangers);
    let records: BTreeMap<ObjectKey, HelmRecord> = records_of(tools.storage, keys, cluster, cx)
        .await?
        .into_iter()
        .filter_map(|(key, mut records)| Some((key, records.pop()?)))
        .collect();
    let mut deletion = Deletion { deployed: staying.iter().map(|entry| entry.key.clone()).collect(), ..Deletion::default() };
    let mut doomed = Vec::new();
    for (key, record) in records.into_iter().filter(|(_, record)| record.status != "uninstalled") {
        if going.iter().any(|entry| entry.key == key) {
            doomed.push(Doomed { manifests: objects::of_record(&record, rendering)?, record, change: Change::Deleted });
        } else {
            deletion.kept.push(key);
        }
    }
    deletion.deleted = if dry_run { told(&tools, &doomed).await? } else { uninstall_in_order(&tools, &configured, doomed).await? };
    tell_kept(&deletion, cx);
    match (dry_run, staying.is_empty()) {
        (true, _) => {}
        (false, true) => inventory.remove(cluster, cx).await?,
        (false, false) => inventory.save(staying.into_iter().map(|entry| (entry.key.clone(), entry)).collect(), cluster, cx).await?,
    }
    Ok(deletion)
}

/// Returns the place and key of each release of the configuration whose name can be told.
fn configured(job: &HelmJob) -> Vec<(usize, ObjectKey)> {
    let of = |(place, spec): (usize, &devloop_model::HelmRelease)| {
        let vars = &job.settings.vars;
        let namespace = match &spec.namespace {
            Some(template) if !job.settings.namespace_is_forced => Namespace(template.render(vars, MissingKey::Error).ok()?),
            _ => job.settings.namespace.clone(),
        };
        Some((place, key(&spec.name.render(vars, MissingKey::Error).ok()?, &namespace)))
    };
    job.deploy.releases.iter().enumerate().filter_map(of).collect()
}

fn tell_kept(deletion: &Deletion, cx: &Cx) {
    if !deletion.deployed.is_empty() {
        let names: Vec<String> = deletion.deployed.iter().map(|key| format!("release {}", key.name)).collect();
        cx.log(Stream::Stdout, format!("{} kept: deployed before this session; `devloop delete` deletes it", names.join(", ")));
    }
    for key in &deletion.kept {
        let what = format!("release `{}` is kept: this configuration did not install it", key.name);
        let namespace = key.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        cx.warn(Diagnostic::warning("deploy/kept", what).help(format!("uninstall it with `helm uninstall {}{namespace}`", key.name)));
    }
}

/// Tells what would be deleted.
async fn told(tools: &Tools<'_>, doomed: &[Doomed]) -> Result<Vec<ObjectKey>, DeployError> {
    let mut keys = Vec::new();
    for one in doomed {
        let (live, _) = objects::live(&one.manifests, &one.record.namespace, tools.cluster, tools.cx).await?;
        keys.push(key(&one.record.name, &one.record.namespace));
        keys.extend(live.into_iter().map(|object| object.key));
    }
    for object in &keys {
        tools.cx.emit(EventKind::ObjectChanged { object: object.clone(), change: Change::Deletable, fields: Vec::new() });
    }
    Ok(keys)
}

/// Uninstalls releases, each after those that depend on it.
async fn uninstall_in_order(
    tools: &Tools<'_>,
    configured: &[(usize, ObjectKey)],
    doomed: Vec<Doomed>,
) -> Result<Vec<ObjectKey>, DeployError> {
    let keys: Vec<ObjectKey> = doomed.iter().map(|one| key(&one.record.name, &one.record.namespace)).collect();
    let spec_of = |key: &ObjectKey| configured.iter().find(|(_, other)| other == key).map(|(place, _)| &tools.job.deploy.releases[*place]);
    let needs = |key: &ObjectKey| {
        let names = spec_of(key).map(|spec| spec.depends_on.as_slice()).unwrap_or_default();
        let is_needed = |other: &ObjectKey| spec_of(other).is_some_and(|spec| names.iter().any(|name| name == spec.name.source()));
        keys.iter().enumerate().filter(|(_, other)| is_needed(other)).map(|(place, _)| place).collect::<Vec<usize>>()
    };
    let order = order::reversed(&keys.iter().map(needs).collect::<Vec<_>>());
    let steps: Vec<_> = doomed.iter().map(|one| uninstall(tools, one)).collect();
    let mut deleted = Vec::new();
    for outcome in order::in_order(&order, tools.job.deploy.concurrency, steps).await {
        match outcome {
            Ok(keys) => deleted.extend(keys),
            Err(Failed::Itself(error)) => return Err(error),
            Err(Failed::Before) => {}
        }
    }
    Ok(deleted)
}

/// Uninstalls releases, all at once.
pub(super) async fn uninstall_all(tools: &Tools<'_>, doomed: Vec<Doomed>) -> Result<(), DeployError> {
    let none: Vec<(usize, ObjectKey)> = Vec::new();
    uninstall_in_order(tools, &none, doomed).await.map(drop)
}

/// Returns what is gone: the release, and its objects.
async fn uninstall(tools: &Tools<'_>, doomed: &Doomed) -> Result<Vec<ObjectKey>, DeployError> {
    let record = &doomed.record;
    let (live, _) = objects::live(&doomed.manifests, &record.namespace, tools.cluster, tools.cx).await?;
    let flags = tools.job.deploy.releases.first().map(|spec| spec.flags.global.as_slice()).unwrap_or_default();
    helm::uninstall(&record.name, record.namespace.as_str(), flags, &tools.job.settings, tools.cx).await?;
    let gone = live.iter().map(|object| gone(tools, object, doomed.change));
    let gone: Vec<Option<ObjectKey>> = futures::future::try_join_all(gone).await?;
    tools.cx.log(Stream::Stdout, format!("Release {} is uninstalled", record.name));
    Ok([key(&record.name, &record.namespace)].into_iter().chain(gone.into_iter().flatten()).collect())
}

/// Returns an object that has gone; none if it is to stay (`helm.sh/resource-policy: keep`).
async fn gone(tools: &Tools<'_>, object: &ReleasedObject, change: Change) -> Result<Option<ObjectKey>, DeployError> {
    let stays = match tools.cluster.get(&object.api_version, &object.key, tools.cx).await? {
        Some(live) => live["metadata"]["uid"] == *object.uid && live["metadata"]["deletionTimestamp"].is_null(),
        None => false,
    };
    if stays {
        return Ok(None);
    }
    let wait = tools.job.wait_for_deletions;
    if wait.enabled {
        match tools.cluster.wait_gone(&object.api_version, &object.key, Some(&object.uid), wait.max, tools.cx).await {
            Ok(()) | Err(KubeError::UnknownKind { .. }) => {}
            Err(KubeError::TimedOut { .. }) => {
                return Err(DeployError::StillDeleting { object: Box::new(object.key.clone()), limit: wait.max });
            }
            Err(error) => return Err(error.into()),
        }
    }
    tools.cx.emit(EventKind::ObjectChanged { object: object.key.clone(), change, fields: Vec::new() });
    Ok(Some(object.key.clone()))
}
