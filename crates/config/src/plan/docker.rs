//! Images that run in the container daemon.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::ComposeSpec;
use devloop_model::DockerDeploy;
use devloop_model::DockerImage;

use super::convert::Converter;

impl Converter<'_> {
    /// Returns `deploy.docker`.
    pub(super) fn docker_deploy(&self) -> Option<DockerDeploy> {
        let docker = self.module.config.deploy.docker.as_ref()?;
        let image = |(index, image): (usize, &String)| DockerImage {
            image: image.clone(),
            at: self.module.location(&format!("/deploy/docker/images/{index}")),
        };
        let images = docker.images.iter().enumerate().map(image).collect();
        Some(DockerDeploy { images, compose: docker.use_compose.then(|| self.compose()) })
    }

    fn compose(&self) -> ComposeSpec {
        let file = &self.module.module.file;
        let file = std::path::absolute(&**file).unwrap_or_else(|_| PathBuf::clone(file));
        let directory = file.parent().map(Path::to_owned).unwrap_or_default();
        ComposeSpec { directory, at: self.module.key_span("/deploy/docker/useCompose").location(None) }
    }
}
