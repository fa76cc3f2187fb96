//! How containers are debugged: what their images say of how they are run.

use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageConfig;
use devloop_model::Severity;
use devloop_render::DebugImage;
use devloop_render::DebugSpec;
use futures::future::join_all;

use super::LiveStages;
use super::Specs;

impl LiveStages {
    /// Returns how the containers of `images` are debugged; none where they are not. One whose image cannot be read is told, and runs as
    /// it is.
    pub(super) async fn debug_spec(&self, specs: &Specs, images: &[BuiltImage], cx: &Cx) -> Result<Option<DebugSpec>, Diagnostic> {
        let Some(debug) = &specs.render.debug else { return Ok(None) };
        let asked = join_all(images.iter().map(|image| self.image_config(image, cx)));
        let configs = cx.unless_cancelled(asked).await.map_err(|error| Diagnostic::error("engine/cancelled", error.to_string()))?;
        let mut known = Vec::new();
        for (image, config) in images.iter().zip(configs) {
            match config {
                Ok(config) => known.push(DebugImage { image: image.clone(), config }),
                Err(why) => cx.warn(Diagnostic { severity: Severity::Warning, ..why }.help("it runs as it is, without a debugger")),
            }
        }
        Ok(Some(DebugSpec { images: known, ..debug.clone() }))
    }

    /// Returns what an image says of how it is run; each is asked for once.
    async fn image_config(&self, image: &BuiltImage, cx: &Cx) -> Result<ImageConfig, Diagnostic> {
        let known = self.products().configs.get(&image.deployed()).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let config = self.clients.image_config(image, cx).await?;
        self.products().configs.insert(image.deployed(), config.clone());
        Ok(config)
    }
}
