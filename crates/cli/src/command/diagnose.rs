//! `devloop diagnose`: the effective configuration, what is wrong with it, and why an image would be built.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use devloop_build::PreparedState;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::Severity;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Timestamp;
use devloop_model::Vars;
use devloop_ui::Reporter;
use tokio::sync::mpsc;

use crate::exit::Exit;
use crate::modules::Repos;
use crate::output;
use crate::pipeline::Pipeline;
use crate::session::config_options;
use crate::settings::Settings;

/// What is looked at, and where the result goes.
pub(crate) struct Wanted<'a> {
    /// The file; none is standard output.
    pub file: Option<&'a Path>,
    /// Whether templates are rendered.
    pub templates: bool,
    /// Whether to say what would be built, and why.
    pub explain: bool,
    /// Whether standard output has events instead.
    pub json: bool,
}

/// Prints nothing but the effective configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn configuration(
    settings: &Settings,
    env: &Env,
    repos: &Repos,
    templates: bool,
    file: Option<&Path>,
) -> Result<(), Vec<Diagnostic>> {
    let (source, options) = config_options(settings, env).map_err(|diagnostic| vec![diagnostic])?;
    let vars = templates.then(|| Vars::from_env(env));
    let text = devloop_config::effective_yaml(&source, &options, repos, vars.as_ref()).map_err(|error| error.diagnostics)?;
    print(file, &text).map_err(|diagnostic| vec![diagnostic])
}

/// Prints what was understood, or why images would be built; what is seen on the way are events.
///
/// # Errors
/// When the result cannot be written.
pub(crate) async fn run(pipeline: &Pipeline, wanted: &Wanted<'_>, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let (sender, mut facts) = mpsc::unbounded_channel();
    let cx = Cx::new(StepId::of(Stage::Prepare), pipeline.session.env.clone(), EventSink::new(sender), pipeline.cancel.clone());
    let mut seq = 0;
    let mut record = |fact: EventKind| {
        seq += 1;
        reporter.lock().unwrap_or_else(PoisonError::into_inner).report(&Event { seq, at: Timestamp::now(), fact });
    };
    let began = Instant::now();
    pipeline.opening().into_iter().for_each(&mut record);
    let result = {
        let mut work = std::pin::pin!(look(pipeline, wanted, &cx));
        loop {
            tokio::select! {
                biased;
                Some(fact) = facts.recv() => record(fact),
                result = &mut work => break result,
            }
        }
    };
    while let Ok(fact) = facts.try_recv() {
        record(fact);
    }
    let (text, fault) = match result {
        Ok(Findings { text, fault }) => (Some(text), fault),
        Err(fault) => (None, Some(fault)),
    };
    let (outcome, exit) = match fault {
        None => (Outcome::Succeeded, Exit::Done),
        Some(_) if pipeline.cancel.is_cancelled() => (Outcome::Cancelled, Exit::Done),
        Some(diagnostic) => (Outcome::Failed { diagnostic }, Exit::Failed),
    };
    record(EventKind::SessionEnded { outcome, duration: began.elapsed() });
    match text {
        Some(text) if wanted.file.is_some() || !wanted.json => print(wanted.file, &text)?,
        _ => {}
    }
    Ok(exit)
}

/// What is printed, and what is wrong with what it is about: of several faults the last, after the others were told.
struct Findings {
    text: String,
    fault: Option<Diagnostic>,
}

impl Findings {
    fn fault(&mut self, fault: Diagnostic, cx: &Cx) {
        if let Some(earlier) = self.fault.replace(fault) {
            cx.warn(earlier);
        }
    }
}

async fn look(pipeline: &Pipeline, wanted: &Wanted<'_>, cx: &Cx) -> Result<Findings, Diagnostic> {
    if wanted.explain {
        return explained(pipeline, cx).await.map(|text| Findings { text, fault: None });
    }
    understood(pipeline, wanted.templates, cx).await
}

