//! `devloop diagnose`: the effective configuration, what is wrong with it, and why an image would be built.

use std::path::Path;
use std::time::Instant;

use devloop_build::BuildOptions;
use devloop_build::PreparedState;
use devloop_config::NoFetch;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Reason;
use devloop_model::Vars;

use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;
use crate::session::Session;
use crate::session::config_options;
use crate::settings::Settings;

/// Prints nothing but the effective configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn configuration(settings: &Settings, env: &Env, templates: bool, file: Option<&Path>) -> Result<(), Vec<Diagnostic>> {
    let text = effective(settings, env, templates)?;
    print(file, &text).map_err(|diagnostic| vec![diagnostic])
}

fn effective(settings: &Settings, env: &Env, templates: bool) -> Result<String, Vec<Diagnostic>> {
    let (source, options) = config_options(settings, env).map_err(|diagnostic| vec![diagnostic])?;
    let vars = templates.then(|| Vars::from_env(env));
    devloop_config::effective_yaml(&source, &options, &NoFetch, vars.as_ref()).map_err(|error| error.diagnostics)
}

/// Prints what was understood: versions, each artifact with its inputs, and the effective configuration.
///
/// # Errors
/// When inputs cannot be listed, or the result cannot be written.
pub(crate) async fn run(session: &Session, templates: bool, file: Option<&Path>, cx: &Cx) -> Result<(), Vec<Diagnostic>> {
    let mut text = format!("devloop version: v{}\n", env!("CARGO_PKG_VERSION"));
    let artifacts = session.artifacts();
    let working_dir = std::env::current_dir().unwrap_or_default();
    let options = BuildOptions::without_cluster(session.settings.build.cache_dir.clone(), working_dir, session.settings.command.name());
    if !session.plan.profiles.is_empty() {
        say(&mut text, &format!("Active profiles: {}", session.plan.profiles.join(", ")));
    }
    say(&mut text, &format!("Number of artifacts: {}", artifacts.len()));
    for artifact in &artifacts {
        let began = Instant::now();
        let listed =
            devloop_build::list_inputs(artifact, &options, &session.clients, cx).await.map_err(|error| vec![error.diagnostic()])?;
        say(&mut text, &format!("\n{} artifact: {}", builder(artifact), artifact.image));
        say(&mut text, &format!(" - Size of the inputs: {} bytes", listed.bytes));
        say(&mut text, &format!(" - Inputs: {} files", listed.files));
        say(&mut text, &format!(" - Time to list them: {:?}", began.elapsed()));
    }
    for warning in &session.plan.warnings {
        say(&mut text, &format!("\n{warning}"));
    }
    say(&mut text, "\nConfiguration");
    text.push_str(&effective(&session.settings, &session.env, templates)?);
    print(file, &text).map_err(|diagnostic| vec![diagnostic])
}

/// Prints for each artifact whether it would be built, and because of what.
///
/// # Errors
/// When inputs cannot be read, or the result cannot be written.
pub(crate) async fn explain(pipeline: &Pipeline, file: Option<&Path>) -> Result<Exit, Diagnostic> {
    let cx = pipeline.session.cx(&pipeline.cancel);
    let options = pipeline.build_options();
    let artifacts = pipeline.session.artifacts();
    let prepared = devloop_build::explain(&artifacts, &options, &pipeline.session.clients, &cx).await;
    let mut text = String::new();
    for prepared in prepared.map_err(|error| error.diagnostic())? {
        match &prepared.state {
            PreparedState::Cached(image) => say(&mut text, &format!("{}: up to date, {}", prepared.artifact.image, image.deployed())),
            PreparedState::ToBuild { causes } => {
                say(&mut text, &format!("{}: would be built as {}", prepared.artifact.image, prepared.reference));
                for cause in causes {
                    say(&mut text, &format!(" - {}", Reason::Rebuild { causes: vec![cause.clone()] }));
                }
            }
        }
    }
    print(file, &text)?;
    Ok(Exit::Done)
}

fn builder(artifact: &Artifact) -> &'static str {
    match artifact.builder {
        Builder::Docker(_) => "Docker",
        Builder::Ko(_) => "Ko",
        Builder::Custom(_) => "Custom",
    }
}

fn say(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn print(file: Option<&Path>, text: &str) -> Result<(), Diagnostic> {
    file.map_or_else(|| output::to_stdout(text), |file| output::to_file(file, text))
}
