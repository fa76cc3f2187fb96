//! The environment, read once: the process's own, and `skaffold.env` for what it does not say.

use std::collections::BTreeMap;

use devloop_clients::process::command_runner;
use devloop_model::Diagnostic;
use devloop_model::Env;

/// Returns the environment of this process with the variables of `skaffold.env` that it does not have.
///
/// # Errors
/// When that file cannot be read or understood.
pub(crate) fn read() -> Result<Env, Diagnostic> {
    // A variable that is no text cannot be meant for a template or a flag.
    let mut variables: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    if let Ok(directory) = std::env::current_dir() {
        for (name, value) in devloop_config::load_env_file(&directory)? {
            variables.entry(name).or_insert(value);
        }
    }
    let env = Env::new(variables);
    Ok(env.clone().with_commands(command_runner(env)))
}
