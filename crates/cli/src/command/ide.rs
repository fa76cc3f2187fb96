//! `devloop ide`: launch configurations of an editor, written beside what is there.

mod files;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_ide::CloudCode;
use devloop_ide::Existing;
use devloop_ide::File;
use devloop_ide::Product;
use devloop_ide::Program;
use devloop_ide::Skipped;
use devloop_ide::Task;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_ui::Snapshot;

use self::files::read;
use self::files::remove;
use self::files::write;
use super::ask;
use crate::args::Editor;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;
use crate::programs::programs;
use crate::programs::within;
use crate::settings::CommandSettings;
use crate::settings::ConfigSource;
use crate::settings::IdeSettings;
use crate::settings::Settings;

/// What is to be written, and what is to be said of it.
struct Wanted {
    files: Vec<File>,
    /// Files of ours that nothing needs any more, relative to the workspace.
    gone: Vec<PathBuf>,
    skipped: Vec<Skipped>,
}

/// Takes over the configuration that an existing launch configuration of Cloud Code names, unless the command line names one.
pub(crate) fn follow(settings: &mut Settings) {
    let CommandSettings::Ide(ide) = &settings.command else { return };
    let Some(found) = cloud_code(ide) else { return };
    if let (ConfigSource::Found, Some(config)) = (&settings.config.source, &found.config) {
        settings.config.source = ConfigSource::Path(ide.workspace.join(config));
    }
    if let (true, Some(profile)) = (settings.config.profiles.is_empty(), found.profile) {
        settings.config.profiles.push(profile);
    }
}

fn cloud_code(ide: &IdeSettings) -> Option<CloudCode> {
    CloudCode::of(&fs::read_to_string(ide.workspace.join(devloop_ide::LAUNCH)).ok()?)
}

/// Writes the files, and says what became of each.
///
/// # Errors
/// When a file of the editor cannot be understood, then nothing was written; or when one cannot be written.
pub(crate) async fn run(pipeline: &Pipeline, ide: &IdeSettings) -> Result<Exit, Diagnostic> {
    let session = &pipeline.session;
    if !ide.workspace.is_dir() {
        let what = format!("there is no folder `{}`", ide.workspace.display());
        return Err(Diagnostic::error("ide/workspace", what).help("name the folder that the editor opens by `--workspace`"));
    }
    if matches!(session.settings.config.source, ConfigSource::Stdin) {
        let what = "an editor starts `devloop debug` without a configuration on standard input";
        return Err(Diagnostic::error("ide/stdin", what).help("write the configuration into a file, and name that by `--filename`"));
    }
    let followed = cloud_code(ide);
    let (mut programs, faults) = programs(session, &pipeline.build_options(), &ide.workspace);
    for program in &mut programs {
        program.maps = followed.as_ref().map(|found| found.maps(&program.image)).unwrap_or_default();
    }
    if let Some(running) = running(&session.env, &session.settings).await {
        note_ports(&mut programs, &running);
    }
    let wanted = wanted(ide, &programs, &task(pipeline, ide, followed.as_ref()))?;
    let mut said: Vec<String> = faults.iter().map(|fault| format!("{fault}\n")).collect();
    for file in &wanted.files {
        said.push(write(ide, file)?);
    }
    for path in &wanted.gone {
        said.push(remove(ide, path)?);
    }
    said.extend(wanted.skipped.iter().map(|Skipped { image, why }| format!("{image} is left out: {why}\n")));
    said.extend(followed.iter().map(|found| {
        let more = if found.others == 0 { String::new() } else { format!(", the first of {}", found.others + 1) };
        format!("settings are those of the configuration `{}` of Cloud Code{more}\n", found.name)
    }));
    output::to_stdout(&said.concat())?;
    Ok(Exit::Done)
}

fn wanted(ide: &IdeSettings, programs: &[Program], task: &Task) -> Result<Wanted, Diagnostic> {
    let mut debuggees = devloop_ide::debuggees(programs);
    let product = match ide.editor {
        Editor::Vscode => {
            let existing = Existing { launch: read(ide, devloop_ide::LAUNCH)?, tasks: read(ide, devloop_ide::TASKS)? };
            let files = devloop_ide::vscode(&existing, &debuggees.found, task)?;
            return Ok(Wanted { files, gone: Vec::new(), skipped: debuggees.skipped });
        }
        Editor::Goland => Product::GoLand,
        Editor::Idea => Product::Idea,
    };
    let mut configurations = devloop_ide::jetbrains(product, &debuggees.found, task);
    let directory = Path::new(devloop_ide::RUN);
    let names =
        fs::read_dir(ide.workspace.join(directory)).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let gone = names.filter(|name| configurations.leaves_behind(name)).map(|name| directory.join(name)).collect();
    debuggees.skipped.append(&mut configurations.skipped);
    Ok(Wanted { files: configurations.files, gone, skipped: debuggees.skipped })
}

/// Returns the command that the editor starts: where this command was given and with what it was given, and what Cloud Code was told.
fn task(pipeline: &Pipeline, ide: &IdeSettings, followed: Option<&CloudCode>) -> Task {
    let Settings { config, target, .. } = &pipeline.session.settings;
    let directory = std::env::current_dir().unwrap_or_default();
    let mut arguments = Vec::new();
    if let ConfigSource::Path(path) = &config.source {
        // What is named relative to this directory, or is a URL, is so for the task as well.
        let path = if path.is_absolute() { within(path, &directory) } else { path.clone() };
        arguments.push(format!("--filename={}", path.display()));
    }
    arguments.extend(config.profiles.iter().map(|profile| format!("--profile={profile}")));
    arguments.extend(config.modules.iter().map(|module| format!("--module={module}")));
    arguments.extend(followed.map(CloudCode::arguments).unwrap_or_default());
    // The last of two counts.
    let targets = [("namespace", &target.namespace), ("default-repo", &target.default_repo), ("kube-context", &target.context)];
    arguments.extend(targets.iter().filter_map(|(flag, value)| Some(format!("--{flag}={}", value.as_ref()?))));
    arguments.extend(target.kubeconfig.iter().map(|path| format!("--kubeconfig={}", path.display())));
    let dir = within(&directory, &ide.workspace);
    Task { arguments, dir, begins: devloop_ui::PASS_BEGINS.to_owned(), ends: devloop_ui::ATTACHABLE.to_owned() }
}

/// Returns what a session of this directory knows; none where none runs.
async fn running(env: &Env, settings: &Settings) -> Option<Snapshot> {
    ask::snapshot(env, settings).await.ok()
}

/// Notes the ports that a session has for debuggers.
fn note_ports(programs: &mut [Program], running: &Snapshot) {
    for forward in &running.forwards {
        let Some((container, _)) = running.debugger_at(forward) else { continue };
        for program in programs.iter_mut().filter(|program| program.image == container.artifact && program.port.is_none()) {
            program.port = Some(forward.local_port);
        }
    }
}
