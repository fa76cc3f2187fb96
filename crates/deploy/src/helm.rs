//! The helm deployer: releases, each installed or upgraded by helm itself, and only where it is to be another than it is.
//!
//! What a release is to be is a digest of its chart, values and images, which the inventory remembers with the revision that it led
//! to. Manifests that have to be changed by us are rendered by helm, changed in process, and installed as a chart without templates:
//! the commands of helm keep working, and no program of ours runs inside it.

mod delete;
mod fixed_chart;
mod namespace;
mod objects;
mod order;
mod standing;
mod upgrade;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use devloop_clients::helm;
use devloop_clients::helm::HelmRecord;
use devloop_clients::helm::HelmSettings;
use devloop_clients::helm::Storage;
use devloop_clients::kube::Cluster;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::HelmDeploy;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Release;

use self::order::Failed;
use self::standing::Standing;
use self::upgrade::Done;
use self::wanted::Wanted;
use crate::DeployError;
use crate::WaitForDeletions;
use crate::inventory::Entry;
use crate::inventory::Inventory;

pub use self::delete::delete as delete_releases;
pub use self::wanted::fingerprint;

/// What a deploy or delete of releases needs to know.
#[derive(Debug, Clone)]
pub struct HelmJob {
    /// `deploy.helm` of the configuration.
    pub deploy: HelmDeploy,
    /// What helm is told of the session.
    pub settings: HelmSettings,
    /// Labels of the command line: they are put into every manifest.
    pub labels: BTreeMap<String, String>,
    /// Whether containers are put under debuggers, which is another release than one without.
    pub debugs: bool,
    /// Identity of the configuration.
    pub inventory: String,
    /// `--force`: get out of states that need a decision, and replace what cannot be changed in place.
    pub force: bool,
    /// Whether releases that left the configuration are uninstalled.
    pub prune: bool,
    /// Whether what this deploy installs goes when the session ends.
    pub passing: bool,
    /// What happens to objects that are being deleted.
    pub wait_for_deletions: WaitForDeletions,
}

/// Changes manifests in place.
pub type ChangeManifests = Arc<dyn Fn(&mut [Manifest]) + Send + Sync>;

/// The images of a deploy, and what is done to manifests with them. That is the work of another stage, which the caller has.
#[derive(Clone)]
pub struct Rendering {
    /// The images, in the order of the configuration.
    pub images: Vec<BuiltImage>,
    /// Reads the objects of a text, which is called by a name in messages.
    pub read: fn(&str, &str) -> Result<Vec<Manifest>, Diagnostic>,
    /// Puts images, debuggers and labels in.
    pub change: ChangeManifests,
    /// Writes objects as a text.
    pub write: fn(&ManifestSet) -> Result<String, Diagnostic>,
}

impl fmt::Debug for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendering").field("images", &self.images).finish_non_exhaustive()
    }
}

/// What every step of a deploy uses.
#[derive(Clone, Copy)]
struct Tools<'a> {
    job: &'a HelmJob,
    rendering: &'a Rendering,
    storage: Storage,
    cluster: &'a Cluster,
    cx: &'a Cx,
}

/// Returns what is in the cluster once every release is as configured, and those that left the configuration are gone.
///
/// # Errors
/// When helm is not installed, a chart or file is missing, a release is in a state that needs a decision or is somebody else's, or
/// helm fails. A release that fails holds those that come after it, and no other.
pub async fn deploy_releases(job: &HelmJob, rendering: &Rendering, cluster: &Cluster, cx: &Cx) -> Result<Release, DeployError> {
    let tools = Tools { job, rendering, storage: Storage::of(cx)?, cluster, cx };
    let releases = wanted::resolved(job, &rendering.images)?;
    for warning in releases.iter().flat_map(|release| &release.warnings).filter(|_| !rendering.images.is_empty()) {
        cx.warn(warning.clone());
    }
    helm::build_dependencies(&releases, &job.settings, cx).await?;
    let wanted = wanted::all(job, rendering, releases)?;
    namespace::create(&wanted, cluster, cx).await?;
    let name = inventory_name(job);
    let (mut inventory, records) =
        tokio::try_join!(async { Ok(Inventory::load(&name, &job.settings.namespace, cluster, cx).await?) }, records(&tools, &wanted))?;
    let standing: Vec<Standing> = standing::all(&tools, &wanted, &records, &inventory.entries).await?;
    inventory.save(announcement(&inventory.entries, &wanted, &standing, job.passing), cluster, cx).await?;
    let steps = wanted.iter().zip(&standing).map(|(wanted, standing)| upgrade::one(&tools, wanted, standing)).collect();
    let outcomes = order::in_order(&order::needs(&wanted), job.deploy.concurrency, steps).await;
    let kept = prune(&tools, &inventory.entries, &wanted).await?;
    settle(&mut inventory, &wanted, &outcomes, kept, cluster, cx).await?;
    let mut release = Release::default();
    for done in finished(outcomes)? {
        release.objects.extend(done.objects);
    }
    Ok(release)
}

/// The releases of a configuration have an inventory beside that of its manifests: each prunes what it does not know.
fn inventory_name(job: &HelmJob) -> String {
    format!("{} helm", job.inventory)
}

