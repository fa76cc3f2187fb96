//! The kubectl deployer: manifests applied in process, rank by rank, or by the real kubectl where flags ask for it.

mod apply;
mod command;
mod live;

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ManifestSet;
use devloop_model::ObjectKey;
use devloop_model::Release;
use devloop_model::ReleasedObject;
use futures::StreamExt as _;
use serde_json::Value;

use crate::CONCURRENCY;
use crate::DeployError;
use crate::DeployJob;
use crate::inventory::Entry;
use crate::inventory::Inventory;
use crate::prune;
use crate::rank::Rank;
use crate::wanted::Wanted;
use crate::wanted::namespace;
use crate::wanted::wanted;

pub(crate) use command::delete as delete_by_command;
pub(crate) use command::flags_need_command;

/// What became of one object.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) released: ReleasedObject,
    pub(crate) entry: Entry,
}

impl Done {
    pub(crate) fn new(wanted: &Wanted, live: &Value, manifest: String, digest: String) -> Self {
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let api_version = wanted.api_version.clone();
        let entry =
            Entry { key: wanted.key.clone(), api_version: api_version.clone(), uid: uid.clone(), manifest, live: digest, passing: false };
        let generation = live["metadata"]["generation"].as_i64();
        Self { released: ReleasedObject { key: wanted.key.clone(), api_version, uid, generation }, entry }
    }
}

/// Returns what is in the cluster once every manifest is applied and what left the manifests is pruned.
///
/// An object that is as wanted is not written; where nothing is to be written, nothing is.
///
/// # Errors
/// When a kind or namespace is missing, the cluster rejects or forbids an object, or an object that is being deleted does
/// not go. All objects of the failing rank are tried, later ranks are not.
pub async fn deploy(job: &DeployJob, manifests: &ManifestSet, cluster: &Cluster, cx: &Cx) -> Result<Release, DeployError> {
    let namespace = namespace(job, cx)?;
    let (wanted, inventory) = tokio::join!(wanted(job, manifests, cluster, cx), Inventory::load(&job.inventory, &namespace, cluster, cx));
    let (wanted, mut inventory) = (wanted?, inventory?);
    let (before, nothing) = (inventory.entries.clone(), BTreeMap::new());
    let mut plan = apply::Plan::of(job, &before, live::Live::of(&wanted, &inventory, cluster, cx).await?);
    let mut done: Vec<Done> = Vec::with_capacity(wanted.len());
    let mut announced = false;
    for rank in Rank::ALL {
        let objects: Vec<&Wanted> = wanted.iter().filter(|one| one.rank == rank).collect();
        if rank != Rank::Namespaces && !announced {
            if done.iter().any(|one| is_another(one, &before)) {
                // What was read belonged to the namespace that is gone, the inventory itself perhaps as well.
                inventory.entries.clear();
                plan = apply::Plan::of(job, &nothing, live::Live::default());
            }
            // What is about to be created is remembered first, so that an interrupted deploy can still be deleted. Its
            // own namespace may be one of the first rank.
            inventory.save(announcement(&before, &wanted, job.passing), cluster, cx).await?;
            announced = true;
        }
        if !objects.is_empty() {
            done.extend(apply::rank(&plan, &inventory, &objects, cluster, cx).await?);
        }
    }
    let is_lost = wanted.is_empty() && job.may_be_empty;
    if is_lost && job.prune && !before.is_empty() {
        cx.warn(nothing_found(&before));
    }
    let kept = if job.prune && !is_lost {
        prune::prune(&inventory, &before, &wanted, cluster, cx).await?
    } else {
        stale(&before, &wanted).cloned().collect()
    };
    for one in &mut done {
        one.entry.passing = job.passing && passes(&one.entry, before.get(&one.entry.key));
    }
    let entries = done.iter().map(|one| &one.entry).chain(&kept).map(|entry| (entry.key.clone(), entry.clone()));
    inventory.save(settled(entries.collect(), &before), cluster, cx).await?;
    Ok(Release { objects: done.into_iter().map(|one| one.released).collect(), ..Release::default() })
}

