//! `devloop config`: the settings of this machine. Our own file is written; Skaffold's is only read, and ours wins over it.

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::kube::KubeSettings;
use devloop_clients::kube::current_context;
use devloop_config::Scope;
use devloop_config::list_settings;
use devloop_config::set_setting;
use devloop_model::Diagnostic;
use devloop_model::Env;

use crate::args::ConfigAction;
use crate::args::SettingArgs;
use crate::output;

/// Changes or lists settings, and returns what is printed.
///
/// # Errors
/// When there is no such setting, or the file cannot be read or written.
pub(crate) fn run(action: &ConfigAction, env: &Env) -> Result<String, Vec<Diagnostic>> {
    match action {
        ConfigAction::Set { name, value, place } => set(name, value, place, env),
        ConfigAction::Unset { name, place } => set(name, "", place, env),
        ConfigAction::List { all, place } => list(all.0, place, env),
    }
}

fn set(name: &str, value: &str, place: &SettingArgs, env: &Env) -> Result<String, Vec<Diagnostic>> {
    let (files, scope) = (files(place, env), scope(place, env)?);
    let Some(own) = files.first() else {
        let what = "there is no place for settings: neither `HOME` nor `XDG_CONFIG_HOME` is set";
        return Err(vec![Diagnostic::error("cli/no-home", what).help("name the file with `--config`")]);
    };
    let text = set_setting(own, &scope, name, value)?;
    if std::fs::read_to_string(own).is_err() || std::fs::read_to_string(own).is_ok_and(|before| before != text) {
        replace(own, &text).map_err(|fault| vec![fault])?;
    }
    let said = match (&scope, value) {
        (Scope::Global, "") => format!("unset global value {name}\n"),
        (Scope::Context(context), "") => format!("unset value {name} for context {context}\n"),
        (Scope::Global, value) => format!("set global value {name} to {value}\n"),
        (Scope::Context(context), value) => format!("set value {name} to {value} for context {context}\n"),
    };
    // What Skaffold's file says is not taken away by ours.
    let stays = value.is_empty() && list_settings(&files[1..], Some(&scope))?.is_some_and(|(_, text)| has(&text, name));
    let note = files.get(1).filter(|_| stays).map(|file| format!("{} still sets it\n", file.display()));
    Ok(said + &note.unwrap_or_default())
}

fn has(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
}

fn list(all: bool, place: &SettingArgs, env: &Env) -> Result<String, Vec<Diagnostic>> {
    let files = files(place, env);
    let scope = if all { None } else { Some(scope(place, env)?) };
    let Some((there, text)) = list_settings(&files, scope.as_ref())? else {
        return Ok(match scope {
            Some(Scope::Context(context)) => format!("No config found for current context {context:?}\n"),
            Some(Scope::Global) => "No config found\n".to_owned(),
            None => String::new(),
        });
    };
    let there: Vec<String> = there.iter().map(|file| file.display().to_string()).collect();
    Ok(format!("skaffold config: {}\n{text}", there.join(", ")))
}

/// Returns the files of settings, the one that is written first.
fn files(place: &SettingArgs, env: &Env) -> Vec<PathBuf> {
    match &place.config {
        Some(file) if !file.as_os_str().is_empty() => vec![file.clone()],
        _ => devloop_config::settings_files(env),
    }
}

/// Returns what the command line names, else the current context, else everywhere.
fn scope(place: &SettingArgs, env: &Env) -> Result<Scope, Vec<Diagnostic>> {
    if place.global.0 {
        return Ok(Scope::Global);
    }
    if let Some(context) = place.kube_context.clone().filter(|context| !context.is_empty()) {
        return Ok(Scope::Context(context));
    }
    let kube = KubeSettings { kubeconfig: None, context: None, env: env.clone() };
    let context = current_context(&kube).map_err(|error| vec![error.diagnostic()])?;
    Ok(context.filter(|context| !context.is_empty()).map_or(Scope::Global, Scope::Context))
}

/// Writes a file beside its place first, so that nobody reads half of it.
fn replace(file: &Path, text: &str) -> Result<(), Diagnostic> {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let draft = file.with_added_extension(format!("new-{}", std::process::id()));
    output::to_file(&draft, text)?;
    std::fs::rename(&draft, &file).map_err(|error| output::unwritable(&file.display().to_string(), &error))
}

#[cfg(test)]
mod tests;
