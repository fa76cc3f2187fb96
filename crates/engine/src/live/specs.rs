//! What the stages are given: all that the command line and the configuration say.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_attach::AttachSpec;
use devloop_build::BuildOptions;
use devloop_deploy::DeployJob;
use devloop_deploy::ReadySpec;
use devloop_deploy::docker::DockerJob;
use devloop_deploy::task::TaskJob;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_render::RenderJob;

use super::Pruning;
use crate::ImageSource;

/// What each stage is given, resolved before the first one starts.
#[derive(Debug, Clone)]
pub struct Specs {
    /// The environment of every step.
    pub env: Env,
    /// What can be built.
    pub artifacts: Vec<Arc<Artifact>>,
    /// Where images come from.
    pub images: ImageSource,
    /// How they are built.
    pub build: BuildOptions,
    /// The option that leaves builds out, to say so: `--dry-run=true`.
    pub builds_skipped_by: Option<&'static str>,
    /// Whether and how images that were replaced are removed from the daemon that built them.
    pub pruning: Option<Pruning>,
    /// Whether images that are given are put onto the nodes of a local cluster.
    pub load_given: bool,
    /// What is rendered; its images are filled in by then.
    pub render: RenderJob,
    /// How it is deployed, in order; taken back in reverse.
    pub deploy: Vec<DeployGroup>,
    /// How long it is waited for.
    pub ready: ReadySpec,
    /// What is followed and forwarded.
    pub attach: AttachSpec,
    /// What `verify` and `exec` run.
    pub tasks: TaskJob,
    /// Whether a delete only says what it would delete.
    pub delete_dry_run: bool,
    /// The files that all this was read from: absolute paths.
    pub config_files: Vec<PathBuf>,
    /// Only the sources of artifacts whose name contains one of these are watched; empty means all.
    pub watched: Vec<String>,
}

impl Specs {
    /// Returns whether anything is deployed into a cluster.
    pub(super) fn needs_cluster(&self) -> bool {
        self.deploy.iter().any(|group| group.deployer.needs_cluster())
    }

    /// Returns whether anything is deployed into the container daemon.
    pub(super) fn needs_daemon(&self) -> bool {
        self.deploy.iter().any(|group| group.deployer.docker().is_some())
    }

    /// Returns whether an image runs as a container of the container daemon.
    pub(super) fn runs_in_daemon(&self, image: &ImageName) -> bool {
        let jobs = self.deploy.iter().filter_map(|group| group.deployer.docker());
        jobs.flat_map(|job| &job.docker.images).any(|named| named.image == image.as_str())
    }

    /// Returns a hash of what is to run in the container daemon; nothing where nothing does.
    pub(super) fn daemon_hash(&self, images: &[BuiltImage]) -> String {
        let jobs: Vec<&DockerJob> = self.deploy.iter().filter_map(|group| group.deployer.docker()).collect();
        if jobs.is_empty() {
            return String::new();
        }
        let images: Vec<String> = images.iter().filter(|image| self.runs_in_daemon(&image.artifact)).map(BuiltImage::deployed).collect();
        let mut hasher = DefaultHasher::new();
        format!("{jobs:?} {images:?}").hash(&mut hasher);
        format!("-{:016x}", hasher.finish())
    }

    /// Returns the artifacts that were not there before, or are built in another way: those alone have to be looked at again.
    pub(super) fn built_differently(&self, before: &Self) -> Vec<ImageName> {
        let alike = self.env.iter().eq(before.env.iter()) && self.build.is_same(&before.build);
        let was_there = |artifact: &Artifact| before.artifacts.iter().any(|other| artifact.is_same(other));
        self.artifacts.iter().filter(|artifact| !alike || !was_there(artifact)).map(|artifact| artifact.image.clone()).collect()
    }
}

/// Modules that deploy in the same way, and do so together.
#[derive(Debug, Clone)]
pub struct DeployGroup {
    /// Which of the rendered sets.
    pub modules: Range<usize>,
    /// How.
    pub deployer: Deployer,
}

/// How modules deploy.
#[derive(Debug, Clone)]
pub enum Deployer {
    /// Manifests into a cluster.
    Kubectl(Box<DeployJob>),
    /// Images into the container daemon.
    Docker(Box<DockerJob>),
}

impl Deployer {
    /// Returns what names that which it deploys, over sessions.
    pub fn inventory(&self) -> &str {
        match self {
            Self::Kubectl(job) => &job.inventory,
            Self::Docker(job) => &job.inventory,
        }
    }

    /// Returns what is deployed into the container daemon, if it is.
    fn docker(&self) -> Option<&DockerJob> {
        match self {
            Self::Kubectl(_) => None,
            Self::Docker(job) => Some(job),
        }
    }

    /// Returns whether it deploys into a cluster.
    pub fn needs_cluster(&self) -> bool {
        match self {
            Self::Kubectl(_) => true,
            Self::Docker(_) => false,
        }
    }
}
