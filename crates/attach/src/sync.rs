//! Files into running containers: those of a save, and all since the image was built into each new container.
//!
//! A [`Syncer`] keeps a ledger of what changed since each image was built. Every container of a synced artifact has one task with one
//! connection, which gives the container what it lacks: after a save, and, as a container loses its files when it starts anew, from
//! the start. Both are the same work, so that nothing is lost between them.

mod agent;
mod archive;
mod beside;
mod channel;
mod container;
mod content;
mod daemon;
mod destinations;
mod hooks;
mod keepers;
mod ledger;
mod place;
mod pods;
mod put;
mod session;
#[cfg(test)]
mod testing;
mod upload;
mod working_dir;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use devloop_clients::docker::Docker;
use devloop_clients::kube::Cluster;
use devloop_clients::registry::Registry;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::HookSettings;
use devloop_model::ImageName;
use tokio::sync::watch;

use self::channel::Route;
use self::container::Progress;
use self::daemon::DaemonSession;
pub use self::destinations::Known;
pub use self::destinations::SyncItem;
pub use self::destinations::destinations;
use self::ledger::Ledger;
pub use self::ledger::Mark;
use self::session::Session;
pub use self::working_dir::working_dir;
use crate::AttachError;
use crate::Live;

/// Files of one artifact to sync.
#[derive(Debug, Clone)]
pub struct SyncJob {
    /// The artifact; its `sync` says the hooks.
    pub artifact: Arc<Artifact>,
    /// The image that runs, for hooks: name and tag.
    pub image: String,
    /// What changed.
    pub items: Vec<SyncItem>,
    /// What holds for every hook of the session.
    pub hooks: HookSettings,
}

/// What a sync did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    /// How many containers have the files now.
    pub containers: usize,
}

/// Keeps running containers up to date for a whole session; cheap to clone, and all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Syncer(Arc<Shared>);

/// What the tasks of a syncer share.
#[derive(Debug, Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Said after each change of the ledger.
    changed: watch::Sender<Changed>,
    containers: Mutex<HashMap<ContainerKey, Member>>,
    /// The namespaces that are watched.
    namespaces: Mutex<Vec<String>>,
    /// The way that each image allows.
    routes: Arc<Mutex<HashMap<String, Route>>>,
}

/// UID of a pod, and name of its container; ID and name of a container of the daemon.
type ContainerKey = (String, String);

/// What tells tasks to look at the ledger.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    /// Counts every change.
    version: u64,
    /// Counts how often everything was to be sent again.
    round: u64,
}

/// A container that is kept up to date.
#[derive(Debug)]
struct Member {
    artifact: ImageName,
    progress: watch::Receiver<Progress>,
}

impl Shared {
    /// A panic leaves a whole ledger behind: each entry is written in one go.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn containers(&self) -> MutexGuard<'_, HashMap<ContainerKey, Member>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn namespaces(&self) -> MutexGuard<'_, Vec<String>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, is_new_round: bool) {
        self.changed.send_modify(|changed| {
            changed.version += 1;
            changed.round += u64::from(is_new_round);
        });
    }
}

impl Syncer {
    /// Returns a syncer that knows of no image yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the mark of all changes so far: to be taken before a build looks at its inputs, and given to [`Syncer::image_built`].
    pub fn mark(&self) -> Mark {
        self.0.ledger().now()
    }

    /// Notes an image of a synced artifact, built or found in a cache, that has all changes up to `contains`: its containers are kept
    /// up to date from now on, and lack only what came later. Containers of the image before go on getting all since theirs.
    pub fn image_built(&self, artifact: &Arc<Artifact>, image: &BuiltImage, contains: Mark) {
        if artifact.sync.is_some() {
            self.0.ledger().image_built(artifact, image, contains);
            self.0.tell(false);
        }
    }

    /// Sends everything that containers got since their images were built to all of them again.
    pub fn resync(&self) {
        self.0.tell(true);
    }

    /// Keeps the containers of what is live in a cluster up to date until the step is cancelled.
    ///
    /// # Errors
    /// When pods cannot be watched.
    pub async fn run(&self, live: watch::Receiver<Arc<Live>>, cluster: &Cluster, registry: &Registry, cx: &Cx) -> Result<(), AttachError> {
        Session::new(Arc::clone(&self.0), cluster, registry, cx).run(live).await
    }

    /// Keeps the containers of what is live in the container daemon up to date until the step is cancelled.
    pub async fn run_in_daemon(&self, live: watch::Receiver<Arc<Live>>, docker: &Docker, cx: &Cx) {
        DaemonSession::new(Arc::clone(&self.0), docker, cx).run(live).await;
    }

    /// Brings files into every running container of their artifact, with hooks before and after, and returns how many containers
    /// have them. A container that starts meanwhile gets them as soon as it runs. Hooks are told the Kubernetes context, if there is one.
    ///
    /// # Errors
    /// When a file cannot be written in one of the containers, a hook fails, or the step is cancelled; the image then has to be built.
    pub async fn sync(&self, job: &SyncJob, context: Option<&str>, cx: &Cx) -> Result<Synced, AttachError> {
        let (before, after) = job.artifact.sync.as_ref().map_or((&[][..], &[][..]), |spec| (&spec.hooks.before, &spec.hooks.after));
        let namespaces = self.0.namespaces().clone();
        let run = |phase| hooks::run(phase, job, &namespaces, context);
        hooks::on_host(before, &run(hooks::BEFORE), cx).await?;
        let mark = self.0.ledger().record(&job.artifact, &job.items);
        self.0.tell(false);
        let containers = cx.unless_cancelled(self.arrived(&job.artifact.image, mark)).await??;
        hooks::on_host(after, &run(hooks::AFTER), cx).await?;
        let deleted = job.items.iter().filter(|item| item.deleted && item.is_file()).count();
        cx.emit(EventKind::FilesSynced {
            artifact: job.artifact.image.clone(),
            copied: job.items.iter().filter(|item| !item.deleted).count(),
            deleted,
            containers,
            replayed: false,
        });
        Ok(Synced { containers })
    }

    /// Returns how many containers have everything up to `mark`, once each has it, has failed, or runs no more.
    async fn arrived(&self, artifact: &ImageName, mark: Mark) -> Result<usize, Diagnostic> {
        let members: Vec<_> =
            self.0.containers().values().filter(|member| member.artifact == *artifact).map(|member| member.progress.clone()).collect();
        let mut arrived = 0;
        for mut member in members {
            let is_over = |progress: &Progress| {
                !progress.running || progress.done >= mark || progress.failed.as_ref().is_some_and(|(failed, _)| *failed >= mark)
            };
            // Its task ends with its pod.
            let Ok(progress) = member.wait_for(is_over).await.map(|progress| progress.clone()) else { continue };
            match progress.failed {
                Some((_, why)) if progress.running => return Err(why),
                _ => arrived += usize::from(progress.running && progress.done >= mark),
            }
        }
        Ok(arrived)
    }
}