fn nothing_found(before: &BTreeMap<ObjectKey, Entry>) -> Diagnostic {
    let many = if before.len() == 1 { "an object".to_owned() } else { format!("{} objects", before.len()) };
    Diagnostic::warning("deploy/nothing-found", format!("no manifest is found, and {many} of an earlier deploy stay as they are"))
        .because("no `manifests` are named, so that none may just not be there yet")
        .help("name them, or remove what is deployed with `devloop delete`")
}

/// Returns whether an object goes when a watching session ends: one that was there for longer does not.
fn passes(entry: &Entry, before: Option<&Entry>) -> bool {
    before.is_none_or(|old| old.passing || !old.uid.is_empty() && old.uid != entry.uid)
}

/// Returns whether the object is not the one that was there under this name.
fn is_another(done: &Done, before: &BTreeMap<ObjectKey, Entry>) -> bool {
    before.get(&done.entry.key).is_some_and(|old| !old.uid.is_empty() && old.uid != done.entry.uid)
}

/// Returns what the inventory says before an apply: all that was there, and all that will be.
fn announcement(before: &BTreeMap<ObjectKey, Entry>, wanted: &[Wanted], passing: bool) -> BTreeMap<ObjectKey, Entry> {
    let mut entries = before.clone();
    for one in wanted {
        entries.entry(one.key.clone()).or_insert_with(|| Entry::named(one.key.clone(), one.api_version.clone(), passing));
    }
    entries
}

/// Returns what the inventory says after an apply. A digest of the live state that alone differs is no reason to write:
/// something else in the cluster moves that object, and would again.
fn settled(entries: BTreeMap<ObjectKey, Entry>, before: &BTreeMap<ObjectKey, Entry>) -> BTreeMap<ObjectKey, Entry> {
    let same = |(key, entry): (&ObjectKey, &Entry)| {
        before.get(key).is_some_and(|old| Entry { live: String::new(), ..old.clone() } == Entry { live: String::new(), ..entry.clone() })
    };
    if entries.len() == before.len() && entries.iter().all(same) { before.clone() } else { entries }
}

/// Returns the entries that the manifests no longer have.
pub(crate) fn stale<'a>(before: &'a BTreeMap<ObjectKey, Entry>, wanted: &[Wanted]) -> impl Iterator<Item = &'a Entry> {
    let keys: std::collections::HashSet<ObjectKey> = wanted.iter().map(|one| one.key.clone()).collect();
    before.values().filter(move |entry| !keys.contains(&entry.key))
}

/// Returns the results of `work` on each item, a bounded number at once, in any order; all errors together if there are any.
pub(crate) fn each<T, R, F>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> F) -> impl Future<Output = Result<Vec<R>, DeployError>>
where
    F: Future<Output = Result<R, DeployError>>,
{
    // All futures are made before the first one runs: a closure over references that lives across an await is not
    // `Send` in the compiler's eyes.
    let all: Vec<F> = items.into_iter().map(work).collect();
    async move { gathered(futures::stream::iter(all).buffered(CONCURRENCY).collect().await) }
}

/// Returns the results, or all errors together.
fn gathered<R>(results: Vec<Result<R, DeployError>>) -> Result<Vec<R>, DeployError> {
    let (mut done, mut errors) = (Vec::with_capacity(results.len()), Vec::new());
    for result in results {
        match result {
            Ok(result) => done.push(result),
            Err(error) => errors.push(error),
        }
    }
    if let Some(at) = errors.iter().position(|error| error.is_cancelled() || matches!(error, DeployError::Kube(_))) {
        return Err(errors.swap_remove(at));
    }
    match errors.len() {
        0 => Ok(done),
        1 => Err(errors.swap_remove(0)),
        _ => Err(DeployError::Several(errors)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_a_session_stays_after_it() {
        let key = ObjectKey { group: String::new(), kind: "Service".into(), namespace: None, name: "web".into() };
        let entry = |uid: &str, passing| Entry { uid: uid.into(), ..Entry::named(key.clone(), "v1".into(), passing) };
        for (before, passing) in [
            (None, true),
            (Some(entry("1", false)), false),
            (Some(entry("1", true)), true),
            // Announced by a deploy that did not come to its end.
            (Some(entry("", true)), true),
            (Some(entry("", false)), false),
            // The one that was there is gone.
            (Some(entry("0", false)), true),
        ] {
            assert_eq!(passes(&entry("1", false), before.as_ref()), passing, "{before:?}");
        }
    }
}
