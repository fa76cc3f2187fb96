//! Images that run as containers in the container daemon, with no cluster.

use crate::Location;
use crate::Plan;

/// `deploy.docker`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DockerDeploy {
    /// What is run, each as one container.
    pub images: Vec<DockerImage>,
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
