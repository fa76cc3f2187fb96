//! An image as it is in a registry: one file system and one configuration, so that two builders can be compared.

mod config;
mod differences;
mod layer;
mod tree;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use devloop_clients::registry::Registry;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::ImageRef;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

pub use self::config::Config;
pub use self::differences::differences;
pub use self::layer::Layer;
pub use self::tree::File;
pub use self::tree::Kind;
pub use self::tree::Tree;

/// What an image is to whoever runs it.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Its file system.
    pub files: Tree,
    /// How it is run.
    pub config: Config,
}

/// Images of a registry; a layer that many share is read once.
pub struct Images {
    registry: Registry,
    cx: Cx,
    layers: Mutex<HashMap<String, Arc<OnceCell<Layer>>>>,
}

impl Images {
    /// Returns the images of whatever `registry` reaches.
    pub fn new(registry: Registry, cx: Cx) -> Self {
        Self { registry, cx, layers: Mutex::default() }
    }

    /// Returns the image of that name.
    ///
    /// # Errors
    /// When there is none, or a layer is not a tar archive.
    pub async fn read(&self, reference: &ImageRef) -> io::Result<Image> {
        let image = self.registry.image(reference, None, &self.cx).await.map_err(io::Error::other)?;
        let mut files = Tree::default();
        for descriptor in image.manifest.layers() {
            let digest = descriptor.digest().to_string();
            let cell = Arc::clone(self.layers.lock().await.entry(digest.clone()).or_default());
            let layer = cell.get_or_try_init(|| self.layer(reference, &digest)).await?;
            files.apply(layer);
        }
        Ok(Image { files, config: Config::of(&image.config) })
    }

    async fn layer(&self, reference: &ImageRef, digest: &str) -> io::Result<Layer> {
        let digest: Digest = digest.parse().map_err(io::Error::other)?;
        let file = tempfile::NamedTempFile::new()?;
        self.registry.download(&reference.name, &digest, file.path(), &self.cx).await.map_err(io::Error::other)?;
        let read = |file: &Path| Layer::read(&std::fs::read(file)?);
        read(file.path()).map_err(|error| io::Error::other(format!("layer {digest} of {reference}: {error}")))
    }
}
