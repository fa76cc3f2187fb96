//! What the stages are given: all that the command line and the configuration say.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_attach::AttachSpec;
use devloop_build::BuildOptions;
use devloop_deploy::DeployJob;
use devloop_deploy::HelmJob;
use devloop_deploy::ReadySpec;
use devloop_deploy::docker::DockerJob;
use devloop_deploy::task::TaskJob;
use devloop_model::Artifact;
use devloop_model::BuildSpec;
use devloop_model::Env;
use devloop_model::HelmRelease;
use devloop_model::Hooks;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::Test;
use devloop_render::RenderJob;
use devloop_render::Sources;

use super::Pruning;
use crate::ImageSource;

/// What each stage is given, resolved before the first one starts.
#[derive(Debug, Clone)]
pub struct Specs {
    /// The environment of every step.
    pub env: Env,
    /// What can be built.
    pub artifacts: Vec<Arc<Artifact>>,
    /// How images are tested.
    pub tests: Vec<Arc<Test>>,
    /// Where images come from.
    pub images: ImageSource,
    /// How they are built.
    pub build: BuildOptions,
    /// What each module builds together.
    pub builds: Vec<BuildSpec>,
    /// What tells this session from others.
    pub session: String,
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
    /// Whether it is waited for.
    pub checks_status: bool,
    /// How long it is waited for.
    pub ready: ReadySpec,
    /// What is followed and forwarded.
    pub attach: AttachSpec,
    /// Other contexts that modules deploy to, each with the namespace of objects that name none.
    pub elsewhere: BTreeMap<String, Namespace>,
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
    /// Returns what is followed and forwarded in the cluster of a context, or in that of the session.
    pub(super) fn attach_in(&self, context: Option<&str>) -> AttachSpec {
        let mut attach = self.attach.clone();
        attach.forwards.entries.retain(|entry| entry.context.as_deref() == context);
        if let Some(namespace) = context.and_then(|context| self.elsewhere.get(context)) {
            attach.forwards.namespace = namespace.clone();
        }
        attach
    }

    /// Returns whether anything is deployed into a cluster.
    pub(super) fn needs_cluster(&self) -> bool {
        self.deploy.iter().any(|group| group.deployer.needs_cluster())
    }

    /// Returns whether anything is deployed into the container daemon.
    pub(super) fn needs_daemon(&self) -> bool {
        self.docker_jobs().next().is_some()
    }

    /// Returns the jobs that are done in the container daemon.
    pub(super) fn docker_jobs(&self) -> impl Iterator<Item = &DockerJob> {
        self.deploy.iter().filter_map(|group| match &group.deployer {
            Deployer::Docker(job) => Some(&**job),
            Deployer::Kubectl(_) | Deployer::Helm(_) => None,
        })
    }

    /// Returns whether an image runs, or may run, as a container of the container daemon.
    pub(super) fn runs_in_daemon(&self, image: &ImageName) -> bool {
        let names = |job: &DockerJob| job.docker.images.iter().any(|named| named.image == image.as_str());
        // Which ones a Compose file names is known only when it is deployed.
        self.docker_jobs().any(|job| job.docker.compose.is_some() || names(job))
    }

    /// Returns the files that what is deployed follows from, besides the images.
    pub(super) fn sources(&self) -> Sources {
        let mut sources = devloop_render::sources(&self.render, self.helm_releases());
        sources.files.extend(self.docker_jobs().flat_map(|job| devloop_deploy::docker::files(job, &self.env)));
        sources
    }

    /// Returns the jobs that helm does.
    pub(super) fn helm_jobs(&self) -> impl Iterator<Item = &HelmJob> {
        self.deploy.iter().filter_map(|group| match &group.deployer {
            Deployer::Helm(job) => Some(&**job),
            Deployer::Kubectl(_) | Deployer::Docker(_) => None,
        })
    }

    /// Returns the releases that helm deploys.
    pub(super) fn helm_releases(&self) -> impl Iterator<Item = &HelmRelease> {
        self.helm_jobs().flat_map(|job| &job.deploy.releases)
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
    /// The Kubernetes context, where it is not the session's.
    pub context: Option<String>,
    /// How.
    pub deployer: Deployer,
    /// What runs around it.
    pub hooks: Hooks,
}

/// The closed set of deployers.
#[derive(Debug, Clone)]
pub enum Deployer {
    /// Manifests, applied.
    Kubectl(Box<DeployJob>),
    /// Releases, by helm.
    Helm(Box<HelmJob>),
    /// Images, run in the container daemon.
    Docker(Box<DockerJob>),
}

impl Deployer {
    /// Returns the identity of what is deployed: the same at each run of the same configuration.
    pub fn inventory(&self) -> &str {
        match self {
            Self::Kubectl(job) => &job.inventory,
            Self::Helm(job) => &job.inventory,
            Self::Docker(job) => &job.inventory,
        }
    }

    /// Returns whether it deploys into a cluster.
    pub fn needs_cluster(&self) -> bool {
        match self {
            Self::Kubectl(_) | Self::Helm(_) => true,
            Self::Docker(_) => false,
        }
    }
}
