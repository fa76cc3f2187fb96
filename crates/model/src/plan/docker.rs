//! Images that run as containers in the container daemon, with no cluster.

use std::path::PathBuf;

use crate::Location;
use crate::Plan;

/// `deploy.docker`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DockerDeploy {
    /// What is run, each as one container.
    pub images: Vec<DockerImage>,
    /// The Compose project that is run as well (`useCompose`).
    pub compose: Option<ComposeSpec>,
}

/// A Compose project, which docker compose runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeSpec {
    /// The directory that its files are looked for in.
    pub directory: PathBuf,
    /// Where it was asked for.
    pub at: Location,
}

/// One entry of `deploy.docker.images`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerImage {
    /// An artifact, or an image that the daemon has.
    pub image: String,
    /// Where the entry stands.
    pub at: Location,
}

impl Plan {
    /// Returns whether everything that is deployed runs in the container daemon, so that no cluster is asked for.
    pub fn needs_no_cluster(&self) -> bool {
        let in_cluster = self.modules.iter().any(|module| module.deploy.kubectl.is_some() || module.render.has_manifests());
        !in_cluster && self.modules.iter().any(|module| module.deploy.docker.is_some())
    }
}
