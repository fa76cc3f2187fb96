//! The real stages: each gets its own spec and the products of the steps before it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use devloop_attach::Live;
use devloop_attach::LogSpec;
use devloop_build::BuildJob;
use devloop_build::BuildOptions;
use devloop_build::Prepared;
use devloop_build::PreparedState;
use devloop_clients::Clients;
use devloop_deploy::Deletion;
use devloop_deploy::DeployJob;
use devloop_deploy::ReadySpec;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::ManifestSet;
use devloop_model::Release;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_render::RenderJob;

use crate::Graph;
use crate::ImageSource;
use crate::Node;
use crate::Stages;
use crate::images;

/// What each stage is given, resolved before the first one starts.
#[derive(Debug, Clone)]
pub struct Specs {
    /// What can be built.
    pub artifacts: Vec<Arc<Artifact>>,
    /// Where images come from.
    pub images: ImageSource,
    /// How they are built.
    pub build: BuildOptions,
    /// The option that leaves builds out, to say so: `--dry-run=true`.
    pub builds_skipped_by: Option<&'static str>,
    /// Whether images that are given are put onto the nodes of a local cluster.
    pub load_given: bool,
    /// What is rendered; its images are filled in by then.
    pub render: RenderJob,
    /// How it is deployed, in order; taken back in reverse.
    pub deploy: Vec<DeployGroup>,
    /// How long it is waited for.
    pub ready: ReadySpec,
    /// What is followed.
    pub logs: LogSpec,
    /// Whether a delete only says what it would delete.
    pub delete_dry_run: bool,
}

/// Modules that deploy in the same way, and do so together.
#[derive(Debug, Clone)]
pub struct DeployGroup {
    /// Which of the rendered sets.
    pub modules: Range<usize>,
    /// How.
    pub job: DeployJob,
}

/// The stages of the program: real clients, and the products so far.
#[derive(Debug)]
pub struct LiveStages {
    specs: Specs,
    clients: Clients,
    products: Mutex<Products>,
}

/// What the steps so far have made.
#[derive(Debug, Default)]
struct Products {
    prepared: BTreeMap<ImageName, Arc<Prepared>>,
    images: BTreeMap<ImageName, BuiltImage>,
    manifests: Arc<Vec<ManifestSet>>,
    release: Arc<Release>,
    deletion: Deletion,
}

impl LiveStages {
    /// Returns stages that have not done anything yet.
    pub fn new(specs: Specs, clients: Clients) -> Self {
        let mut products = Products::default();
        if let ImageSource::Given(given) = &specs.images {
            products.images = given.iter().map(|image| (image.artifact.clone(), image.clone())).collect();
        }
        Self { specs, clients, products: Mutex::new(products) }
    }

    /// Returns the artifacts as the loop sees them.
    pub fn graph(&self) -> Graph {
        let node = |artifact: &Arc<Artifact>| Node {
            image: artifact.image.clone(),
            requires: artifact.requires.iter().map(|requirement| requirement.image.clone()).collect(),
        };
        Graph { artifacts: self.specs.artifacts.iter().map(node).collect(), concurrency: self.concurrency() }
    }

    /// Returns how many builds run at once: what the user says, else as many as there are. The builders
    /// that share a machine's processors bound themselves.
    fn concurrency(&self) -> usize {
        self.specs.build.settings.concurrency.filter(|limit| *limit > 0).unwrap_or(self.specs.artifacts.len().max(1))
    }

    /// Returns the images so far, in the order of the configuration; images that were given for no
    /// artifact come last.
    pub fn images(&self) -> Vec<BuiltImage> {
        let mut known = self.products().images.clone();
        let in_order: Vec<BuiltImage> = self.specs.artifacts.iter().filter_map(|artifact| known.remove(&artifact.image)).collect();
        in_order.into_iter().chain(known.into_values()).collect()
    }

    /// Returns the manifests of each module, once they are rendered.
    pub fn manifests(&self) -> Arc<Vec<ManifestSet>> {
        Arc::clone(&self.products().manifests)
    }

    /// Returns what was deleted, or would be.
    pub fn deletion(&self) -> Deletion {
        self.products().deletion.clone()
    }

    /// Returns the manifests of a group's modules.
    fn manifests_of(&self, group: &DeployGroup) -> ManifestSet {
        ManifestSet::joined(self.manifests()[group.modules.clone()].iter().cloned())
    }

    /// A panic in another step leaves whole products behind: each is written in one go.
    fn products(&self) -> MutexGuard<'_, Products> {
        self.products.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn prepare(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let prepared =
            devloop_build::prepare(&self.specs.artifacts, &self.specs.build, &self.clients, cx).await.map_err(|e| e.diagnostic())?;
        let prepared: Vec<Arc<Prepared>> = prepared.into_iter().map(Arc::new).collect();
        let images = match self.specs.images {
            ImageSource::Tags => prepared.iter().map(|prepared| images::by_tag(prepared)).collect(),
            ImageSource::Registry => images::by_registry(&prepared, self.clients.registry(), cx).await?,
            _ => prepared.iter().filter_map(|prepared| cached(prepared)).collect(),
        };
        for image in &images {
            cx.emit(EventKind::ImageReady { image: image.clone() });
        }
        if self.specs.images == ImageSource::Build {
            self.announce_builds(&prepared, cx);
        }
        if let Some(option) = self.specs.builds_skipped_by {
            cx.emit(EventKind::BuildsSkipped { option: option.to_owned() });
        }
        let mut products = self.products();
        products.images.extend(images.into_iter().map(|image| (image.artifact.clone(), image)));
        products.prepared = prepared.into_iter().map(|prepared| (prepared.artifact.image.clone(), prepared)).collect();
        Ok(())
    }

