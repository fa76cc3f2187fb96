//! Images that run in the container daemon.

use std::collections::HashSet;

use devloop_model::Artifact;
use devloop_model::DockerDeploy;
use devloop_model::DockerImage;
use devloop_model::Module;

use super::convert::Converter;

impl Converter<'_> {
    /// Returns `deploy.docker`.
    pub(super) fn docker_deploy(&self) -> Option<DockerDeploy> {
        let docker = self.module.config.deploy.docker.as_ref()?;
        let image = |(index, image): (usize, &String)| DockerImage {
            image: image.clone(),
            at: self.module.location(&format!("/deploy/docker/images/{index}")),
        };
        Some(DockerDeploy { images: docker.images.iter().enumerate().map(image).collect() })
    }
}

/// Takes sync away from artifacts that run in the container daemon: their changes are built.
pub(super) fn never_synced(artifacts: &mut [Artifact], modules: &[Module]) {
    let images: HashSet<&str> = modules
        .iter()
        .filter_map(|module| module.deploy.docker.as_ref())
        .flat_map(|docker| &docker.images)
        .map(|image| image.image.as_str())
        .collect();
    for artifact in artifacts.iter_mut().filter(|artifact| images.contains(artifact.image.as_str())) {
        artifact.sync = None;
    }
}
