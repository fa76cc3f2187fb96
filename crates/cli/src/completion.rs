//! Completion in the shell: commands and flags from the command line's definition, and the names of
//! profiles, modules and artifacts from the skaffold.yaml at hand.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap_complete::CompletionCandidate;
use clap_complete::env::Bash;
use clap_complete::env::EnvCompleter;
use clap_complete::env::Fish;
use clap_complete::env::Zsh;
use devloop_config::ConfigSource;
use devloop_config::Names;

use crate::args;
use crate::args::CompletionShell;

/// The variable through which a script asks for completions; not `COMPLETE`, which is anybody's.
const VARIABLE: &str = "DEVLOOP_COMPLETE";

/// Writes the script that a shell has to read once: it calls `devloop` for each completion.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn write_script(shell: CompletionShell, out: &mut dyn Write) -> std::io::Result<()> {
    completer(shell).write_registration(VARIABLE, "devloop", "devloop", "devloop", out)
}

fn completer(shell: CompletionShell) -> &'static dyn EnvCompleter {
    match shell {
        CompletionShell::Bash => &Bash,
        CompletionShell::Fish => &Fish,
        CompletionShell::Zsh => &Zsh,
    }
}

/// Answers a script's call, if this process is one; true means that there is nothing else to do.
///
/// # Errors
/// When the answer cannot be written.
pub(crate) fn answer(arguments: Vec<OsString>) -> std::io::Result<bool> {
    let current = std::env::current_dir().ok();
    let asked = clap_complete::CompleteEnv::with_factory(args::definition).var(VARIABLE).try_complete(arguments, current.as_deref());
    asked.map_err(|error| std::io::Error::other(error.to_string()))
}

/// Returns the profiles that a word may become; `-` before a name switches it off.
pub(crate) fn profiles(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = names().profiles;
    let off = if last_of_list(word).1.starts_with('-') { "-" } else { "" };
    candidates(word, names.into_iter().map(|name| format!("{off}{name}")))
}

/// Returns the modules that a word may become.
pub(crate) fn modules(word: &OsStr) -> Vec<CompletionCandidate> {
    candidates(word, names().modules)
}

/// Returns the artifacts that a word may become.
pub(crate) fn artifacts(word: &OsStr) -> Vec<CompletionCandidate> {
    candidates(word, names().artifacts)
}

/// Splits a comma-separated word into what is finished, with its comma, and what is being typed.
fn last_of_list(word: &OsStr) -> (String, String) {
    let word = word.to_string_lossy();
    let at = word.rfind(',').map_or(0, |comma| comma + 1);
    (word[..at].to_owned(), word[at..].to_owned())
}

fn candidates(word: &OsStr, names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let (finished, typed) = last_of_list(word);
    let matching = names.into_iter().filter(|name| name.starts_with(&typed));
    matching.map(|name| CompletionCandidate::new(format!("{finished}{name}"))).collect()
}

/// Returns the names in the configuration that the line being completed would read; none where it
/// has faults, because a completion is no place to tell of them.
fn names() -> Names {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let root = filename(&arguments).map_or(ConfigSource::Search, ConfigSource::File);
    std::env::current_dir().map(|cwd| devloop_config::names(&root, &cwd)).unwrap_or_default()
}

/// Returns what `-f` or `--filename` has on the line being completed.
fn filename(arguments: &[OsString]) -> Option<PathBuf> {
    let mut words = arguments.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "-f" || word == "--filename" {
            return words.next().map(|value| PathBuf::from(value.as_ref()));
        }
        let glued = word.strip_prefix("--filename=").or_else(|| word.strip_prefix("-f").filter(|_| !word.starts_with("--")));
        if let Some(value) = glued {
            return Some(PathBuf::from(value));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.into_iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_last_name_of_a_list_is_completed() {
        let names = || vec!["dev".to_owned(), "prod".to_owned()];
        assert_eq!(values(candidates(OsStr::new("p"), names())), ["prod"]);
        assert_eq!(values(candidates(OsStr::new("dev,"), names())), ["dev,dev", "dev,prod"]);
        assert_eq!(values(candidates(OsStr::new("dev,p"), names())), ["dev,prod"]);
        assert!(candidates(OsStr::new("x"), names()).is_empty());
    }

    #[test]
    fn the_file_is_the_one_of_the_line() {
        for (line, file) in [
            ("devloop run -f a.yaml", Some("a.yaml")),
            ("devloop run --filename b.yaml -p", Some("b.yaml")),
            ("devloop run --filename=c.yaml", Some("c.yaml")),
            ("devloop run -fd.yaml", Some("d.yaml")),
            ("devloop run --force -p x", None),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(filename(&words), file.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn each_shell_has_a_script_that_calls_us() {
        for shell in [CompletionShell::Bash, CompletionShell::Fish, CompletionShell::Zsh] {
            let mut script = Vec::new();
            write_script(shell, &mut script).unwrap();
            assert!(String::from_utf8(script).unwrap().contains(VARIABLE), "{shell:?}");
        }
    }

    #[test]
    fn commands_and_flags_complete() {
        let complete = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let last = words.len() - 1;
            values(clap_complete::engine::complete(&mut args::definition(), words, last, None).unwrap())
        };
        assert_eq!(complete("devloop re"), ["render"]);
        assert_eq!(complete("devloop build --file-o"), ["--file-output"]);
        assert_eq!(complete("devloop completion z"), ["zsh"]);
    }
}