    /// Says what is about to be built.
    fn announce_builds(&self, prepared: &[Arc<Prepared>], cx: &Cx) {
        let to_build = || prepared.iter().filter(|prepared| matches!(prepared.state, PreparedState::ToBuild { .. }));
        if to_build().next().is_none() {
            return;
        }
        let artifacts = to_build().map(|prepared| prepared.artifact.image.clone()).collect();
        cx.emit(EventKind::BuildsStarted { artifacts, concurrency: self.specs.build.settings.concurrency.unwrap_or_default() });
        for prepared in to_build() {
            let platforms = self.specs.build.platforms_of(&prepared.artifact).to_vec();
            if !platforms.is_empty() {
                cx.emit(EventKind::PlatformsResolved { artifact: prepared.artifact.image.clone(), platforms });
            }
        }
    }

    async fn build(&self, artifact: &ImageName, cx: &Cx) -> Result<(), Diagnostic> {
        let job = self.build_job(artifact)?;
        let image = devloop_build::build(job, &self.specs.build, &self.clients, cx).await.map_err(|e| e.diagnostic())?;
        cx.emit(EventKind::ImageReady { image: image.clone() });
        self.products().images.insert(artifact.clone(), image);
        Ok(())
    }

    fn build_job(&self, artifact: &ImageName) -> Result<BuildJob, Diagnostic> {
        let products = self.products();
        let lost = |what: &ImageName| Diagnostic::error("engine/lost", format!("`{what}` is built before it was prepared"));
        let prepared = products.prepared.get(artifact).ok_or_else(|| lost(artifact))?;
        let required = prepared.artifact.requires.iter().map(|requirement| {
            let image = products.images.get(&requirement.image).ok_or_else(|| lost(&requirement.image))?;
            Ok((requirement.alias.clone(), image.clone()))
        });
        Ok(BuildJob { prepared: Prepared::clone(prepared), required: required.collect::<Result<_, Diagnostic>>()? })
    }

    async fn render(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let images = self.images();
        cx.emit(EventKind::ImagesResolved { images: images.clone() });
        let job = RenderJob { images, bases: self.bases(), ..self.specs.render.clone() };
        let reads_cluster = !job.offline && job.modules.iter().any(|module| !module.remote_manifests.is_empty());
        let cluster = if reads_cluster { Some(self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?) } else { None };
        let manifests = devloop_render::render(&job, cluster, cx).await.map_err(|e| e.diagnostic())?;
        self.products().manifests = Arc::new(manifests);
        Ok(())
    }

    /// Returns the artifacts that others are built from.
    fn bases(&self) -> BTreeSet<ImageName> {
        self.specs.artifacts.iter().flat_map(|artifact| &artifact.requires).map(|requirement| requirement.image.clone()).collect()
    }

    async fn deploy(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?;
        if self.specs.load_given {
            for image in self.images() {
                let loaded = devloop_build::load_named(&image, &self.specs.build.target.delivery, &self.clients, cx).await;
                loaded.map_err(|e| e.diagnostic())?;
            }
        }
        let mut release = Release::default();
        for group in &self.specs.deploy {
            let deployed = devloop_deploy::deploy(&group.job, &self.manifests_of(group), cluster, cx).await.map_err(|e| e.diagnostic())?;
            release.objects.extend(deployed.objects);
        }
        self.products().release = Arc::new(release);
        Ok(())
    }

    async fn wait_until_ready(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?;
        let release = Arc::clone(&self.products().release);
        devloop_deploy::wait_until_ready(&self.specs.ready, &release, cluster, cx).await.map_err(|e| e.diagnostic())
    }

    async fn attach(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?;
        let live = Live { images: self.images(), release: Release::clone(&self.products().release) };
        let (_deploys, live) = tokio::sync::watch::channel(Arc::new(live));
        devloop_attach::follow_logs(&self.specs.logs, live, cluster, cx).await.map_err(|e| e.diagnostic())
    }

    async fn delete(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?;
        for group in self.specs.deploy.iter().rev() {
            let manifests = self.manifests_of(group);
            let deletion = devloop_deploy::delete(&group.job, &manifests, self.specs.delete_dry_run, cluster, cx).await;
            let Deletion { deleted, kept } = deletion.map_err(|e| e.diagnostic())?;
            let mut products = self.products();
            products.deletion.deleted.extend(deleted);
            products.deletion.kept.extend(kept);
        }
        Ok(())
    }
}

fn cached(prepared: &Prepared) -> Option<BuiltImage> {
    match &prepared.state {
        PreparedState::Cached(image) => Some(image.clone()),
        PreparedState::ToBuild { .. } => None,
    }
}

#[async_trait::async_trait]
impl Stages for LiveStages {
    async fn run(&self, step: &StepId, cx: &Cx) -> Result<(), Diagnostic> {
        match (step.stage, &step.artifact) {
            (Stage::Prepare, _) => self.prepare(cx).await,
            (Stage::Build, Some(artifact)) => self.build(artifact, cx).await,
            (Stage::Build | Stage::Sync, None) => Ok(()),
            (Stage::Configure | Stage::Sync, _) => Ok(()),
            (Stage::Render, _) => self.render(cx).await,
            (Stage::Deploy, _) => self.deploy(cx).await,
            (Stage::StatusCheck, _) => self.wait_until_ready(cx).await,
            (Stage::Attach, _) => self.attach(cx).await,
            (Stage::Delete, _) => self.delete(cx).await,
        }
    }
}
