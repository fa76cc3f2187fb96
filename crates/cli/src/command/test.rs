//! `devloop test`: test images that were built before.

use std::sync::Mutex;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Diagnostic;
use devloop_model::Test;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::pipeline::Pipeline;
use crate::pipeline::images_error;
use crate::prebuilt;
use crate::settings::Prebuilt;

/// Runs every test of the images that are named.
///
/// # Errors
/// When the images cannot be read, or one that has tests is not among them.
pub(crate) async fn run(pipeline: &Pipeline, images: &Prebuilt, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let images = prebuilt::images(images, &pipeline.session, &pipeline.target)?;
    let tests = &pipeline.session.plan.tests;
    let missing = |test: &&Test| !images.iter().any(|image| image.artifact == test.image);
    let mut missing: Vec<String> = tests.iter().filter(missing).map(|test| format!("`{}`", test.image)).collect();
    missing.dedup();
    if !missing.is_empty() {
        let help = "name them with `--images NAME=IMAGE`, or `--build-artifacts FILE` from `devloop build --file-output FILE`; \
                    `devloop run` builds and tests";
        return Err(images_error(format!("no image is given for the tests of {}", missing.join(", ")), help));
    }
    Ok(pipeline.run(Goal::test(), ImageSource::Given(images), reporter).await.0.into())
}
