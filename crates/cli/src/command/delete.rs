//! `devloop delete`: delete what was deployed, and nothing else.

use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Diagnostic;
use devloop_model::Stage;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;

/// Deletes, or prints what would be deleted.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) async fn run(pipeline: &Pipeline, dry_run: bool, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let goal = Goal::first(Stage::Render).then(Stage::Delete);
    let (ended, stages) = pipeline.run_with(goal, ImageSource::None, reporter, |specs| specs.delete_dry_run = dry_run).await;
    if ended == Ended::Done && dry_run && !pipeline.session.settings.console.json {
        let text: String = stages.deletion().deleted.iter().map(|key| key.for_kubectl() + "\n").collect();
        reporter.lock().unwrap_or_else(PoisonError::into_inner).suspended(|| output::to_stdout(&text))?;
    }
    Ok(ended.into())
}
