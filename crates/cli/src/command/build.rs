//! `devloop build`: build, tag and push or load the images.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::Runtime;
use devloop_model::Stage;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::output;
use crate::output_template::JsonNames;
use crate::output_template::OutputTemplate;
use crate::pipeline::Pipeline;

/// What `build` prints besides its progress.
pub(crate) struct Wanted<'a> {
    /// Whether standard output has the images.
    pub quiet: bool,
    /// Whether only tags are made.
    pub dry_run: bool,
    /// How images are printed.
    pub template: &'a str,
    /// Where they are written.
    pub file: Option<&'a Path>,
}

/// Builds what has to be built, and prints the images as asked.
///
/// # Errors
/// When the template is wrong, or the file cannot be written.
pub(crate) async fn run(pipeline: &Pipeline, wanted: &Wanted<'_>, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let template = OutputTemplate::parse(wanted.template, JsonNames::SmallFirst).map_err(|error| error.diagnostic())?;
    let (goal, images) =
        if wanted.dry_run { (Goal::first(Stage::Prepare), ImageSource::Tags) } else { (Goal::build(), ImageSource::Build) };
    let skipped_by = wanted.dry_run.then_some("--dry-run=true");
    let (ended, stages) = pipeline.run_with(goal, images, reporter, |specs| specs.builds_skipped_by = skipped_by).await;
    if ended != Ended::Done {
        return Ok(ended.into());
    }
    let text = template.print(&listed(&stages.images())).map_err(|error| error.diagnostic())?;
    if let Some(file) = wanted.file {
        output::to_file(file, &text)?;
    }
    if (wanted.quiet || wanted.dry_run) && !pipeline.session.settings.console.json {
        reporter.lock().unwrap_or_else(PoisonError::into_inner).suspended(|| output::to_stdout(&text))?;
    }
    Ok(Exit::Done)
}

/// Returns images in the structure that Skaffold's `build` prints (`cmd/skaffold/app/flags/build_output.go`).
fn listed(images: &[BuiltImage]) -> serde_json::Value {
    let entry = |image: &BuiltImage| {
        let runtime = image.runtime.map(runtime_name).unwrap_or_default();
        serde_json::json!({ "ImageName": image.artifact, "Tag": image.deployed(), "RuntimeType": runtime })
    };
    serde_json::json!({ "Builds": images.iter().map(entry).collect::<Vec<_>>() })
}

fn runtime_name(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go => "go",
        Runtime::NodeJs => "nodejs",
        Runtime::Jvm => "jvm",
        Runtime::Python => "python",
        Runtime::NetCore => "netcore",
    }
}
