//! Manifest set to release: apply, inventory, prune, wait until ready, delete; images to containers in the same way.

mod delete;
pub mod docker;
mod error;
mod fingerprint;
mod helm;
mod hooks;
mod inventory;
mod kubectl;
mod prune;
mod rank;
mod ready;
pub mod task;
mod wanted;

use std::path::PathBuf;
use std::time::Duration;

use devloop_model::KubectlDeploy;
use devloop_model::Target;

pub use delete::Deletion;
pub use delete::delete;
pub use error::DeployError;
pub use helm::ChangeManifests;
pub use helm::HelmJob;
pub use helm::Rendering;
pub use helm::delete_releases;
pub use helm::deploy_releases;
pub use helm::fingerprint as fingerprint_releases;
pub use hooks::AFTER as AFTER_DEPLOY;
pub use hooks::BEFORE as BEFORE_DEPLOY;
pub use hooks::HookScope;
pub use hooks::Visited;
pub use hooks::run_hooks;
pub use inventory::INVENTORY_LABEL;
pub use kubectl::deploy;
pub use ready::*;

/// What a deploy or delete needs to know besides the manifests.
#[derive(Debug, Clone)]
pub struct DeployJob {
    /// `deploy.kubectl` of the configuration.
    pub kubectl: KubectlDeploy,
    /// Where to.
    pub target: Target,
    /// `--kubeconfig`, for calls of the real kubectl.
    pub kubeconfig: Option<PathBuf>,
    /// Identity of the configuration: the same text for the same project at each run; with the namespace it names the
    /// inventory.
    pub inventory: String,
    /// `--force`: delete and create anew what cannot be changed in place.
    pub force: bool,
    /// Whether objects that left the manifests are deleted.
    pub prune: bool,
    /// Whether manifests are looked for where there may be none: that none is found then deletes nothing.
    pub may_be_empty: bool,
    /// Whether what this deploy creates goes when the session ends; a delete then leaves alone what was there for longer.
    pub passing: bool,
    /// What happens to objects that are being deleted.
    pub wait_for_deletions: WaitForDeletions,
}

/// Whether and how long objects that are being deleted are waited for (`--wait-for-deletions`, `--wait-for-deletions-max`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitForDeletions {
    /// Whether to wait at all.
    pub enabled: bool,
    /// How long.
    pub max: Duration,
}

impl Default for WaitForDeletions {
    /// Skaffold's defaults.
    fn default() -> Self {
        Self { enabled: true, max: Duration::from_mins(1) }
    }
}

/// How many objects are worked on at once.
const CONCURRENCY: usize = 16;
