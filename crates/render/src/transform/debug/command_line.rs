//! The words that start a program, through wrappers and shells, and how changed ones are written back.

use std::path::Path;

use super::buildpacks::LAUNCHER;
use super::script::Script;

/// Programs that run what follows them, and how many words of theirs there are: a name, then options up to `--`.
const INITS: [&str; 3] = ["tini", "dumb-init", "catatonit"];
/// Programs that run what follows them as another user.
const SWITCHES: [&str; 2] = ["su-exec", "gosu"];
const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "zsh"];
/// The entrypoint of the public images of Node.js and Python, and of many others: it runs the words that follow.
const ENTRYPOINT_SCRIPT: &str = "docker-entrypoint.sh";

/// One word: what the program gets, and how it is written where a shell reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) value: String,
    pub(super) written: String,
}

/// The words that start a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// Wrappers before the program.
    before: Vec<String>,
    words: Vec<Word>,
    form: Form,
}

/// How the words are written back.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// As they are.
    Words,
    /// As the last command of a shell script; `after` is what the shell is given besides.
    Script { head: String, tail: String, after: Vec<String> },
}

impl CommandLine {
    /// Returns the program that `all` words start in the end.
    pub(super) fn of(all: Vec<String>) -> Self {
        let (before, rest) = all.split_at(wrappers(&all));
        let shell = match rest {
            [launcher, text, ..] if launcher == LAUNCHER && text != "--" => 1,
            [shell, flag, _, ..] if SHELLS.contains(&base(shell)) && flag.starts_with('-') && flag.ends_with('c') => 2,
            _ => 0,
        };
        if shell > 0
            && let Some(Script { head, words, tail }) = Script::read(&rest[shell])
        {
            let before = before.iter().chain(&rest[..shell]).cloned().collect();
            return Self { before, words, form: Form::Script { head, tail, after: rest[shell + 1..].to_vec() } };
        }
        let words = rest.iter().map(|word| Word { value: word.clone(), written: word.clone() }).collect();
        Self { before: before.to_vec(), words, form: Form::Words }
    }

    /// Returns the words of the program, itself first.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> + Clone {
        self.words.iter().map(|word| word.value.as_str())
    }

    /// Returns the last part of the program's path; empty where there is none.
    pub(super) fn program(&self) -> &str {
        self.words().next().map(base).unwrap_or_default()
    }

    /// Returns how many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Puts words in before the one at `at`.
    pub(super) fn insert(&mut self, at: usize, words: impl IntoIterator<Item = impl Into<String>>) {
        let is_script = matches!(self.form, Form::Script { .. });
        let word = |value: String| Word { written: if is_script { quoted(&value) } else { value.clone() }, value };
        self.words.splice(at..at, words.into_iter().map(Into::into).map(word));
    }

    /// Returns all words, for a container.
    pub(super) fn written(&self) -> Vec<String> {
        let words = self.words.iter().map(|word| word.written.as_str());
        let before = self.before.iter().cloned();
        match &self.form {
            Form::Words => before.chain(words.map(str::to_owned)).collect(),
            Form::Script { head, tail, after } => {
                let script = format!("{head}{}{tail}", words.collect::<Vec<_>>().join(" "));
                before.chain([script]).chain(after.iter().cloned()).collect()
            }
        }
    }

    /// Returns why a debugger cannot start the program itself, if it is known not to be one.
    pub(super) fn is_no_program(&self) -> Option<String> {
        let Some(first) = self.words().next() else { return Some("neither its image nor its manifest says what it runs".to_owned()) };
        let is_script = is_script_file(first) || SHELLS.contains(&base(first));
        is_script.then(|| format!("it is started by a shell script, `{first}`"))
    }
}

