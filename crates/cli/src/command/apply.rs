//! `devloop apply`: apply manifests that are rendered already.

use std::path::Path;
use std::sync::Mutex;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_engine::Specs;
use devloop_model::Diagnostic;
use devloop_model::RawManifests;
use devloop_model::RenderSpec;
use devloop_model::Stage;
use devloop_model::Template;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::pipeline::Pipeline;

/// Applies the manifests and waits until everything is ready; hooks, images and other deployers of the configuration do not count
/// (Skaffold's `pkg/skaffold/runner/apply.go`).
///
/// # Errors
/// When a name of a manifest cannot be one.
pub(crate) async fn run(pipeline: &Pipeline, manifests: &[String], reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let render = rendered(manifests)?;
    let goal = Goal::deploy().then_if(pipeline.checks_status(), Stage::StatusCheck).then_if(pipeline.attaches(), Stage::Attach);
    let change = |specs: &mut Specs| {
        specs.artifacts.clear();
        specs.render.modules = vec![render];
        specs.deploy = vec![pipeline.apply_group()];
    };
    Ok(pipeline.run_with(goal, ImageSource::None, reporter, change).await.0.into())
}

/// Returns what is read where files, URLs or `-` are named, and nothing else.
///
/// # Errors
/// When a name cannot be one.
pub(super) fn rendered(manifests: &[String]) -> Result<RenderSpec, Diagnostic> {
    let entry = |name: &String| {
        let path = if name == "-" { "/dev/stdin" } else { name };
        // A path is no template, whatever it looks like.
        let pattern = Template::parse(&path.replace("{{", "{{\"{{\"}}"))
            .map_err(|error| Diagnostic::error("cli/manifest", format!("`{name}` cannot name a manifest")).because(error.why))?;
        Ok(RawManifests { pattern, may_match_nothing: false, at: None })
    };
    let dir = std::env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned());
    Ok(RenderSpec { dir, raw_yaml: manifests.iter().map(entry).collect::<Result<_, Diagnostic>>()?, ..RenderSpec::default() })
}
