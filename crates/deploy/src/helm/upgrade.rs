//! One release, as it is to be.

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::helm;
use devloop_clients::helm::Call;
use devloop_clients::helm::ChartSource;
use devloop_clients::helm::HelmError;
use devloop_clients::helm::HelmRecord;
use devloop_clients::helm::Verb;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::Detail;
use devloop_clients::kube::Selection;
use devloop_clients::kube::built_in_kind;
use devloop_model::Change;
use devloop_model::EventKind;
use devloop_model::Manifest;
use devloop_model::ObjectKey;
use devloop_model::ReleasedObject;
use devloop_model::Stream;

use super::Tools;
use super::fixed_chart;
use super::objects;
use super::standing::First;
use super::standing::Next;
use super::standing::Standing;
use super::wanted::Wanted;
use crate::DeployError;

/// A release that is done.
#[derive(Debug)]
pub(super) struct Done {
    /// The revision that is as wanted; none where an older one is left as it is.
    pub(super) revision: Option<u64>,
    pub(super) objects: Vec<ReleasedObject>,
}

/// Returns the release once it is as wanted.
pub(super) async fn one(tools: &Tools<'_>, wanted: &Wanted, standing: &Standing) -> Result<Done, DeployError> {
    let (first, verb) = match &standing.next {
        Next::Refuse(diagnostic) => return Err(DeployError::Release(diagnostic.clone())),
        Next::Keep { current, objects } => return Ok(keep(tools, wanted, standing, *current, objects)),
        Next::Make { first, verb } => (*first, *verb),
    };
    let name = &wanted.release.name;
    match (first, &standing.last) {
        (Some(First::Uninstall), Some(last)) => {
            tools.cx.log(Stream::Stdout, format!("Release {name} is installed anew: its first install did not come to its end"));
            let flags = &wanted.release.spec.flags.global;
            helm::uninstall(name, last.namespace.as_str(), flags, &tools.job.settings, tools.cx).await?;
        }
        (Some(First::TakeBack), Some(last)) => {
            tools.cx.log(Stream::Stdout, format!("Revision {} of release {name} is taken back: it did not come to its end", last.revision));
            tools.storage.remove(last, tools.cluster, tools.cx).await?;
        }
        _ => {}
    }
    Box::pin(make(tools, wanted, verb)).await?;
    let record = last_record(tools, wanted).await?;
    let manifests = objects::of_record(&record, tools.rendering)?;
    let was_there: &[Manifest] = if verb == Verb::Upgrade { &standing.manifests } else { &[] };
    let (live, _) = objects::live(&manifests, &record.namespace, tools.cluster, tools.cx).await?;
    if wanted.release.spec.recreate_pods && verb == Verb::Upgrade {
        recreate_pods(tools, &manifests, &record).await?;
    }
    tell(tools, &record, was_there, &manifests, &live);
    Ok(Done { revision: Some(record.revision), objects: live })
}

fn keep(tools: &Tools<'_>, wanted: &Wanted, standing: &Standing, current: bool, objects: &[ReleasedObject]) -> Done {
    if !current {
        let why = if wanted.release.spec.upgrade_on_change.is_some() { "`upgradeOnChange` is off" } else { "its chart is a remote one" };
        tools.cx.log(Stream::Stdout, format!("Release {} is left as it is: {why}", wanted.release.name));
    }
    for object in objects {
        tools.cx.emit(EventKind::ObjectChanged { object: object.key.clone(), change: Change::Unchanged, fields: Vec::new() });
    }
    Done { revision: current.then(|| standing.revision()), objects: objects.to_vec() }
}

/// Runs helm: once, where the chart says all that is to be; where manifests may have to be changed by us, once to know them, and
/// once with what they are then.
async fn make(tools: &Tools<'_>, wanted: &Wanted, verb: Verb) -> Result<(), DeployError> {
    let (release, settings, cx) = (&wanted.release, &tools.job.settings, tools.cx);
    let scratch = scratch()?;
    let flags = force_flags(tools, wanted, verb).await?;
    let own = own_chart(tools, wanted, &scratch.path().join("own")).await?;
    let fixed = if wanted.needs_changes {
        let call = Call { chart: own.as_deref(), ..Call::default() };
        let rendered = helm::dry_run(release, verb, call, settings, cx).await?;
        let source = own.as_deref().or_else(|| local(wanted));
        fixed_chart::write(&rendered, source, &scratch.path().join("fixed"), tools.rendering)?
    } else {
        None
    };
    let chart = fixed.as_deref().or(own.as_deref());
    Ok(helm::run(release, verb, Call { chart, is_rendered: fixed.is_some(), flags: &flags }, settings, cx).await?)
}

