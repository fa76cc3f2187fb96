//! `devloop inspect`: what editors ask of a configuration, answered in JSON on standard output, errors too.

mod changes;

use std::path::Path;

use devloop_config::BuildEnv;
use devloop_config::Change;
use devloop_config::ConfigSource;
use devloop_config::Inspection;
use devloop_config::Options;
use devloop_model::Diagnostic;
use devloop_model::Env;
use serde_json::Value as Json;

use crate::args::BuildEnvAction;
use crate::args::BuildEnvName;
use crate::args::DependenciesAction;
use crate::args::InspectSubject;
use crate::args::JobManifestPathsAction;
use crate::args::ModulesAction;
use crate::args::NamespacesAction;
use crate::args::ProfilesAction;
use crate::exit::Exit;
use crate::modules::Repos;
use crate::output;
use crate::session::options_without_context;
use crate::settings::Settings;

/// Answers a question, or changes the configuration; what is wrong is an answer as well, which editors read there.
pub(crate) fn run(settings: &Settings, subject: &InspectSubject, env: &Env, repos: &Repos) -> Exit {
    let (answer, exit) = match answer(settings, subject, env, repos) {
        Ok(answer) => (answer.map(|answer| format!("{answer}\n")), Exit::Done),
        Err(faults) => (Some(format!("{}\n", devloop_config::refusal(&faults))), Exit::Failed),
    };
    match answer.map_or(Ok(()), |answer| output::to_stdout(&answer)) {
        Ok(()) => exit,
        Err(_) => Exit::Failed,
    }
}

fn answer(settings: &Settings, subject: &InspectSubject, env: &Env, repos: &Repos) -> Result<Option<Json>, Vec<Diagnostic>> {
    let (source, options) = options_without_context(settings, env).map_err(|fault| vec![fault])?;
    let open = || Inspection::open(&source, &options, repos).map_err(|error| error.diagnostics);
    Ok(Some(match subject {
        InspectSubject::Modules { action: ModulesAction::List { all } } => open()?.modules(all.0),
        InspectSubject::Profiles { action: ProfilesAction::List { build_env } } => open()?.profiles(build_env.map(BuildEnv::from)),
        InspectSubject::BuildEnv { action: BuildEnvAction::List } => open()?.build_envs(),
        InspectSubject::Tests { .. } => open()?.tests(),
        InspectSubject::Namespaces { action: NamespacesAction::List { manifests } } => open()?.namespaces(manifests)?,
        InspectSubject::ExecutionModes { .. } => open()?.execution_modes(),
        InspectSubject::JobManifestPaths { action: JobManifestPathsAction::List } => open()?.job_manifest_paths(),
        InspectSubject::JobManifestPaths { action: JobManifestPathsAction::Modify { paths, output } } => {
            let text =
                devloop_config::effective_yaml_with_jobs(&source, &options, repos, &json_of(paths)?).map_err(|error| error.diagnostics)?;
            output.as_deref().map_or_else(|| output::to_stdout(&text), |file| output::to_file(file, &text)).map_err(|fault| vec![fault])?;
            return Ok(None);
        }
        InspectSubject::BuildEnv { action } => {
            write(&source, options, repos, |profile| changes::of_build_env(action, profile))?;
            return Ok(None);
        }
        InspectSubject::ConfigDependencies { action: DependenciesAction::Add { dependencies } } => {
            let change = changes::of_requirements(&json_of(dependencies)?).ok_or_else(|| {
                let fault = Diagnostic::error("inspect/input", format!("{} has no list `dependencies`", dependencies.display()));
                vec![fault.help("write `{\"dependencies\": [{\"path\": …}]}`, with entries as `requires` has them")]
            })?;
            write(&source, options, repos, |_| Some(change))?;
            return Ok(None);
        }
    }))
}

/// Changes the files of the configuration, all or none.
fn write(
    source: &ConfigSource,
    mut options: Options,
    repos: &Repos,
    change: impl FnOnce(Option<String>) -> Option<Change>,
) -> Result<(), Vec<Diagnostic>> {
    if let ConfigSource::Text { .. } = source {
        let what = "a configuration on standard input cannot be changed";
        return Err(vec![Diagnostic::error("inspect/stdin", what).help("name the file by `--filename`")]);
    }
    // What is changed may be a profile that is not there yet.
    let Some(change) = change(std::mem::take(&mut options.profiles).pop()) else { return Ok(()) };
    let inspection = Inspection::open(source, &options, repos).map_err(|error| error.diagnostics)?;
    for (file, text) in inspection.change(&change, &options.modules)? {
        if std::fs::read_to_string(&file).is_ok_and(|before| before != text) {
            output::to_file(&file, &text).map_err(|fault| vec![fault])?;
        }
    }
    Ok(())
}

/// Returns what a file of JSON has.
fn json_of(file: &Path) -> Result<Json, Vec<Diagnostic>> {
    let fault = |why: String| vec![Diagnostic::error("inspect/input", format!("{} is not what is read here", file.display())).because(why)];
    let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| fault(error.to_string()))
}

impl From<BuildEnvName> for BuildEnv {
    fn from(name: BuildEnvName) -> Self {
        match name {
            BuildEnvName::Local => Self::Local,
            BuildEnvName::GoogleCloudBuild => Self::GoogleCloudBuild,
            BuildEnvName::Cluster => Self::Cluster,
        }
    }
}
