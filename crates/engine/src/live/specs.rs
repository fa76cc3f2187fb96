//! What the stages are given: all that the command line and the configuration say.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_attach::AttachSpec;
use devloop_build::BuildOptions;
use devloop_deploy::DeployJob;
use devloop_deploy::ReadySpec;
use devloop_model::Artifact;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::Test;
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
    /// How images are tested.
    pub tests: Vec<Arc<Test>>,
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
    /// Whether a delete only says what it would delete.
    pub delete_dry_run: bool,
    /// The files that all this was read from: absolute paths.
    pub config_files: Vec<PathBuf>,
    /// Only the sources of artifacts whose name contains one of these are watched; empty means all.
    pub watched: Vec<String>,
}

impl Specs {
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
    pub job: DeployJob,
}