/// Returns what names a release in the inventory.
fn key(name: &str, namespace: &Namespace) -> ObjectKey {
    ObjectKey { group: "helm.sh".into(), kind: "Release".into(), namespace: Some(namespace.clone()), name: name.to_owned() }
}

/// Returns the records of the releases, by their key.
async fn records(tools: &Tools<'_>, wanted: &[Wanted]) -> Result<BTreeMap<ObjectKey, Vec<HelmRecord>>, DeployError> {
    let keys = wanted.iter().map(|wanted| wanted.key.clone());
    records_of(tools.storage, keys, tools.cluster, tools.cx).await
}

/// Returns the records of the releases with these keys: one list per namespace.
async fn records_of(
    storage: Storage,
    keys: impl IntoIterator<Item = ObjectKey>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<BTreeMap<ObjectKey, Vec<HelmRecord>>, DeployError> {
    let mut names: BTreeMap<Namespace, Vec<String>> = BTreeMap::new();
    for key in keys {
        if let Some(namespace) = key.namespace {
            names.entry(namespace).or_default().push(key.name);
        }
    }
    let lists = names.iter().map(|(namespace, names)| async move {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        storage.records(namespace, &names, cluster, cx).await
    });
    let mut records: BTreeMap<ObjectKey, Vec<HelmRecord>> = BTreeMap::new();
    for record in futures::future::try_join_all(lists).await?.into_iter().flatten() {
        records.entry(key(&record.name, &record.namespace)).or_default().push(record);
    }
    Ok(records)
}

/// What an entry says while helm is at work on its release, and after helm did not come to an end.
const BEGUN: &str = "begun";

/// Returns what the inventory says before helm runs: which releases it may leave behind, from which revision on. What that revision
/// was made from stays true until there is another.
fn announcement(
    before: &BTreeMap<ObjectKey, Entry>,
    wanted: &[Wanted],
    standing: &[Standing],
    passing: bool,
) -> BTreeMap<ObjectKey, Entry> {
    let mut entries = before.clone();
    for (wanted, standing) in wanted.iter().zip(standing).filter(|(_, standing)| standing.changes()) {
        let (known, revision) = (before.get(&wanted.key), standing.revision().to_string());
        let passes = passing && known.map_or(standing.is_new(), |entry| entry.passing);
        let manifest = known.filter(|entry| entry.uid == revision).map(|entry| entry.manifest.clone()).unwrap_or_default();
        let entry = Entry::named(wanted.key.clone(), "helm.sh/v1".to_owned(), passes);
        entries.insert(wanted.key.clone(), Entry { uid: revision, manifest, live: BEGUN.to_owned(), ..entry });
    }
    entries
}

/// Uninstalls what left the configuration, and returns the entries that stay.
async fn prune(tools: &Tools<'_>, before: &BTreeMap<ObjectKey, Entry>, wanted: &[Wanted]) -> Result<Vec<Entry>, DeployError> {
    let stale: Vec<&Entry> = before.values().filter(|entry| !wanted.iter().any(|wanted| wanted.key == entry.key)).collect();
    if !tools.job.prune || stale.is_empty() {
        return Ok(stale.into_iter().cloned().collect());
    }
    let records = records_of(tools.storage, stale.iter().map(|entry| entry.key.clone()), tools.cluster, tools.cx).await?;
    let gone = records.into_values().filter_map(|mut records| records.pop()).map(|record| delete::Doomed::pruned(record, tools.rendering));
    delete::uninstall_all(tools, gone.collect::<Result<_, _>>()?).await?;
    Ok(Vec::new())
}

/// Writes what came of it into the inventory: what failed stays announced.
async fn settle(
    inventory: &mut Inventory,
    wanted: &[Wanted],
    outcomes: &[Result<Done, Failed>],
    kept: Vec<Entry>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<(), DeployError> {
    let mut entries: BTreeMap<ObjectKey, Entry> = kept.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    for (wanted, outcome) in wanted.iter().zip(outcomes) {
        let Some(announced) = inventory.entries.get(&wanted.key).cloned() else { continue };
        let entry = match outcome {
            Ok(Done { revision: Some(revision), .. }) => {
                Entry { uid: revision.to_string(), manifest: wanted.digest.clone(), live: String::new(), ..announced }
            }
            _ => announced,
        };
        entries.insert(wanted.key.clone(), entry);
    }
    Ok(inventory.save(entries, cluster, cx).await?)
}

/// Returns what was done, or all that failed; what only waited for a failure says nothing.
fn finished(outcomes: Vec<Result<Done, Failed>>) -> Result<Vec<Done>, DeployError> {
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(one) => done.push(one),
            Err(Failed::Itself(error)) => errors.push(error),
            Err(Failed::Before) => {}
        }
    }
    if let Some(at) = errors.iter().position(DeployError::is_cancelled) {
        return Err(errors.swap_remove(at));
    }
    match errors.len() {
        0 => Ok(done),
        1 => Err(errors.swap_remove(0)),
        _ => Err(DeployError::Several(errors)),
    }
}
