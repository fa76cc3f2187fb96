//! `devloop run`: build, deploy, wait until ready, once.

use std::sync::Mutex;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Stage;
use devloop_ui::Reporter;

use crate::args::DigestFrom;
use crate::exit::Exit;
use crate::pipeline::Pipeline;

/// Runs the whole pipeline.
pub(crate) async fn run(pipeline: &Pipeline, digests: Option<DigestFrom>, reporter: &Mutex<Reporter>) -> Exit {
    let images = images(digests);
    let goal = Goal::for_images(&images)
        .then(Stage::Test)
        .then(Stage::Render)
        .then(Stage::Deploy)
        .then_if(pipeline.checks_status(), Stage::StatusCheck)
        .then_if(pipeline.attaches(), Stage::Attach);
    pipeline.run(goal, images, reporter).await.0.into()
}

/// Returns where images come from for a `--digest-source`.
pub(crate) fn images(digests: Option<DigestFrom>) -> ImageSource {
    match digests {
        None | Some(DigestFrom::Local) => ImageSource::Build,
        Some(DigestFrom::Remote) => ImageSource::Registry,
        Some(DigestFrom::Tag) => ImageSource::Tags,
        Some(DigestFrom::None) => ImageSource::None,
    }
}
