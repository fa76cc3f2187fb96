//! Flags of Skaffold's that this version accepts and does not act on: a table, and what is said of each.
//!
//! Scripts and editors pass many flags at their default. Those pass in silence. A value that would
//! change the result is an error; a value that would change nothing but comfort is one warning line.

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::parser::ValueSource;
use devloop_model::Diagnostic;

use super::ArgsError;
use super::innermost;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing, or `=true`, `=false`.
    Switch,
    /// A value.
    Value,
}

/// What is said when it has a value that is not neutral.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Nothing: devloop does so anyway, or it means nothing here.
    Silence,
    /// One line: it is not done, and the result is the same.
    Warning(&'static str),
    /// An error: what this version does not do, and what to do instead.
    Error(&'static str, &'static str),
}

/// A flag that nothing reads.
struct Inert {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
    hidden: bool,
    /// Values that ask for nothing.
    neutral: &'static [&'static str],
    commands: &'static [&'static str],
    answer: Answer,
}

/// Not of one command: they may stand before it.
const EVERYWHERE: &[&str] = &[];
const ALL: &[&str] =
    &["dev", "debug", "run", "build", "test", "deploy", "apply", "render", "delete", "diagnose", "verify", "exec", "filter", "fix", "init"];
const PIPELINE: &[&str] = &["dev", "debug", "run", "build", "test", "deploy", "render"];
const DEPLOYS: &[&str] = &["dev", "debug", "run", "deploy", "apply"];
const FALSE: &[&str] = &["false", "0", "f", "F", "FALSE", "False"];
const NO_GRPC: Answer =
    Answer::Error("speak gRPC", "use `--rpc-http-port PORT`, which serves the same API over HTTP, or read the events from `--output json`");
const NO_CLOUD_RUN: Answer = Answer::Error("deploy to Cloud Run", "leave the flag out, or deploy with Skaffold");
const NO_SETTERS: Answer = Answer::Error("set parameters of manifests", "leave the flag out, and write the values into the manifests");
const NO_PLACEMENT: Answer = Answer::Warning("what the images were built for is not known here: let `devloop render` write it");
const NO_CLEANUP: Answer = Answer::Warning("it is for dev sessions, which clean up at their end");

#[rustfmt::skip]
const TABLE: &[Inert] = &[
    inert("user", Takes::Value, &[], ALL, Answer::Silence).short('u').hidden(),
    inert("assume-yes", Takes::Switch, &[], ALL, Answer::Silence).hidden(),
    // One file is upgraded or written, whatever it requires.
    inert("module", Takes::Value, &[], &["fix", "init"], Answer::Silence).short('m').hidden(),
    inert("remote-cache-dir", Takes::Value, &[], &["fix", "init"], Answer::Silence).hidden(),
    inert("sync-remote-cache", Takes::Value, &[], &["fix", "init"], Answer::Silence).hidden(),
    inert("interactive", Takes::Switch, &[], EVERYWHERE, Answer::Silence).hidden(),
    inert("update-check", Takes::Switch, &[], EVERYWHERE, Answer::Silence).hidden(),
    inert("auto-create-config", Takes::Switch, &[], &["dev", "debug", "run"], Answer::Silence).hidden(),
    // Everything is waited for at once, and every custom resource that has conditions with it.
    inert("iterative-status-check", Takes::Switch, &[], DEPLOYS, Answer::Silence).hidden(),
    inert("status-check-selectors", Takes::Value, &[], DEPLOYS, Answer::Silence).hidden(),
    inert("build-concurrency", Takes::Value, &[], &["deploy"], Answer::Silence).hidden(),
    inert("enable-platform-node-affinity", Takes::Switch, FALSE, &["deploy"], NO_PLACEMENT).hidden(),
    inert("enable-gke-arm-node-toleration", Takes::Switch, FALSE, &["deploy"], NO_PLACEMENT).hidden(),
    inert("cleanup", Takes::Switch, &["true", "1"], &["run"], NO_CLEANUP).hidden(),
    inert("no-prune", Takes::Switch, FALSE, &["run"], NO_CLEANUP).hidden(),
    inert("no-prune-children", Takes::Switch, FALSE, &["run"], NO_CLEANUP).hidden(),
    inert("hydration-dir", Takes::Value, &[".kpt-pipeline"], &["dev", "debug", "run", "deploy", "apply", "render"], Answer::Warning("it is for kpt, which is not used")).hidden(),
    inert("enable-rpc", Takes::Switch, FALSE, PIPELINE, NO_GRPC).hidden(),
    inert("wait-for-connection", Takes::Switch, FALSE, PIPELINE, NO_GRPC).hidden(),
    inert("rpc-port", Takes::Value, &[""], &["dev", "debug", "run", "build", "test", "deploy", "verify", "exec"], NO_GRPC).hidden(),
    inert("port-forward", Takes::Value, &["", "off"], &["verify", "exec"], Answer::Error("forward ports of tests and actions", "leave the flag out")).hidden(),
    inert("status-check", Takes::Switch, &[], &["verify"], Answer::Silence).hidden(),
    inert("event-log-file", Takes::Value, &[""], &["render"], Answer::Error("write its events into a file", "redirect `--output json`")).hidden(),
    inert("last-log-file", Takes::Value, &[""], PIPELINE, Answer::Error("keep a copy of its output", "use `tee`")).hidden(),
    inert("auto", Takes::Switch, FALSE, &["dev", "debug", "run"], Answer::Error("make up a configuration", "write a skaffold.yaml")).hidden(),
    inert("render-only", Takes::Switch, FALSE, &["run"], Answer::Error("render under `run`", "use `devloop render`")).hidden(),
    inert("render-output", Takes::Value, &[""], &["run"], Answer::Error("render under `run`", "use `devloop render --output FILE`")).hidden(),
    inert("cloud-run-project", Takes::Value, &[""], &["dev", "debug", "run", "deploy", "apply", "delete"], NO_CLOUD_RUN).hidden(),
    inert("cloud-run-location", Takes::Value, &[""], &["dev", "debug", "run", "deploy", "apply", "delete"], NO_CLOUD_RUN).hidden(),
    inert("post-renderer", Takes::Value, &[""], &["filter"], Answer::Error("run a post-renderer of its own", "pipe its output into `devloop filter`")).hidden(),
    inert("set", Takes::Value, &[""], &["render", "delete"], NO_SETTERS).hidden(),
    inert("set-value-file", Takes::Value, &[""], &["render", "delete"], NO_SETTERS).hidden(),
];

