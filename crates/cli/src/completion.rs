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
use devloop_config::Node;

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
    let off: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
    let wants_off = last_of_list(word).1.starts_with('-');
    candidates(word, if wants_off { off } else { names })
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

fn candidates(word: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let (finished, typed) = last_of_list(word);
    let matching = names.into_iter().filter(|name| name.starts_with(&typed));
    matching.map(|name| CompletionCandidate::new(format!("{finished}{name}"))).collect()
}

/// Returns the names in the configuration that the line being completed would read; none where it
/// has faults, because a completion is no place to tell of them.
fn names() -> Names {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let files = match filename(&arguments) {
        Some(file) => vec![file],
        None => ["skaffold.yaml", "skaffold.yml", "devloop.yaml"].map(PathBuf::from).to_vec(),
    };
    let text = files.iter().find_map(|file| std::fs::read_to_string(file).ok());
    text.map(|text| Names::of(&text)).unwrap_or_default()
}

/// Names that a skaffold.yaml has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    profiles: Vec<String>,
    modules: Vec<String>,
    artifacts: Vec<String>,
}

impl Names {
    fn of(text: &str) -> Self {
        let documents = devloop_config::parse_documents(&devloop_config::Source::new("skaffold.yaml", text)).unwrap_or_default();
        let mut names = Self::default();
        for document in &documents {
            let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).map(std::borrow::Cow::into_owned);
            let each = |list: Option<&Node>, key: &str| {
                list.and_then(Node::as_list).into_iter().flatten().filter_map(|item| text(item, key)).collect::<Vec<_>>()
            };
            names.modules.extend(document.get("metadata").and_then(|metadata| text(metadata, "name")));
            names.profiles.extend(each(document.get("profiles"), "name"));
            names.artifacts.extend(each(document.get("build").and_then(|build| build.get("artifacts")), "image"));
        }
        names
    }
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

    const TEXT: &str = "apiVersion: skaffold/v4beta14\nkind: Config\nmetadata: {name: front}\nbuild:\n  artifacts: [{image: web}, {image: api}]\nprofiles: [{name: dev}, {name: prod}]\n---\napiVersion: skaffold/v4beta14\nkind: Config\nmetadata: {name: back}\n";

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.into_iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn names_come_from_every_document() {
        let names = Names::of(TEXT);
        assert_eq!(names.modules, ["front", "back"]);
        assert_eq!(names.profiles, ["dev", "prod"]);
        assert_eq!(names.artifacts, ["web", "api"]);
        assert_eq!(Names::of("a: [b"), Names::default());
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
