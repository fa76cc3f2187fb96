//! The real stages: each gets its own spec and the products of the steps before it.

mod attached;
mod debugging;
mod deploying;
mod hooks;
mod outage;
mod products;
mod pruning;
mod readiness;
mod rendering;
mod seen;
mod specs;
mod synced;
mod tested;
mod touched;
mod watched;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use devloop_attach::Live;
use devloop_attach::Mark;
use devloop_attach::Syncer;
use devloop_build::BuildOptions;
use devloop_build::Prepared;
use devloop_build::PreparedState;
use devloop_build::TestMemory;
use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::kube::Cluster;
use devloop_deploy::Deletion;
use devloop_deploy::Visited;
use devloop_deploy::task::Places;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::ManifestSet;
use devloop_model::Stage;
use devloop_model::Touched;
use devloop_render::RenderJob;
use tokio::sync::Notify;
use tokio::sync::RwLock;
use tokio::sync::watch;

use self::products::Products;
pub use self::pruning::Pruning;
pub use self::specs::DeployGroup;
pub use self::specs::Deployer;
pub use self::specs::Specs;
use self::watched::Watching;
use crate::Graph;
use crate::ImageSource;
use crate::Node;
use crate::Stages;
use crate::Work;
use crate::images;

/// A configuration that was read again.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// What it gives the stages.
    pub specs: Specs,
    /// What is to be said of it.
    pub facts: Vec<EventKind>,
}

/// Reads the configuration again; everything that is wrong with it otherwise.
pub type Reload = Arc<dyn Fn() -> Result<Reloaded, Vec<Diagnostic>> + Send + Sync>;

/// The stages of the program: real clients, and the products so far.
pub struct LiveStages {
    specs: watch::Sender<Arc<Specs>>,
    reload: Option<Reload>,
    watching: Option<Watching>,
    clients: Clients,
    /// Which tests succeeded.
    tested: TestMemory,
    products: Mutex<Products>,
    syncer: Syncer,
    /// What is live, for whatever is attached to it.
    live: watch::Sender<Arc<Live>>,
    /// What was waited for, and whether it became ready; none while it is being replaced.
    waited: watch::Sender<Option<(Arc<Live>, bool)>>,
    /// Which containers had which hook already.
    visited: Visited,
    /// Told when the images of a deploy run.
    settled: Notify,
    /// Shared by what finds or makes images until they are noted; what removes one is alone.
    taken: RwLock<()>,
}

impl LiveStages {
    /// Returns stages that have not done anything yet.
    pub fn new(specs: Specs, clients: Clients) -> Self {
        let mut products = Products::default();
        if let ImageSource::Given(given) = &specs.images {
            products.images = given.iter().map(|image| (image.artifact.clone(), image.clone())).collect();
        }
        let tested = specs.test_memory();
        Self {
            specs: watch::Sender::new(Arc::new(specs)),
            reload: None,
            watching: None,
            clients,
            tested,
            products: Mutex::new(products),
            syncer: Syncer::new(),
            live: watch::Sender::new(Arc::default()),
            waited: watch::Sender::new(None),
            visited: Visited::default(),
            settled: Notify::new(),
            taken: RwLock::new(()),
        }
    }

    /// Returns these stages with a way to read the configuration again.
    #[must_use]
    pub fn reloading(self, reload: Reload) -> Self {
        Self { reload: Some(reload), ..self }
    }

    /// Returns the images so far, in the order of the configuration; images that were given for no
    /// artifact come last.
    pub fn images(&self) -> Vec<BuiltImage> {
        self.products().images(&self.specs().artifacts)
    }

    /// Returns the manifests of each module, once they are rendered.
    pub fn manifests(&self) -> Arc<Vec<ManifestSet>> {
        Arc::clone(&self.products().manifests)
    }

    /// Returns what was deleted, or would be.
    pub fn deletion(&self) -> Deletion {
        self.products().deletion.clone()
    }

    async fn cluster(&self, cx: &Cx) -> Result<&Cluster, Diagnostic> {
        self.clients.cluster(cx).await.map_err(|e| e.diagnostic())
    }

    /// Returns the cluster of a context, or that of the session.
    async fn cluster_in(&self, context: Option<&str>, cx: &Cx) -> Result<Cluster, Diagnostic> {
        self.clients.cluster_in(context, cx).await.map_err(|e| e.diagnostic())
    }

    async fn docker(&self, cx: &Cx) -> Result<&Docker, Diagnostic> {
        self.clients.docker(cx).await.map_err(|e| e.diagnostic())
    }

    fn specs(&self) -> Arc<Specs> {
        Arc::clone(&self.specs.borrow())
    }