const fn inert(
    name: &'static str,
    takes: Takes,
    neutral: &'static [&'static str],
    commands: &'static [&'static str],
    answer: Answer,
) -> Inert {
    Inert { name, short: None, takes, hidden: false, neutral, commands, answer }
}

impl Inert {
    const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    fn argument(&self) -> Arg {
        let argument =
            Arg::new(self.name).long(self.name).hide(self.hidden).action(ArgAction::Append).help_heading("Accepted for Skaffold's sake");
        let argument = argument.help(match self.answer {
            Answer::Silence => "Accepted; nothing depends on it".to_owned(),
            Answer::Warning(why) => format!("Accepted; {why}"),
            Answer::Error(action, _) => format!("This version does not {action}"),
        });
        let argument = match self.short {
            Some(short) => argument.short(short),
            None => argument,
        };
        match self.takes {
            Takes::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
            Takes::Value => argument.allow_hyphen_values(true).value_name("VALUE"),
        }
    }
}

/// Returns the command line with these flags added to its commands.
pub(crate) fn declare(definition: clap::Command) -> clap::Command {
    let definition = definition.args(TABLE.iter().filter(|flag| flag.commands.is_empty()).map(|flag| flag.argument().global(true)));
    definition.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        command.args(TABLE.iter().filter(|flag| flag.commands.contains(&name.as_str())).map(Inert::argument))
    })
}

/// Returns the warnings for flags that were given and are not acted on.
///
/// # Errors
/// When acting on one would change the result.
pub(crate) fn check(definition: &clap::Command, matches: &ArgMatches) -> Result<Vec<Diagnostic>, ArgsError> {
    let (command, matches) = innermost(definition, matches);
    let mut warnings = Vec::new();
    for flag in TABLE.iter().filter(|flag| flag.commands.contains(&command.get_name())) {
        if matches.value_source(flag.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_many::<String>(flag.name).into_iter().flatten();
        let Some(value) = values.rev().find(|value| !flag.neutral.contains(&value.as_str())) else { continue };
        let written = format!("--{}={value}", flag.name);
        match flag.answer {
            Answer::Silence => {}
            Answer::Warning(why) => warnings.push(Diagnostic::warning("cli/inert-flag", format!("`{written}` changes nothing: {why}"))),
            Answer::Error(action, help) => return Err(ArgsError::Unsupported { flag: written, action, help: help.to_owned() }),
        }
    }
    Ok(warnings)
}