/// Returns versions, each artifact and each test with its inputs, and the effective configuration.
async fn understood(pipeline: &Pipeline, templates: bool, cx: &Cx) -> Result<Findings, Diagnostic> {
    let session = &pipeline.session;
    let (artifacts, options) = (session.artifacts(), pipeline.build_options());
    let mut text = format!("devloop version: v{}\n", env!("CARGO_PKG_VERSION"));
    say(&mut text, &format!("Configuration version: {}", devloop_config::NEWEST_OF_SKAFFOLD));
    if !session.plan.profiles.is_empty() {
        say(&mut text, &format!("Active profiles: {}", session.plan.profiles.join(", ")));
    }
    say(&mut text, &format!("Number of artifacts: {}", artifacts.len()));
    let mut found = Findings { text, fault: None };
    for artifact in &artifacts {
        let began = Instant::now();
        let listed = devloop_build::list_inputs(artifact, &options, &session.clients, cx).await.map_err(|error| error.diagnostic());
        say(&mut found.text, &format!("\n{} artifact: {}", builder(artifact), artifact.image));
        let listed = match listed {
            Ok(listed) => listed,
            Err(fault) if cx.cancel.is_cancelled() => return Err(fault),
            Err(fault) => {
                say(&mut found.text, &format!(" - Inputs: cannot be listed: {}", fault.what));
                found.fault(fault, cx);
                continue;
            }
        };
        let (files, bytes, duration) = (listed.files, listed.bytes, began.elapsed());
        cx.emit(EventKind::InputsListed { artifact: artifact.image.clone(), files, bytes, duration });
        let text = &mut found.text;
        match devloop_build::examine_builder(artifact, &options, &session.clients, cx).await {
            None => {}
            Some(Ok(builder)) => say(text, &format!(" - Builder: {builder}")),
            Some(Err(fault)) => {
                say(text, &format!(" - Builder: none: {}", fault.what));
                cx.warn(Diagnostic { severity: Severity::Warning, ..fault });
            }
        }
        say(text, &format!(" - Size of the inputs: {bytes} bytes"));
        say(text, &format!(" - Inputs: {files} files"));
        say(text, &format!(" - Time to list them: {duration:?}"));
    }
    for test in &session.plan.tests {
        say(&mut found.text, &format!("\nTest of {}: {}", test.image, test.name()));
        match devloop_build::test_inputs(test, &options, cx).await {
            Ok(inputs) => say(&mut found.text, &format!(" - Inputs: {} files", inputs.files.len())),
            Err(error) => found.fault(error.diagnostic(), cx),
        }
    }
    let modules = session.plan.modules.iter().map(|module| &module.render);
    if let Err(error) = devloop_render::are_there(modules, &Vars::from_env(&session.env)) {
        found.fault(error.diagnostic(), cx);
    }
    say(&mut found.text, "\nConfiguration");
    let vars = templates.then(|| Vars::from_env(&session.env));
    let effective = devloop_config::effective_yaml(&session.source, &session.options, &session.repos, vars.as_ref());
    // What was a plan before still is one, unless the file changed under us.
    found.text.push_str(&effective.map_err(|mut error| error.diagnostics.swap_remove(0))?);
    Ok(found)
}

/// Returns for each artifact whether it would be built, and because of what.
async fn explained(pipeline: &Pipeline, cx: &Cx) -> Result<String, Diagnostic> {
    let (artifacts, options) = (pipeline.session.artifacts(), pipeline.build_options());
    let prepared = devloop_build::explain(&artifacts, &options, &pipeline.session.clients, cx).await;
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
    Ok(text)
}

fn builder(artifact: &Artifact) -> &'static str {
    match artifact.builder {
        Builder::Docker(_) => "Docker",
        Builder::Kaniko(_) => "Kaniko",
        Builder::Ko(_) => "Ko",
        Builder::Jib(_) => "Jib",
        Builder::Bazel(_) => "Bazel",
        Builder::Buildpacks(_) => "Buildpacks",
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
