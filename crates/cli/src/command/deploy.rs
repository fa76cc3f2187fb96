//! `devloop deploy`: deploy images that were built before.

use std::sync::Mutex;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Diagnostic;
use devloop_model::Stage;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::pipeline::Pipeline;
use crate::prebuilt;
use crate::settings::Prebuilt;

/// Deploys the named images and waits until everything is ready.
///
/// # Errors
/// When the images cannot be read, or an artifact has none.
pub(crate) async fn run(pipeline: &Pipeline, images: &Prebuilt, load: bool, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let images = ImageSource::Given(prebuilt::images_of_all(images, &pipeline.session, &pipeline.target)?);
    let goal = Goal::deploy().then_if(pipeline.checks_status(), Stage::StatusCheck).then_if(pipeline.attaches(), Stage::Attach);
    Ok(pipeline.run_with(goal, images, reporter, |specs| specs.load_given = load).await.0.into())
}
