//! Waiting until a release is ready: watched, not polled, and ended at once by what cannot become ready.
//!
//! One watch per kind and namespace follows the objects of the release. Only where one of them is not ready yet are
//! its pods, replica sets and events watched too, found by owner and newest revision, so that a failing pod of the
//! last release counts for nothing.

mod afterwards;
mod check;
mod fault;
mod note;
mod pod;
mod report;
mod workload;

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_clients::docker::DockerError;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::ResolvedKind;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Release;
use devloop_model::ReleasedObject;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use futures::stream::SelectAll;
use tokio::time::Instant;

pub use self::afterwards::follow_readiness;
pub(crate) use self::pod::container_statuses;
pub(crate) use self::report::together;

use self::check::About;
use self::check::Change;
use self::check::Check;
use self::check::Judgement;

/// How long the first judgement is held back for the pods that explain it.
const PODS_DEADLINE: Duration = Duration::from_secs(2);

/// How a release is waited for.
#[derive(Debug, Clone)]
pub struct ReadySpec {
    /// How long it may take (`statusCheckDeadlineSeconds`); a Deployment's own `progressDeadlineSeconds` wins.
    pub deadline: Duration,
    /// Whether what looks hopeless is waited for until the deadline (`tolerateFailuresUntilDeadline`).
    pub tolerate_failures_until_deadline: bool,
    /// Whether the first failure ends the waiting, or all objects are judged first.
    pub fast_fail: bool,
    /// How long a pod may be without a node: a cluster that scales by itself says within seconds that one is coming,
    /// and is then waited for until the deadline.
    pub unschedulable_grace: Duration,
}

impl Default for ReadySpec {
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(10),
            tolerate_failures_until_deadline: false,
            fast_fail: true,
            unschedulable_grace: Duration::from_secs(30),
        }
    }
}

/// Why a release is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// Objects failed, or were not ready in time.
    #[error("{}", .0.what)]
    Failed(Box<Diagnostic>),
    /// The cluster could not be watched.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// The container daemon could not be asked.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl ReadyError {
    /// Returns whether the cluster is away, so that the release may be ready a little later.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Kube(error) if error.is_outage())
    }

    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Failed(diagnostic) => (**diagnostic).clone(),
            Self::Kube(error) => error.diagnostic(),
            Self::Docker(error) => error.diagnostic(),
            Self::Cancelled(error) => Diagnostic::error("deploy/interrupted", error.to_string()),
        }
    }
}

/// Returns once every object of the release that has something to become ready is so; at once if all are.
///
/// Deployments, StatefulSets, DaemonSets, Jobs, bare Pods and custom resources are waited for.
///
/// # Errors
/// When an object cannot become ready or takes too long, the cluster cannot be watched, or the step was cancelled.
pub async fn wait_until_ready(spec: &ReadySpec, release: &Release, cluster: &Cluster, cx: &Cx) -> Result<(), ReadyError> {
    let start = Instant::now();
    let mut check = Check::new(spec);
    let mut watches = Watches { cluster, streams: SelectAll::new(), about: Vec::new() };
    let groups = groups(release, cluster, cx).await?;
    for (kind, namespace, objects) in groups {
        let built_in = built_in_kind(&kind.api_version(), &kind.kind).is_some();
        for object in &objects {
            check.add(object.key.clone(), built_in, object.generation, spec.deadline, start);
        }
        watches.open(About::Objects, selection(kind, namespace, &objects), cx);
    }
    follow(spec, &mut check, &mut watches, cx).await
}

type Group = (ResolvedKind, Option<Namespace>, Vec<ReleasedObject>);

/// Returns the objects that are waited for, by kind and namespace.
async fn groups(release: &Release, cluster: &Cluster, cx: &Cx) -> Result<Vec<Group>, ReadyError> {
    let mut groups: BTreeMap<(String, String, Option<Namespace>), Vec<ReleasedObject>> = BTreeMap::new();
    for object in release.objects.iter().filter(|object| is_waited_for(object)) {
        let key = (object.api_version.clone(), object.key.kind.clone(), object.key.namespace.clone());
        groups.entry(key).or_default().push(object.clone());
    }
    let mut resolved = Vec::new();
    for ((api_version, kind, namespace), objects) in groups {
        resolved.push((cluster.resource(&api_version, &kind, cx).await?, namespace, objects));
    }
    Ok(resolved)
}

/// Returns what is watched for the objects of a group: the only one there is, or all of their kind.
fn selection(kind: ResolvedKind, namespace: Option<Namespace>, objects: &[ReleasedObject]) -> Selection {
    let all = Selection::of(kind, namespace);
    match objects {
        [only] => all.fields(format!("metadata.name={}", only.key.name)),
        _ => all,
    }
}

fn is_waited_for(object: &ReleasedObject) -> bool {
    match built_in_kind(&object.api_version, &object.key.kind) {
        Some(kind) => matches!(
            (kind.group.as_str(), kind.kind.as_str()),
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet") | ("batch", "Job") | ("", "Pod")
        ),
        None => true,
    }
}

