//! `devloop run`: build, deploy, wait until ready, once.

use std::sync::Mutex;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Diagnostic;
use devloop_model::Hooks;
use devloop_model::Stage;
use devloop_model::Vars;
use devloop_ui::Reporter;

use crate::args::DigestFrom;
use crate::exit::Exit;
use crate::pipeline::Pipeline;

/// Runs the whole pipeline.
///
/// # Errors
/// When manifests are missing.
pub(crate) async fn run(pipeline: &Pipeline, digests: Option<DigestFrom>, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let images = images(digests);
    let plan = &pipeline.session.plan;
    // What commands of the user's make while images are built is not there yet.
    if !plan.artifacts.iter().any(runs_commands) {
        let modules = plan.modules.iter().map(|module| &module.render);
        devloop_render::are_there(modules, &Vars::from_env(&pipeline.session.env)).map_err(|error| error.diagnostic())?;
    }
    let goal = Goal::for_images(&images)
        .then(Stage::Test)
        .then(Stage::Render)
        .then(Stage::Deploy)
        .then_if(pipeline.checks_status(), Stage::StatusCheck)
        .then_if(pipeline.attaches(), Stage::Attach);
    Ok(pipeline.run(goal, images, reporter).await.0.into())
}

fn runs_commands(artifact: &Artifact) -> bool {
    matches!(artifact.builder, Builder::Custom(_)) || artifact.hooks != Hooks::default()
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