    /// A panic in another step leaves whole products behind: each is written in one go.
    fn products(&self) -> MutexGuard<'_, Products> {
        self.products.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration again; the last good one stays where the new one is wrong.
    async fn configure(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let Some(reload) = self.reload.clone() else { return Ok(()) };
        let read = tokio::task::spawn_blocking(move || reload()).await;
        match read.map_err(|error| Diagnostic::error("engine/panic", "the configuration could not be read").because(error.to_string()))? {
            Ok(Reloaded { specs, facts }) => {
                let specs = Arc::new(specs);
                let before = self.specs.send_replace(Arc::clone(&specs));
                for fact in facts {
                    cx.emit(fact);
                }
                let (artifacts, tests) = (specs.built_differently(&before), specs.tested_differently(&before));
                cx.emit(EventKind::PlanChanged { artifacts, tests });
                self.watch_files(cx);
                Ok(())
            }
            Err(diagnostics) => {
                let first = diagnostics.first().cloned();
                cx.emit(EventKind::PlanRejected { diagnostics });
                Err(first.unwrap_or_else(|| Diagnostic::error("config/unreadable", "the configuration cannot be read")))
            }
        }
    }

    /// Prepares, and watches what is known of by then, whether it went well or not.
    async fn prepare_and_watch(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic> {
        let prepared = self.prepare(work, cx).await;
        self.watch_files(cx);
        prepared
    }

    async fn prepare(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        if matches!(specs.images, ImageSource::Tags | ImageSource::Registry) {
            return self.tag(&specs, cx).await;
        }
        let artifacts: Vec<Arc<Artifact>> =
            specs.artifacts.iter().filter(|artifact| work.artifacts.contains(&artifact.image)).cloned().collect();
        let mut options = specs.build.clone();
        options.fresh.extend(work.fresh.iter().cloned());
        let mark = self.syncer.mark();
        let _taken = self.taken.read().await;
        let prepared = devloop_build::prepare(&artifacts, &options, &self.clients, cx).await.map_err(|e| e.diagnostic())?;
        let prepared: Vec<Arc<Prepared>> = prepared.into_iter().map(Arc::new).collect();
        let images: Vec<BuiltImage> = prepared.iter().filter_map(|prepared| cached(prepared)).collect();
        for image in &images {
            self.note_image(&specs, image, mark);
            cx.emit(EventKind::ImageReady { image: image.clone() });
        }
        self.products().prepared(&prepared, images, mark);
        if specs.images == ImageSource::Build {
            let to_build = to_build(&prepared);
            announce_builds(&to_build, &options, cx);
            self.before_builds(&specs, &to_build, cx).await?;
        }
        Ok(())
    }

    /// Finds images by their tags, where nothing is built.
    async fn tag(&self, specs: &Specs, cx: &Cx) -> Result<(), Diagnostic> {
        let tagged = devloop_build::tag(&specs.artifacts, &specs.build, &self.clients, cx).await.map_err(|e| e.diagnostic())?;
        let images = match specs.images {
            ImageSource::Registry => images::by_registry(&tagged, self.clients.registry(), cx).await?,
            _ => tagged.iter().map(images::by_tag).collect(),
        };
        if let Some(option) = specs.builds_skipped_by {
            cx.emit(EventKind::BuildsSkipped { option: option.to_owned() });
        }
        for image in &images {
            cx.emit(EventKind::ImageReady { image: image.clone() });
        }
        self.products().images.extend(images.into_iter().map(|image| (image.artifact.clone(), image)));
        Ok(())
    }

    async fn build(&self, artifact: &ImageName, cx: &Cx) -> Result<(), Diagnostic> {
        let (job, mark) = {
            let products = self.products();
            (products.build_job(artifact)?, products.marks.get(artifact).copied().unwrap_or_default())
        };
        let prepared = job.prepared.clone();
        let specs = self.specs();
        let options = &specs.build;
        let platforms = options.platforms_of(&prepared.artifact).to_vec();
        if !platforms.is_empty() {
            cx.emit(EventKind::PlatformsResolved { artifact: artifact.clone(), platforms });
        }
        let _taken = self.taken.read().await;
        let image = devloop_build::build(job, options, &self.clients, cx).await.map_err(|e| e.diagnostic())?;
        if self.products().built(&prepared, &image) {
            self.after_build(&specs, artifact, cx).await?;
            self.note_image(&specs, &image, mark);
            cx.emit(EventKind::ImageReady { image });
        }
        Ok(())
    }

    /// Tells the syncer what an image has, so that its containers get the rest.
    fn note_image(&self, specs: &Specs, image: &BuiltImage, mark: Mark) {
        if let Some(artifact) = specs.artifacts.iter().find(|artifact| artifact.image == image.artifact) {
            self.syncer.image_built(artifact, image, mark);
        }
    }

    async fn render(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let images = self.images();
        cx.emit(EventKind::ImagesResolved { images: images.clone() });
        let debug = self.debug_spec(&specs, &images, cx).await?;
        let job = RenderJob { images: images.clone(), debug: debug.clone(), bases: used_elsewhere(&specs), ..specs.render.clone() };
        let reads_cluster = !job.offline && job.modules.iter().any(|module| !module.remote_manifests.is_empty());
        let cluster = if reads_cluster { Some(self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?) } else { None };
        devloop_render::run_hooks_before(&job, cx).await.map_err(|e| e.diagnostic())?;
        self.note_sources(&specs);
        let manifests = devloop_render::render(&job, cluster, cx).await.map_err(|e| e.diagnostic())?;
        let objects = manifests.iter().map(|set| set.manifests.len()).sum();
        let hash = rendering::hash(&specs, &manifests, &images).await;
        cx.emit(EventKind::ManifestsRendered { objects, hash });
        let mut products = self.products();
        products.manifests = Arc::new(manifests);
        products.rendered = images;
        products.debug = debug;
        Ok(())
    }

    /// Runs the containers of `verify` or of an action to their ends.
    async fn run_tasks(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let docker = if specs.tasks.needs_daemon() { Some(self.docker(cx).await?) } else { None };
        let cluster = if specs.tasks.needs_cluster() { Some(self.cluster(cx).await?) } else { None };
        devloop_deploy::task::run(&specs.tasks, &self.images(), Places { docker, cluster }, cx).await
    }
}

/// Returns the artifacts that no manifest has to name: others are built from them, they run in the container daemon, or helm deploys,
/// whose charts use images in ways that only helm knows.
fn used_elsewhere(specs: &Specs) -> BTreeSet<ImageName> {
    let all = || specs.artifacts.iter().map(|artifact| artifact.image.clone());
    if specs.helm_jobs().next().is_some() {
        return all().collect();
    }
    let bases = specs.artifacts.iter().flat_map(|artifact| &artifact.requires).map(|requirement| requirement.image.clone());
    bases.chain(all().filter(|image| specs.runs_in_daemon(image))).collect()
}

/// Returns how many builds run at once: what the user says, else as many as there are. The builders
/// that share a machine's processors bound themselves.
fn concurrency(specs: &Specs) -> usize {
    specs.build.settings.concurrency.filter(|limit| *limit > 0).unwrap_or(specs.artifacts.len().max(1))
}

/// Says what is about to be built.
fn announce_builds(to_build: &[ImageName], options: &BuildOptions, cx: &Cx) {
    if !to_build.is_empty() {
        let concurrency = options.settings.concurrency.unwrap_or_default();
        cx.emit(EventKind::BuildsStarted { artifacts: to_build.to_vec(), concurrency });
    }
}

fn to_build(prepared: &[Arc<Prepared>]) -> Vec<ImageName> {
    let to_build = prepared.iter().filter(|prepared| matches!(prepared.state, PreparedState::ToBuild { .. }));
    to_build.map(|prepared| prepared.artifact.image.clone()).collect()
}

fn cached(prepared: &Prepared) -> Option<BuiltImage> {
    match &prepared.state {
        PreparedState::Cached(image) => Some(image.clone()),
        PreparedState::ToBuild { .. } => None,
    }
}

#[async_trait::async_trait]
impl Stages for LiveStages {
    fn graph(&self) -> Graph {
        let specs = self.specs();
        let is_tested = |image: &ImageName| specs.tests_of(image).next().is_some();
        let node = |artifact: &Arc<Artifact>| Node {
            image: artifact.image.clone(),
            requires: artifact.requires.iter().map(|requirement| requirement.image.clone()).collect(),
            syncs: artifact.sync.is_some(),
            is_tested: is_tested(&artifact.image),
        };
        let mut artifacts: Vec<Node> = specs.artifacts.iter().map(node).collect();
        for test in &specs.tests {
            // An image that is given to be tested may be built elsewhere.
            if !artifacts.iter().any(|node| node.image == test.image) {
                artifacts.push(Node { image: test.image.clone(), requires: Vec::new(), syncs: false, is_tested: true });
            }
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Graph { artifacts, concurrency: concurrency(&specs), tests_at_once: processors }
    }

    async fn run(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic> {
        let cx = &cx.clone().with_env(self.specs().env.clone());
        match (work.step.stage, &work.step.artifact) {
            (Stage::Configure, _) => self.configure(cx).await,
            (Stage::Prepare, _) => self.prepare_and_watch(work, cx).await,
            (Stage::Build, Some(artifact)) => self.build(artifact, cx).await,
            (Stage::Sync, Some(artifact)) => self.sync(artifact, cx).await,
            (Stage::Test, Some(artifact)) => self.test(artifact, cx).await,
            (Stage::Build | Stage::Test | Stage::Sync, None) => Ok(()),
            (Stage::Render, _) => self.render(cx).await,
            (Stage::Deploy, _) => self.deploy(cx).await,
            (Stage::StatusCheck, _) => self.wait_until_ready(cx).await,
            (Stage::Attach, _) => Box::pin(self.attach(cx)).await,
            (Stage::Delete, _) => self.delete(cx).await,
            (Stage::Verify | Stage::Exec, _) => Box::pin(self.run_tasks(cx)).await,
        }
    }

    async fn touched(&self, files: &[PathBuf], cx: &Cx) -> Touched {
        let touched = self.concerned(files, &cx.clone().with_env(self.specs().env.clone())).await;
        if touched.artifacts.iter().any(|artifact| artifact.syncable) {
            // Nothing looks at the inputs again before the next build, and they may be more or fewer.
            self.watch_files(cx);
        }
        touched
    }

    fn everything(&self) -> Touched {
        self.all()
    }

    async fn leave(&self, deleted: bool, cx: &Cx) {
        self.prune_at_end(deleted, &cx.clone().with_env(self.specs().env.clone())).await;
    }
}
