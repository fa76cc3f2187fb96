//! `devloop delete`: delete what was deployed, and nothing else.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_engine::Specs;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
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
    let change = |specs: &mut Specs| {
        specs.delete_dry_run = dry_run;
        // What was deployed is remembered: files that are gone keep nothing in the cluster.
        specs.render.modules.iter_mut().flat_map(|module| &mut module.raw_yaml).for_each(|entry| entry.may_match_nothing = true);
    };
    let (ended, stages) = pipeline.run_with(goal, ImageSource::None, reporter, change).await;
    if ended == Ended::Done && dry_run && !pipeline.session.settings.console.json {
        let text: String = stages.deletion().deleted.iter().map(|key| key.for_kubectl() + "\n").collect();
        reporter.lock().unwrap_or_else(PoisonError::into_inner).suspended(|| output::to_stdout(&text))?;
    }
    Ok(ended.into())
}

/// Deletes the builders of the namespaces that the configuration builds in, and prints their names.
///
/// # Errors
/// When they cannot be listed or deleted, or standard output cannot be written.
pub(crate) async fn builders(pipeline: &Pipeline) -> Result<Exit, Diagnostic> {
    let session = &pipeline.session;
    let cx = session.cx(&pipeline.cancel);
    let configured = session.plan.artifacts.iter().filter_map(|artifact| artifact.cluster()?.namespace.clone());
    let namespaces: BTreeSet<Namespace> = configured.chain([pipeline.target.namespace.clone()]).collect();
    for namespace in &namespaces {
        let removed = devloop_build::remove_builders(namespace, &session.clients, &cx).await.map_err(|error| error.diagnostic())?;
        for name in removed {
            output::to_stdout(&format!("builder {name} of namespace {namespace} deleted\n"))?;
        }
    }
    Ok(Exit::Done)
}
