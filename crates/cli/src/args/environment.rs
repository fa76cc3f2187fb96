//! Flags by environment: `--a-b` is `DEVLOOP_A_B`, or `SKAFFOLD_A_B`, for every flag of every command.

use std::ffi::OsString;

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::parser::ValueSource;
use devloop_model::Diagnostic;
use devloop_model::Env;

use super::ArgsError;
use super::innermost;

/// Returns the two variables that stand for a flag, the stronger first.
pub(crate) fn variables(flag: &str) -> [String; 2] {
    let name = flag.to_uppercase().replace('-', "_");
    [format!("DEVLOOP_{name}"), format!("SKAFFOLD_{name}")]
}

/// Returns the variable that is set for a flag, and its value.
fn lookup<'e>(flag: &str, env: &'e Env) -> Option<(String, &'e str)> {
    let mut names = variables(flag).to_vec();
    if flag == "namespace" {
        // The name that it had before Skaffold mapped every flag.
        names.push("SKAFFOLD_DEPLOY_NAMESPACE".to_owned());
    }
    names.into_iter().find_map(|name| env.get(&name).map(|value| (name, value)))
}

/// Returns what is worth saying about the environment itself.
pub(crate) fn warnings(env: &Env) -> Vec<Diagnostic> {
    let superseded = env.get("SKAFFOLD_DEPLOY_NAMESPACE").is_some() && variables("namespace").iter().all(|name| env.get(name).is_none());
    superseded
        .then(|| {
            Diagnostic::warning("cli/deprecated-variable", "`SKAFFOLD_DEPLOY_NAMESPACE` is deprecated")
                .help("use `SKAFFOLD_NAMESPACE` or `DEVLOOP_NAMESPACE`")
        })
        .into_iter()
        .collect()
}

/// Returns the matches of the arguments, completed by the variables that stand for flags which the
/// arguments do not have.
///
/// The arguments are parsed twice, so that a fault of the second time is known to be a variable's.
pub(crate) fn matches(definition: &mut clap::Command, arguments: &[OsString], env: &Env) -> Result<ArgMatches, ArgsError> {
    let given = definition.try_get_matches_from_mut(arguments)?;
    let variables = flags_by_variable(definition, &given, env);
    if variables.is_empty() {
        return Ok(given);
    }
    for (variable, flag, token) in &variables {
        let alone = insert(arguments, std::slice::from_ref(token));
        definition.try_get_matches_from_mut(alone).map_err(|error| ArgsError::Variable {
            variable: variable.clone(),
            flag: flag.clone(),
            why: first_line(&error),
        })?;
    }
    let tokens: Vec<OsString> = variables.into_iter().map(|(_, _, token)| token).collect();
    Ok(definition.try_get_matches_from_mut(insert(arguments, &tokens))?)
}

/// Returns variable, flag and argument for each flag that only the environment gives.
fn flags_by_variable(definition: &clap::Command, given: &ArgMatches, env: &Env) -> Vec<(String, String, OsString)> {
    let (command, inner) = innermost(definition, given);
    let mut flags: Vec<&Arg> = command.get_arguments().collect();
    flags.extend(definition.get_arguments().filter(|argument| argument.is_global_set()));
    flags.sort_by_key(|flag| flag.get_id().to_string());
    flags.dedup_by_key(|flag| flag.get_id().to_string());
    flags
        .into_iter()
        .filter(|flag| !matches!(flag.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version))
        .filter(|flag| inner.value_source(flag.get_id().as_str()) != Some(ValueSource::CommandLine))
        .filter_map(|flag| {
            let long = flag.get_long()?;
            let (variable, value) = lookup(long, env)?;
            Some((variable, long.to_owned(), OsString::from(format!("--{long}={value}"))))
        })
        .collect()
}

/// Returns the arguments with more flags, before a `--` if there is one.
fn insert(arguments: &[OsString], flags: &[OsString]) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    [&arguments[..end], flags, &arguments[end..]].concat()
}

/// Returns what clap says without its usage hints.
fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
