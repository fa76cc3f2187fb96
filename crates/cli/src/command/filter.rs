//! `devloop filter`: images, labels and debuggers put into manifests of standard input, as a post-renderer of helm wants it.

use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Diagnostic;
use devloop_model::ManifestSet;
use devloop_model::Stage;
use devloop_model::Target;
use devloop_ui::Reporter;

use super::apply::rendered;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;
use crate::prebuilt;
use crate::settings::Prebuilt;

/// Changes the manifests and prints them; hooks and other sources of manifests do not count (Skaffold's `cmd/skaffold/app/cmd/filter.go`).
///
/// # Errors
/// When the images cannot be read.
pub(crate) async fn run(pipeline: &Pipeline, images: &Prebuilt, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    // What was built has its whole name.
    let target = Target { default_repo: None, ..pipeline.target.clone() };
    let images = ImageSource::Given(prebuilt::images(images, &pipeline.session, &target)?);
    let render = rendered(&["-".to_owned()])?;
    let goal = Goal::for_images(&images).then(Stage::Render);
    let (ended, stages) = pipeline.run_with(goal, images, reporter, |specs| specs.render.modules = vec![render]).await;
    if ended != Ended::Done {
        return Ok(ended.into());
    }
    let manifests = ManifestSet::joined(stages.manifests().iter().cloned());
    let text = devloop_render::to_yaml(&manifests).map_err(|error| error.diagnostic())?;
    reporter.lock().unwrap_or_else(PoisonError::into_inner).suspended(|| output::to_stdout(&text))?;
    Ok(Exit::Done)
}
