//! What docker compose gets wrong, in the user's words.

use std::fs;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Location;

use crate::process::ProcessError;

/// Why docker compose did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// There is nothing to read.
    #[error("there is no Compose file in `{}`", directory.display())]
    NoFile {
        /// Where it was looked for.
        directory: PathBuf,
        /// Where it was asked for.
        at: Box<Location>,
    },
    /// There is no such program, or it is too old.
    #[error("docker compose is not installed")]
    NotInstalled {
        /// The version that is installed.
        too_old: Option<String>,
        /// Where it was asked for.
        at: Box<Location>,
    },
    /// It said no.
    #[error("docker compose {verb} failed")]
    Failed {
        /// `config` or `up`.
        verb: &'static str,
        /// Its words.
        said: String,
        /// Where in a Compose file, if it says so.
        in_file: Option<Box<Location>>,
        /// Where it was asked for.
        at: Box<Location>,
    },
    /// It could not be run to its end.
    #[error("docker compose {verb} failed")]
    Process {
        /// `config` or `up`.
        verb: &'static str,
        /// Why.
        error: ProcessError,
    },
    /// It answered something else than a project.
    #[error("what docker compose answers cannot be read")]
    NoAnswer {
        /// What is wrong with it.
        why: String,
        /// Where it was asked for.
        at: Box<Location>,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl ComposeError {
    /// Returns why a call failed that read `files`.
    pub(super) fn of_process(error: ProcessError, verb: &'static str, files: &[PathBuf], at: &Location) -> Self {
        match error {
            ProcessError::Cancelled => Self::Cancelled,
            ProcessError::Failed { last_lines, .. } => {
                let said = last_lines.join("\n").trim().to_owned();
                let in_file = place(&said, files).map(Box::new);
                Self::Failed { verb, said, in_file, at: Box::new(at.clone()) }
            }
            error => Self::Process { verb, error },
        }
    }

    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        match self {
            Self::NoFile { at, .. } => Diagnostic::error("compose/no-file", what)
                .help("write `compose.yaml` beside skaffold.yaml, or name another file by `COMPOSE_FILE`")
                .at((**at).clone()),
            Self::NotInstalled { too_old, at } => {
                let error = Diagnostic::error("compose/not-installed", what).at((**at).clone());
                let error = match too_old {
                    Some(version) => error.because(format!("`docker-compose` is of version {version}, which is too old")),
                    None => error,
                };
                error.help("install it: https://docs.docker.com/compose/install/; `docker compose version` or `docker-compose version` has to work")
            }
            Self::Failed { verb: "config", said, in_file, at } => {
                let place = in_file.as_ref().unwrap_or(at);
                Diagnostic::error("compose/file", "the Compose file is not valid").because(&**said).at((**place).clone())
            }
            Self::Failed { said, at, .. } => {
                let error = Diagnostic::error("compose/failed", what).because(&**said).at((**at).clone());
                match way_out(said) {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
            Self::Process { error, .. } => Diagnostic::error("compose/process", what).caused_by(error.diagnostic()),
            Self::NoAnswer { why, at } => Diagnostic::error("compose/no-answer", what).because(&**why).at((**at).clone()),
            Self::Cancelled => Diagnostic::error("compose/interrupted", what),
        }
    }

    /// Returns whether the step was cancelled, so that this is no failure.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

fn way_out(said: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["port is already allocated", "address already in use"]) {
        Some("end what listens there, or publish another port in the Compose file")
    } else if has(&["is already in use by container"]) {
        Some("remove the other container, or leave out `container_name`")
    } else {
        None
    }
}

/// Returns the place that Compose means: the file that it names, else the only one there is, and in it a line (`yaml: line 3: …`, or
/// `at L2.C8-L3.C4`) or a field (`services.web.imgae …`).
fn place(said: &str, files: &[PathBuf]) -> Option<Location> {
    let is_named = |file: &&PathBuf| said.contains(&file.display().to_string());
    let file = files.iter().find(is_named).or_else(|| files.first().filter(|_| files.len() == 1))?;
    let whole = fs::read_to_string(file).ok()?;
    let after = said.split_once(&file.display().to_string()).map_or(said, |(_, after)| after);
    let field = || line_of_field(&whole, after.trim_start_matches(':').split_whitespace().next()?);
    let line = line_number(said).or_else(field)?;
    let text = whole.lines().nth(line.checked_sub(1)?)?.to_owned();
    let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
    let width = text.trim().chars().count().max(1);
    let here = std::env::current_dir().unwrap_or_default();
    let file = file.strip_prefix(here).unwrap_or(file).to_owned();
    Some(Location { file, line, column, text, width, label: None })
}

/// Returns the last line that a message names: that is where the fault shows, the first is where the block begins.
fn line_number(said: &str) -> Option<usize> {
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let after = |mark: &'static str| said.match_indices(mark).filter_map(move |(at, mark)| number(&said[at + mark.len()..])).last();
    after("line ").or_else(|| after("-L"))
}

/// Returns the line of a field, `services.web.image`, in a file that is written in lines.
fn line_of_field(text: &str, path: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate();
    let mut found = None;
    for key in path.split('.').filter(|_| path.contains('.')) {
        let is_key = |line: &str| {
            line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key).is_some_and(|rest| rest.starts_with([':', '"', '\'']))
        };
        found = Some(lines.find(|(_, line)| is_key(line))?.0 + 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn error(verb: &'static str, said: &str, file: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("compose.yaml");
        fs::write(&path, file).unwrap();
        let status = std::process::ExitStatus::from_raw(256);
        let last_lines = said.replace("FILE", &path.display().to_string()).lines().map(str::to_owned).collect();
        let at = Location { file: "skaffold.yaml".into(), line: 8, column: 5, text: "    useCompose: true".into(), width: 10, label: None };
        let failed = ProcessError::Failed { program: "docker".into(), status, last_lines };
        let error = ComposeError::of_process(failed, verb, &[path], &at);
        error.diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR")
    }

    #[test]
    fn a_fault_of_a_compose_file_is_told_at_its_line() {
        let file = "services:\n  db:\n    image: db\n  web:\n    imgae: web\n";
        let shown = [
            error("config", "validating FILE: services.web.imgae false schema", file),
            error("config", "go-yaml load error in parser (while parsing a block mapping) at L2.C3-L4.C4: did not find expected key", file),
            error("config", "parsing FILE: yaml: line 5: mapping values are not allowed in this context", file),
            error("config", "service \"web\" refers to undefined volume data", file),
        ];
        insta::assert_snapshot!(shown.join("\n\n"), @r#"
        error[compose/file]: the Compose file is not valid
         --> DIR/compose.yaml:5:5
          |
        5 |     imgae: web
          |     ^^^^^^^^^^
          validating DIR/compose.yaml: services.web.imgae false schema

        error[compose/file]: the Compose file is not valid
         --> DIR/compose.yaml:4:3
          |
        4 |   web:
          |   ^^^^
          go-yaml load error in parser (while parsing a block mapping) at L2.C3-L4.C4: did not find expected key

        error[compose/file]: the Compose file is not valid
         --> DIR/compose.yaml:5:5
          |
        5 |     imgae: web
          |     ^^^^^^^^^^
          parsing DIR/compose.yaml: yaml: line 5: mapping values are not allowed in this context

        error[compose/file]: the Compose file is not valid
         --> skaffold.yaml:8:5
          |
        8 |     useCompose: true
          |     ^^^^^^^^^^
          service "web" refers to undefined volume data
        "#);
    }

    #[test]
    fn what_does_not_start_is_told_with_what_to_do() {
        insta::assert_snapshot!(error("up", "Error response from daemon: Bind for 127.0.0.1:80 failed: port is already allocated", ""), @r#"
        error[compose/failed]: docker compose up failed
         --> skaffold.yaml:8:5
          |
        8 |     useCompose: true
          |     ^^^^^^^^^^
          Error response from daemon: Bind for 127.0.0.1:80 failed: port is already allocated
        help: end what listens there, or publish another port in the Compose file
        "#);
        let at = Location { file: "skaffold.yaml".into(), line: 8, column: 5, text: "    useCompose: true".into(), width: 10, label: None };
        let missing = ComposeError::NotInstalled { too_old: Some("1.29.2".into()), at: Box::new(at.clone()) };
        let none = ComposeError::NoFile { directory: "/shop".into(), at: Box::new(at) };
        insta::assert_snapshot!(format!("{}\n\n{}", missing.diagnostic(), none.diagnostic()), @r#"
        error[compose/not-installed]: docker compose is not installed
         --> skaffold.yaml:8:5
          |
        8 |     useCompose: true
          |     ^^^^^^^^^^
          `docker-compose` is of version 1.29.2, which is too old
        help: install it: https://docs.docker.com/compose/install/; `docker compose version` or `docker-compose version` has to work

        error[compose/no-file]: there is no Compose file in `/shop`
         --> skaffold.yaml:8:5
          |
        8 |     useCompose: true
          |     ^^^^^^^^^^
        help: write `compose.yaml` beside skaffold.yaml, or name another file by `COMPOSE_FILE`
        "#);
    }
}
