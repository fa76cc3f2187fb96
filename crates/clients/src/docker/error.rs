//! What a daemon or a build of it gets wrong, in the user's words.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::Location;

/// Why a daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// No daemon answers.
    #[error("no container daemon answers at `{address}`")]
    NoDaemon {
        /// What was tried.
        address: String,
        /// Where that address comes from.
        origin: String,
        /// Why it failed.
        why: String,
    },
    /// The address is of a kind that is not spoken.
    #[error("`{address}` is no address of a container daemon that can be used")]
    UnsupportedHost {
        /// The address.
        address: String,
        /// Where it comes from.
        origin: String,
    },
    /// A docker context cannot be read.
    #[error("docker context `{name}` cannot be used")]
    Context {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// There is no such image, or no such other thing.
    #[error("the container daemon could not {what}")]
    NotFound {
        /// What was asked.
        what: String,
        /// Its words.
        message: String,
    },
    /// It said no.
    #[error("the container daemon could not {what}")]
    Answer {
        /// What was asked.
        what: String,
        /// Its words.
        message: String,
    },
    /// BuildKit cannot be asked, or said no.
    #[error("BuildKit could not {what}")]
    BuildKit {
        /// What was asked.
        what: String,
        /// Its words, or why it cannot be asked.
        message: String,
    },
    /// It said no, because something needs what it was asked to change.
    #[error("the container daemon could not {what}")]
    InUse {
        /// What was asked.
        what: String,
        /// Its words.
        message: String,
    },
    /// It did not push or pull.
    #[error("`{reference}` could not be {action}")]
    Transfer {
        /// The image.
        reference: String,
        /// `pushed` or `pulled`.
        action: &'static str,
        /// Its words.
        message: String,
        /// The registry.
        host: String,
        /// Which credentials it was given.
        credentials: String,
    },
    /// A step of a Dockerfile failed.
    #[error("build of `{tag}` failed{}", step.as_ref().map(|step| format!(" at `{step}`")).unwrap_or_default())]
    BuildFailed {
        /// The image.
        tag: String,
        /// The step.
        step: Option<String>,
        /// The last lines that it wrote.
        last_lines: Vec<String>,
        /// The builder's words.
        message: String,
    },
    /// A Dockerfile does not parse.
    #[error("`{}` is not a valid Dockerfile", dockerfile.display())]
    Dockerfile {
        /// The Dockerfile.
        dockerfile: PathBuf,
        /// The line, if the builder says one.
        at: Option<Box<Location>>,
        /// The builder's words.
        message: String,
    },
    /// Something that only the other builder can do was asked for.
    #[error("{setting} needs {needs}")]
    Unsupported {
        /// The setting.
        setting: String,
        /// What it needs.
        needs: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A file of the context cannot be read or sent.
    #[error("`{}` cannot be sent to the builder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A directory that keeps cached steps cannot be read or written.
    #[error("the cache in `{}` cannot be used", path.display())]
    Cache {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A secret or an agent that the build names is not there.
    #[error("{what} cannot be given to the build")]
    Secret {
        /// Which secret or agent.
        what: String,
        /// Why.
        why: String,
    },
    /// Nothing of an image moved for too long.
    #[error("`{reference}` could not be {action}: nothing moved for {} s", limit.as_secs())]
    Stalled {
        /// The image.
        reference: String,
        /// `pushed` or `pulled`.
        action: &'static str,
        /// Its registry.
        host: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A command ran longer in its container than it may.
    #[error("`{command}` was stopped after {} s", limit.as_secs())]
    Overran {
        /// The command.
        command: String,
        /// How long it may run.
        limit: Duration,
    },
    /// It did not answer.
    #[error("the container daemon did not {what} in {} s", limit.as_secs())]
    TimedOut {
        /// What was asked.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled(#[from] Cancelled),
}

impl DockerError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = |code| Diagnostic::error(code, self.to_string());
        match self {
            Self::NoDaemon { origin, why, .. } => error("docker/no-daemon")
                .because(format!("{why} (address from {origin})"))
                .help("start the container daemon, or set DOCKER_HOST or `docker context use` to one that runs"),
            Self::UnsupportedHost { origin, .. } => error("docker/unsupported-host").because(format!("address from {origin}")).help(
                "use unix:// or tcp://; for a daemon over SSH, forward its socket: `ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`",
            ),
            Self::Context { why, .. } => error("docker/context").because(why.clone()).help("see `docker context ls`, or set DOCKER_HOST"),
            Self::NotFound { message, .. } => error("docker/not-found").because(message.clone()),
            Self::BuildKit { message, .. } => error("docker/buildkit").because(message.clone()),
            Self::Answer { message, .. } | Self::InUse { message, .. } => error("docker/refused").because(message.clone()),
            Self::Transfer { message, host, credentials, .. } => {
                let error = error("docker/transfer").because(message.clone()).because(format!("used {credentials}"));
                let denied =
                    ["denied", "unauthorized", "authentication required", "no basic auth"].iter().any(|word| message.contains(word));
                if denied {
                    error.help(format!("run `docker login {host}`, or name another repository with `--default-repo`"))
                } else {
                    error
                }
            }
            Self::BuildFailed { last_lines, message, .. } => {
                let error = error("docker/build-failed");
                let error = if last_lines.is_empty() { error } else { error.because(last_lines.join("\n")) };
                error.because(message.clone())
            }
            Self::Dockerfile { at, message, .. } => {
                let error = error("docker/dockerfile").because(message.clone());
                match at {
                    Some(at) => error.at((**at).clone()),
                    None => error,
                }
            }
            Self::Unsupported { help, .. } => error("docker/unsupported-setting").help(*help),
            Self::File { why, .. } => error("docker/context-file").because(why.clone()),
            Self::Cache { why, .. } => {
                error("docker/cache").because(why.clone()).help("name a directory that you may write to, or remove the cache")
            }
            Self::Secret { why, .. } => error("docker/secret").because(why.clone()),
            Self::Stalled { host, .. } => error("docker/stalled").help(format!(
                "see whether the registry `{host}` works and whether the container daemon reaches it, or name another with `--default-repo`"
            )),
            Self::Overran { .. } => error("docker/overran"),
            Self::TimedOut { .. } => error("docker/timed-out").help("look at the daemon's log; it may need a restart"),
            Self::Cancelled(_) => error("docker/interrupted"),
        }
    }

    /// Returns what the output of a failed `docker build` means, so that both ways to build tell it alike.
    pub fn from_build_output(tag: &str, dockerfile: &Path, mut last_lines: Vec<String>) -> Self {
        while last_lines.last().is_some_and(|line| line.trim().is_empty()) {
            last_lines.pop();
        }
        let message = last_lines.iter().rfind(|line| line.contains("parse error")).cloned().or_else(|| last_lines.pop());
        super::build::build_error(tag, dockerfile, None, last_lines, message.unwrap_or_else(|| "it said nothing".to_owned()))
    }

    /// Returns what the daemon's answer to `what` means.
    pub(super) fn from_answer(what: &str, error: &bollard::errors::Error) -> Self {
        let what = what.to_owned();
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code: 404, message } => {
                Self::NotFound { what, message: message.clone() }
            }
            bollard::errors::Error::DockerResponseServerError { status_code: 409, message } => {
                Self::InUse { what, message: message.clone() }
            }
            bollard::errors::Error::DockerResponseServerError { message, .. }
            | bollard::errors::Error::DockerStreamError { error: message } => Self::Answer { what, message: message.clone() },
            other => Self::Answer { what, message: root_cause(other) },
        }
    }
}

/// Returns the innermost cause: the outer ones only name layers of the client.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
