//! `devloop render`: print the manifests that would be deployed.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Delivery;
use devloop_model::Diagnostic;
use devloop_model::ManifestSet;
use devloop_model::Stage;
use devloop_ui::Reporter;

use crate::args::DigestFrom;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;
use crate::prebuilt;
use crate::settings::Prebuilt;

/// Where manifests come from and go to.
pub(crate) struct Wanted<'a> {
    /// The file; none is standard output.
    pub file: Option<&'a Path>,
    /// Whether the cluster must not be asked.
    pub offline: bool,
    /// Where digests come from.
    pub digests: Option<DigestFrom>,
    /// Images built before.
    pub images: &'a Prebuilt,
    /// Whether standard output has events instead.
    pub json: bool,
}

/// Renders, and prints the manifests as asked.
///
/// # Errors
/// When images are named wrongly, or the file cannot be written.
pub(crate) async fn run(pipeline: &Pipeline, wanted: &Wanted<'_>, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let images = match (wanted.images.is_empty(), wanted.digests) {
        (false, _) => ImageSource::Given(prebuilt::images(wanted.images, &pipeline.session, &pipeline.target)?),
        (true, digests) => super::run::images(Some(digests.unwrap_or(usual(&pipeline.target.delivery)))),
    };
    let goal = Goal::for_images(&images).then(Stage::Render);
    let (ended, stages) = pipeline.run_with(goal, images, reporter, |specs| specs.render.offline = wanted.offline).await;
    if ended != Ended::Done {
        return Ok(ended.into());
    }
    let manifests = ManifestSet::joined(stages.manifests().iter().cloned());
    let text = devloop_render::to_yaml(&manifests).map_err(|error| error.diagnostic())?;
    match wanted.file {
        Some(file) => output::to_file(file, &text)?,
        None if wanted.json => {}
        None => reporter.lock().unwrap_or_else(PoisonError::into_inner).suspended(|| output::to_stdout(&text))?,
    }
    Ok(Exit::Done)
}

/// Returns where digests come from when nothing is said: a local cluster has no registry to ask.
fn usual(delivery: &Delivery) -> DigestFrom {
    match delivery {
        Delivery::Push => DigestFrom::Remote,
        Delivery::Load(_) => DigestFrom::Tag,
    }
}
