//! Releases to live connections, for as long as a session lasts: logs, port forwards and file sync.

mod containers;
mod debugging;
mod family;
mod forward;
mod logs;
mod objects;
mod sync;
mod watched;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_model::BuiltImage;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::Release;
use tokio::sync::watch;

pub use containers::attach_containers;
pub use forward::ForwardModes;
pub use forward::ForwardSpec;
pub use forward::UnknownMode;
pub use logs::LogSpec;
pub use sync::Known;
pub use sync::Mark;
pub use sync::SyncItem;
pub use sync::SyncJob;
pub use sync::Synced;
pub use sync::Syncer;
pub use sync::destinations;
pub use sync::working_dir;

use self::debugging::Debugging;
use self::family::Family;
use self::forward::Forwards;
use self::logs::Logs;
use self::watched::Seen;
use self::watched::Watched;

/// What is live now: each deploy of a session replaces it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The images of the release.
    pub images: Vec<BuiltImage>,
    /// Its objects.
    pub release: Release,
    /// What is live in the clusters of other contexts.
    pub elsewhere: BTreeMap<String, Release>,
}

impl Live {
    /// Returns what is live in the cluster of a context alone, or in that of the session.
    #[must_use]
    pub fn in_context(&self, context: Option<&str>) -> Self {
        let release = match context {
            Some(context) => self.elsewhere.get(context).cloned().unwrap_or_default(),
            None => self.release.clone(),
        };
        Self { images: self.images.clone(), release, elsewhere: BTreeMap::new() }
    }

    fn namespaces(&self) -> BTreeSet<&Namespace> {
        self.release.objects.iter().filter_map(|object| object.key.namespace.as_ref()).collect()
    }
}

/// What is kept connected.
#[derive(Debug, Clone)]
pub struct AttachSpec {
    /// Which logs are followed; none follows no logs.
    pub logs: Option<LogSpec>,
    /// Which ports are forwarded.
    pub forwards: ForwardSpec,
    /// Whether it is told which containers run under debuggers.
    pub debugs: bool,
}

/// Why a connection to a release could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The cluster could not be watched.
    #[error("the pods of the release could not be watched")]
    Watch(#[source] KubeError),
    /// Files could not be synced.
    #[error("{}", .0.what)]
    Sync(Box<Diagnostic>),
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<Diagnostic> for AttachError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Sync(Box::new(diagnostic))
    }
}

impl AttachError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Watch(source) => Diagnostic::error("attach/watch", self.to_string()).caused_by(source.diagnostic()),
            Self::Sync(diagnostic) => Diagnostic::clone(diagnostic),
            Self::Cancelled(cancelled) => Diagnostic::error("attach/cancelled", cancelled.to_string()),
        }
    }
}

/// Records the lines of all containers of what is live, each once and in order, until the step is cancelled.
///
/// # Errors
/// When pods cannot be watched at all.
pub async fn follow_logs(spec: &LogSpec, live: watch::Receiver<Arc<Live>>, cluster: &Cluster, cx: &Cx) -> Result<(), AttachError> {
    let attached = Attached { logs: Some(Logs::new(spec, cluster, cx)), ..Attached::default() };
    connected(attached, None, live, cluster, cx).await
}

/// Keeps local ports open for what is live, and records how each is, until the step is cancelled.
///
/// # Errors
/// When pods cannot be watched at all.
pub async fn forward_ports(spec: &ForwardSpec, live: watch::Receiver<Arc<Live>>, cluster: &Cluster, cx: &Cx) -> Result<(), AttachError> {
    let attached = Attached { forwards: Some(Forwards::open(spec, cluster, cx).await), ..Attached::default() };
    connected(attached, None, live, cluster, cx).await
}

/// Follows logs and forwards ports until the step is cancelled; both see the cluster through the same watches. A changed
/// configuration opens and closes ports; those that it leaves alone, and logs, go on.
///
/// # Errors
/// When pods cannot be watched at all. What goes wrong with one log or one port is told by an event, and ends nothing.
pub async fn attach(
    mut specs: watch::Receiver<AttachSpec>,
    live: watch::Receiver<Arc<Live>>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<(), AttachError> {
    let first = specs.borrow_and_update().clone();
    let logs = first.logs.as_ref().map(|logs| Logs::new(logs, cluster, cx));
    let forwards = Some(Forwards::open(&first.forwards, cluster, cx).await);
    let debugging = first.debugs.then(|| Debugging::new(cx));
    connected(Attached { logs, forwards, debugging }, Some(specs), live, cluster, cx).await
}

/// What is kept up to date together.
#[derive(Default)]
struct Attached<'a> {
    logs: Option<Logs<'a>>,
    forwards: Option<Forwards<'a>>,
    debugging: Option<Debugging<'a>>,
}

/// Keeps all of them up to date with what is live and with what the watches see.
async fn connected(
    attached: Attached<'_>,
    mut specs: Option<watch::Receiver<AttachSpec>>,
    mut live: watch::Receiver<Arc<Live>>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<(), AttachError> {
    let Attached { mut logs, mut forwards, mut debugging } = attached;
    let mut watched = Watched::new(cluster, cx);
    let (mut family, mut current) = (Family::default(), Arc::<Live>::default());
    live.mark_changed();
    let result = loop {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => break Ok(()),
            () = ended(logs.as_mut()) => {}
            Ok(()) = live.changed() => {
                let now = Arc::clone(&live.borrow_and_update());
                (family, current) = (Family::of(&now), Arc::clone(&now));
                if let Some(logs) = &mut logs {
                    watched.want(now.namespaces().into_iter().flat_map(Logs::scopes));
                    now.namespaces().into_iter().for_each(|namespace| logs.look_again(namespace, &family, &watched.known().objects));
                }
                if let Some(forwards) = &mut forwards {
                    watched.want(forwards.release(&now));
                    forwards.update(&family, watched.known()).await;
                }
                if let Some(debugging) = &mut debugging {
                    watched.want(now.namespaces().into_iter().flat_map(Logs::scopes));
                    debugging.update(&current, &family, &watched.known().objects);
                }
            }
            Some(spec) = another(specs.as_mut()) => if let Some(forwards) = &mut forwards {
                watched.want(forwards.respec(&spec.forwards).await);
                forwards.update(&family, watched.known()).await;
            },
            seen = watched.next() => {
                match seen {
                    Ok(Seen::Changed(changes)) => if let Some(logs) = &mut logs {
                        logs.take(&changes, &family, &watched.known().objects);
                    },
                    Ok(seen) => if let Some(forwards) = &mut forwards {
                        forwards.health(seen);
                    },
                    Err(error) => break Err(error),
                }
                if let Some(forwards) = &mut forwards {
                    forwards.update(&family, watched.known()).await;
                }
                if let Some(debugging) = &mut debugging {
                    debugging.update(&current, &family, &watched.known().objects);
                }
            }
        }
    };
    if let Some(forwards) = forwards {
        forwards.close().await;
    }
    result
}

/// Returns the next configuration; none when there will be no other.
async fn another(specs: Option<&mut watch::Receiver<AttachSpec>>) -> Option<AttachSpec> {
    let specs = specs?;
    specs.changed().await.ok()?;
    Some(specs.borrow_and_update().clone())
}

async fn ended(logs: Option<&mut Logs<'_>>) {
    match logs {
        Some(logs) => logs.ended().await,
        None => std::future::pending().await,
    }
}