fn scratch() -> Result<tempfile::TempDir, HelmError> {
    let made = tempfile::Builder::new().prefix("devloop-helm-").tempdir();
    made.map_err(|source| HelmError::Io { path: std::env::temp_dir(), source })
}

fn local(wanted: &Wanted) -> Option<&Path> {
    match &wanted.release.chart {
        ChartSource::Local(chart) => Some(&chart.path),
        ChartSource::Remote(_) => None,
    }
}

/// Returns a chart of our own, in `directory`, where the release asks for one or its manifests may have to be changed: packaged,
/// or fetched.
async fn own_chart(tools: &Tools<'_>, wanted: &Wanted, directory: &Path) -> Result<Option<PathBuf>, DeployError> {
    let (release, settings, cx) = (&wanted.release, &tools.job.settings, tools.cx);
    let make = || std::fs::create_dir_all(directory).map_err(|source| HelmError::Io { path: directory.to_owned(), source });
    match &release.chart {
        ChartSource::Local(chart) if release.package.is_some() => {
            make()?;
            Ok(Some(helm::package(release, &chart.path, directory, settings, cx).await?))
        }
        ChartSource::Remote(name) if wanted.needs_changes => {
            make()?;
            Ok(Some(helm::pull(release, name, directory, settings, cx).await?))
        }
        _ => Ok(None),
    }
}

/// Returns what `--force` means to this helm: replacing an object, which version 4 does not do server-side.
async fn force_flags(tools: &Tools<'_>, wanted: &Wanted, verb: Verb) -> Result<Vec<&'static str>, DeployError> {
    if !tools.job.force || verb != Verb::Upgrade {
        return Ok(Vec::new());
    }
    let (major, _) = helm::version(&wanted.release, tools.cx).await?;
    Ok(if major >= 4 { vec!["--force-replace", "--server-side=false"] } else { vec!["--force"] })
}

async fn last_record(tools: &Tools<'_>, wanted: &Wanted) -> Result<HelmRecord, DeployError> {
    let release = &wanted.release;
    let records = tools.storage.records(&release.namespace, &[&release.name], tools.cluster, tools.cx).await?;
    let last = records.into_iter().next_back();
    last.ok_or_else(|| {
        let at = Box::new(release.spec.at.clone());
        DeployError::Helm(HelmError::NoAnswer { release: release.name.clone(), at })
    })
}

/// Deletes the pods of every workload of the release, as `helm upgrade --recreate-pods` of version 3 does; version 4 has no such flag.
async fn recreate_pods(tools: &Tools<'_>, manifests: &[Manifest], record: &HelmRecord) -> Result<(), DeployError> {
    let kind = built_in_kind("v1", "Pod").expect("it is in the table");
    for labels in manifests.iter().filter_map(|manifest| manifest.object["spec"]["selector"]["matchLabels"].as_object()) {
        let selector: Vec<String> = labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
        let selection = Selection::of(kind.clone(), Some(record.namespace.clone())).labels(selector.join(","));
        for pod in tools.cluster.list(&selection, Detail::Metadata, tools.cx).await? {
            let key = ObjectKey {
                group: String::new(),
                kind: "Pod".into(),
                namespace: Some(record.namespace.clone()),
                name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            };
            let options = DeleteOptions { uid: pod["metadata"]["uid"].as_str().map(str::to_owned), ..DeleteOptions::default() };
            tools.cluster.delete("v1", &key, &options, tools.cx).await?;
        }
    }
    Ok(())
}

/// Tells what became of the objects, and what the chart says to its user.
fn tell(tools: &Tools<'_>, record: &HelmRecord, before: &[Manifest], after: &[Manifest], live: &[ReleasedObject]) {
    let (changes, gone) = objects::changes(before, after);
    for (manifest, (change, fields)) in after.iter().zip(changes) {
        let named = manifest.key();
        let object = live.iter().find(|object| object.key.is_called_as(&named)).map_or_else(|| named.clone(), |object| object.key.clone());
        tools.cx.emit(EventKind::ObjectChanged { object, change, fields });
    }
    for object in gone {
        tools.cx.emit(EventKind::ObjectChanged { object, change: Change::Pruned, fields: Vec::new() });
    }
    tools.cx.log(Stream::Stdout, format!("Release {} is at revision {}", record.name, record.revision));
    for line in record.notes.trim().lines() {
        tools.cx.log(Stream::Stdout, line);
    }
}