/// What a watch is about, and of which objects.
struct Watch {
    about: About,
    kind: ResolvedKind,
    namespace: Option<Namespace>,
    listed: bool,
}

/// The watches that are open.
struct Watches<'a> {
    cluster: &'a Cluster,
    streams: SelectAll<BoxStream<'static, (usize, Result<WatchEvent, KubeError>)>>,
    about: Vec<Watch>,
}

impl Watches<'_> {
    fn open(&mut self, about: About, selection: Selection, cx: &Cx) {
        let number = self.about.len();
        let stream = self.cluster.watch(&selection, cx);
        self.about.push(Watch { about, kind: selection.kind, namespace: selection.namespace, listed: false });
        self.streams.push(stream.map(move |event| (number, event)).boxed());
    }

    /// Whether the lists of objects, or of all that leads to their pods, are complete.
    fn are_listed(&self, about: About) -> bool {
        self.about.iter().all(|watch| watch.listed || (about == About::Objects && watch.about != About::Objects))
    }

    /// Watches what leads from the objects that are not ready to the reason.
    fn open_pods(&mut self, check: &Check, cx: &Cx) {
        let kind = |version, kind| built_in_kind(version, kind).expect("it is in the table");
        for (namespace, has_deployments) in check.namespaces_with_pending_pods() {
            let namespace = Some(Namespace(namespace));
            self.open(About::Pods, Selection::of(kind("v1", "Pod"), namespace.clone()), cx);
            if has_deployments {
                self.open(About::ReplicaSets, Selection::of(kind("apps/v1", "ReplicaSet"), namespace.clone()), cx);
            }
            self.open(About::Events, Selection::of(kind("v1", "Event"), namespace).fields("involvedObject.kind=Pod"), cx);
        }
    }

    fn take(&mut self, check: &mut Check, number: usize, event: Result<WatchEvent, KubeError>) -> Result<(), ReadyError> {
        let watch = &mut self.about[number];
        match event {
            Ok(event) => {
                let is_end = event == WatchEvent::Listed;
                check.apply(number, watch.about, event, Instant::now());
                if is_end {
                    watch.listed = true;
                    if watch.about == About::Objects {
                        check.absent(|key| is_of(key, watch));
                    }
                }
                Ok(())
            }
            Err(KubeError::Cancelled) => Err(Cancelled.into()),
            Err(error) if watch.about == About::Objects => Err(error.into()),
            // Without them there is less to say about a failure; the objects themselves are still watched.
            Err(error) => {
                tracing::debug!(kind = watch.kind.kind, %error, "not watched");
                watch.listed = true;
                Ok(())
            }
        }
    }
}

fn is_of(key: &ObjectKey, watch: &Watch) -> bool {
    key.kind == watch.kind.kind && key.group == watch.kind.group && key.namespace == watch.namespace
}

/// Takes in what the watches say until nothing has to be waited for.
async fn follow(spec: &ReadySpec, check: &mut Check, watches: &mut Watches<'_>, cx: &Cx) -> Result<(), ReadyError> {
    let end = Instant::now() + spec.deadline;
    let mut failed = Vec::new();
    let mut pods_by = None;
    loop {
        let now = Instant::now();
        let mut wake = end;
        // Before the lists are complete there is nothing to say, unless they never come.
        if watches.are_listed(About::Objects) || now >= end {
            if pods_by.is_none() && !check.is_ready(now) {
                watches.open_pods(check, cx);
                pods_by = Some(now + PODS_DEADLINE);
            }
            // A failure is said with the pod that it comes from.
            if let Some(pods_by) = pods_by.filter(|by| now < *by && !watches.are_listed(About::Pods)) {
                wake = end.min(pods_by);
            } else {
                let judgement = check.judge(now);
                wake = judgement.wake.unwrap_or(end);
                let is_over = judgement.done || spec.fast_fail && !judgement.failures.is_empty();
                failed.extend(say(judgement, watches.cluster, cx).await);
                if is_over {
                    return report::together(failed).map_or(Ok(()), |error| Err(ReadyError::Failed(Box::new(error))));
                }
            }
        }
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(Cancelled.into()),
            event = watches.streams.next() => {
                let Some((number, event)) = event else { return Err(Cancelled.into()) };
                watches.take(check, number, event)?;
                while let Some(Some((number, event))) = watches.streams.next().now_or_never() {
                    watches.take(check, number, event)?;
                }
            }
            () = tokio::time::sleep_until(wake) => {}
        }
    }
}

/// Records what changed and what is waited out; returns what failed.
async fn say(judgement: Judgement, cluster: &Cluster, cx: &Cx) -> Vec<Diagnostic> {
    for Change { object, ready, message, pending, total } in judgement.changes {
        cx.emit(EventKind::Readiness { object, ready, message, pending, total });
    }
    for failure in judgement.tolerated {
        cx.warn(report::warning(&failure, cluster, cx).await);
    }
    let mut failed = Vec::new();
    for failure in &judgement.failures {
        failed.push(report::diagnostic(failure, cluster, cx).await);
    }
    failed
}