/// Returns how many words come before the program.
fn wrappers(all: &[String]) -> usize {
    let mut at = 0;
    while let Some(word) = all.get(at).filter(|_| at + 1 < all.len()) {
        let next = &all[at + 1];
        at += match base(word) {
            name if INITS.contains(&name) => {
                let options = all[at + 1..].iter().take_while(|word| word.starts_with('-')).position(|word| word == "--");
                options.map_or_else(|| 1 + all[at + 1..].iter().take_while(|word| word.starts_with('-')).count(), |at| at + 2)
            }
            name if SWITCHES.contains(&name) => 2,
            "env" => 1 + all[at + 1..].iter().take_while(|word| word.contains('=')).count(),
            "exec" | ENTRYPOINT_SCRIPT => 1,
            _ if word == LAUNCHER && next == "--" => 2,
            // Another script is known to run what follows only where that is a program.
            name if is_script_file(name) && (next.starts_with('/') || is_runtime(base(next))) => 1,
            _ => return at,
        };
    }
    at.min(all.len())
}

fn is_runtime(name: &str) -> bool {
    ["node", "nodemon", "npm", "npx", "yarn", "pnpm", "java", "dotnet"].contains(&name) || super::python::is_python(name)
}

fn is_script_file(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "sh")
}

/// Returns the last part of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Returns a word as a shell has to read it.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> CommandLine {
        CommandLine::of(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_program_is_found_behind_what_starts_it() {
        for (all, program) in [
            (&["/app", "-v"][..], &["/app", "-v"][..]),
            (&["docker-entrypoint.sh", "node", "server.js"], &["node", "server.js"]),
            (&["/usr/local/bin/docker-entrypoint.sh", "node"], &["node"]),
            (&["/sbin/tini", "-g", "--", "java", "-jar", "x.jar"], &["java", "-jar", "x.jar"]),
            (&["tini", "java"], &["java"]),
            (&["dumb-init", "gosu", "app", "python3", "app.py"], &["python3", "app.py"]),
            (&["env", "A=b", "/app"], &["/app"]),
            (&["/start.sh", "/app", "serve"], &["/app", "serve"]),
            (&["/start.sh", "serve"], &["/start.sh", "serve"]),
            (&["docker-entrypoint.sh"], &["docker-entrypoint.sh"]),
            (&["/bin/sh", "-c", "exec node server.js"], &["node", "server.js"]),
            (&["sh", "-ec", "cd /x && ./app \"$A b\" 'c d'"], &["./app", "$A b", "c d"]),
            (&["sh", "-c", "./a | ./b"], &["sh", "-c", "./a | ./b"]),
            (&["/cnb/lifecycle/launcher", "--", "node", "x.js"], &["node", "x.js"]),
            (&["/cnb/lifecycle/launcher", "exec ./app $PORT", "arg"], &["./app", "$PORT"]),
            (&[], &[]),
        ] {
            assert_eq!(of(all).words().collect::<Vec<_>>(), program, "{all:?}");
            assert_eq!(of(all).written(), all, "{all:?}");
        }
    }

    #[test]
    fn what_is_put_in_is_written_where_the_program_was() {
        for (all, written) in [
            (&["docker-entrypoint.sh", "node", "x.js"][..], &["docker-entrypoint.sh", "dlv", "a b", "--", "node", "x.js"][..]),
            (&["sh", "-c", "cd /x && exec ./app \"$A b\"", "arg"], &["sh", "-c", "cd /x && exec dlv 'a b' -- ./app \"$A b\"", "arg"]),
        ] {
            let mut line = of(all);
            line.insert(0, ["dlv", "a b", "--"]);
            assert_eq!(line.written(), written, "{all:?}");
        }
    }

    #[test]
    fn scripts_are_no_programs() {
        for (all, expected) in [
            (&["/start.sh"][..], Some("it is started by a shell script, `/start.sh`")),
            (&["sh", "-c", "a | b"], Some("it is started by a shell script, `sh`")),
            (&["/app"], None),
            (&[], Some("neither its image nor its manifest says what it runs")),
        ] {
            assert_eq!(of(all).is_no_program().as_deref(), expected, "{all:?}");
        }
    }
}
