//! docker compose, the program: what the files of a Compose project come to, and bringing that about.

mod error;
mod files;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Location;
use serde_json::Value;

pub use self::error::ComposeError;
pub use self::files::files;
use crate::docker::Docker;
use crate::process::Command;
use crate::process::ProcessError;

/// How long it may take to say something.
const QUESTION: Duration = Duration::from_mins(1);
/// How long it may take to pull images and start containers, those that wait for others included.
const UP_LIMIT: Duration = Duration::from_hours(1);
/// How it is called: as a plugin of docker, or as a program of its own.
const PROGRAMS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
/// The first major version that can say what a project comes to.
const OLDEST: u32 = 2;

/// docker compose, as it is installed, for the project of one directory.
#[derive(Debug)]
pub struct Compose {
    program: &'static [&'static str],
    directory: PathBuf,
    /// The files that it reads first.
    files: Vec<PathBuf>,
    at: Location,
    /// The daemon that everything else is done in.
    daemon: Vec<(&'static str, String)>,
}

impl Compose {
    /// Returns the program for the project whose files are in `directory`, which `at` asks for.
    ///
    /// # Errors
    /// When there is no Compose file, or no program that can read it.
    pub async fn find(directory: &Path, at: &Location, docker: &Docker, cx: &Cx) -> Result<Self, ComposeError> {
        let files = files::roots(directory, &cx.env);
        if files.is_empty() {
            return Err(ComposeError::NoFile { directory: directory.to_owned(), at: Box::new(at.clone()) });
        }
        let (directory, at, daemon) = (directory.to_owned(), at.clone(), docker.command_env());
        let mut compose = Self { program: &[], directory, files, at, daemon };
        let mut too_old = None;
        for program in PROGRAMS {
            compose.program = program;
            match compose.command().args(["version", "--short"]).deadline(QUESTION).output(cx).await {
                Ok(output) => match version(&output.stdout) {
                    Some(version) if version.0 < OLDEST => too_old = Some(version.1),
                    _ => return Ok(compose),
                },
                // A docker without the plugin fails.
                Err(ProcessError::NotFound { .. } | ProcessError::Failed { .. }) => {}
                Err(error) => return Err(compose.failed("version", error)),
            }
        }
        Err(ComposeError::NotInstalled { too_old, at: Box::new(compose.at) })
    }

    /// Returns what the project's files come to: one file with absolute paths, variables and `env_file`s put in.
    ///
    /// # Errors
    /// When they say nothing that can be run.
    pub async fn config(&self, cx: &Cx) -> Result<Value, ComposeError> {
        let command = self.command().args(["config", "--format", "json"]).deadline(QUESTION);
        let output = command.output(cx).await.map_err(|error| self.failed("config", error))?;
        for line in String::from_utf8_lossy(&output.stderr).lines().filter(|line| !line.trim().is_empty()) {
            cx.log(devloop_model::Stream::Stderr, format!("docker compose config: {line}"));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| self.no_answer(&error))
    }

    /// Brings it about that everything of `model` runs, as it came from [`Self::config`] with changes; what runs so already is left alone.
    ///
    /// # Errors
    /// When an image is not there, or something does not start.
    pub async fn up(&self, model: &Value, cx: &Cx) -> Result<(), ComposeError> {
        // What becomes of containers is told by whoever asked.
        self.run(model, "up", &["--progress", "quiet"], &["--detach"], cx).await
    }

    /// Pulls the images of `model` that the daemon does not have.
    ///
    /// # Errors
    /// When one cannot be had.
    pub async fn pull(&self, model: &Value, cx: &Cx) -> Result<(), ComposeError> {
        self.run(model, "pull", &[], &["--policy", "missing", "--ignore-buildable"], cx).await
    }

    async fn run(&self, model: &Value, verb: &'static str, global: &[&str], arguments: &[&str], cx: &Cx) -> Result<(), ComposeError> {
        let project = model["name"].as_str().unwrap_or_default();
        // The model may hold secrets: it is no argument, and no file.
        let command = self.command().args(["--project-name", project, "--file", "-"]).args(global).arg(verb).args(arguments);
        let command = command.env("COMPOSE_IGNORE_ORPHANS", "true").env("COMPOSE_MENU", "false");
        command.input(model.to_string()).deadline(UP_LIMIT).run(cx).await.map_err(|error| self.failed(verb, error))
    }

    fn command(&self) -> Command {
        let (program, arguments) = self.program.split_first().unwrap_or((&"docker-compose", &[]));
        let command = Command::new(program).args(arguments).dir(&self.directory);
        self.daemon.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    fn failed(&self, verb: &'static str, error: ProcessError) -> ComposeError {
        ComposeError::of_process(error, verb, &self.files, &self.at)
    }

    fn no_answer(&self, error: &serde_json::Error) -> ComposeError {
        ComposeError::NoAnswer { why: error.to_string(), at: Box::new(self.at.clone()) }
    }
}

/// Returns the major version that a program says it is, and all that it says.
fn version(said: &[u8]) -> Option<(u32, String)> {
    let said = String::from_utf8_lossy(said).trim().to_owned();
    let major = said.trim_start_matches('v').split('.').next()?.parse().ok()?;
    Some((major, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_with_or_without_its_v() {
        for (said, expected) in [("v2.40.3\n", Some(2)), ("5.6.0", Some(5)), ("1.29.2", Some(1)), ("dev", None)] {
            assert_eq!(version(said.as_bytes()).map(|(major, _)| major), expected, "{said}");
        }
    }
}
