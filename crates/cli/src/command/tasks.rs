//! `devloop verify` and `devloop exec`: containers that run to their ends.

use std::sync::Mutex;

use devloop_deploy::task::TaskJob;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_model::Diagnostic;
use devloop_model::Plan;
use devloop_model::Stage;
use devloop_model::TaskGroup;
use devloop_model::nearest;
use devloop_ui::Reporter;

use crate::exit::Exit;
use crate::pipeline::Pipeline;
use crate::prebuilt;
use crate::settings::TaskSettings;

/// Runs the tests of `verify`.
///
/// # Errors
/// When there are none, or the images or the environment file cannot be read.
pub(crate) async fn verify(pipeline: &Pipeline, settings: &TaskSettings, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let groups = pipeline.session.plan.verify.clone();
    if groups.is_empty() {
        let error = Diagnostic::error("verify/no-tests", "this configuration has no tests to verify a deployment with");
        return Err(error.help("write them under `verify` in skaffold.yaml"));
    }
    run(pipeline, Stage::Verify, groups, settings, reporter).await
}

/// Runs a custom action.
///
/// # Errors
/// When there is no such action, or the images or the environment file cannot be read.
pub(crate) async fn exec(
    pipeline: &Pipeline,
    action: &str,
    settings: &TaskSettings,
    reporter: &Mutex<Reporter>,
) -> Result<Exit, Diagnostic> {
    let group = find(&pipeline.session.plan, action)?.clone();
    run(pipeline, Stage::Exec, vec![group], settings, reporter).await
}

/// Returns the action of this name.
fn find<'p>(plan: &'p Plan, action: &str) -> Result<&'p TaskGroup, Diagnostic> {
    if let Some(found) = plan.custom_actions.iter().find(|group| group.name == action) {
        return Ok(found);
    }
    let names: Vec<&str> = plan.custom_actions.iter().map(|group| group.name.as_str()).collect();
    let error = Diagnostic::error("exec/unknown-action", format!("there is no custom action `{action}`"));
    Err(match (nearest(action, &names), names.is_empty()) {
        (Some(near), _) => error.help(format!("did you mean `{near}`?")),
        (None, true) => error.help("write it under `customActions` in skaffold.yaml"),
        (None, false) => error.help(format!("use one of: {}", names.join(", "))),
    })
}

async fn run(
    pipeline: &Pipeline,
    stage: Stage,
    groups: Vec<TaskGroup>,
    settings: &TaskSettings,
    reporter: &Mutex<Reporter>,
) -> Result<Exit, Diagnostic> {
    let env = settings.env_file.as_deref().map(devloop_config::read_env_file).transpose()?.unwrap_or_default();
    let images = prebuilt::images(&settings.images, &pipeline.session, &pipeline.target)?;
    let tasks = TaskJob {
        groups,
        env,
        network: settings.network.clone(),
        project_network: pipeline.network(),
        namespace: Some(pipeline.target.namespace.clone()),
    };
    let goal = Goal::first(stage);
    Ok(pipeline.run_with(goal, ImageSource::Given(images), reporter, |specs| specs.tasks = tasks).await.0.into())
}

#[cfg(test)]
mod tests {
    use devloop_model::Location;
    use devloop_model::TaskPlace;

    use super::*;

    #[test]
    fn an_action_that_is_none_is_told_with_those_that_are() {
        let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None };
        let place = TaskPlace::Daemon { use_local_images: false };
        let group = |name: &str| TaskGroup {
            name: name.into(),
            tasks: Vec::new(),
            fail_fast: true,
            timeout: None,
            place: place.clone(),
            at: at.clone(),
        };
        let plan = Plan { custom_actions: vec![group("migrate"), group("seed")], ..Plan::default() };
        assert_eq!(find(&plan, "seed").unwrap().name, "seed");
        let said = |plan: &Plan, action: &str| find(plan, action).unwrap_err().to_string();
        insta::assert_snapshot!(
            [said(&plan, "migrat"), said(&plan, "x"), said(&Plan::default(), "x")].join("\n\n"),
            @r"
        error[exec/unknown-action]: there is no custom action `migrat`
        help: did you mean `migrate`?

        error[exec/unknown-action]: there is no custom action `x`
        help: use one of: migrate, seed

        error[exec/unknown-action]: there is no custom action `x`
        help: write it under `customActions` in skaffold.yaml
        "
        );
    }
}
