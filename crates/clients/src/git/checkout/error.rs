//! Why a copy of a repository is not to be had; what is shown has no credentials in it.

use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::without_credentials;

use crate::process::ProcessError;

/// How many lines of git are told: its own verdict, and what the other side said before.
const TOLD: usize = 2;

/// Why a copy of a repository is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// There is none, and none may be made.
    #[error("there is no copy of `{}`, and none may be fetched", without_credentials(repo))]
    Missing {
        /// The address of the repository.
        repo: String,
    },
    /// The repository does not have the reference.
    #[error("`{}` has no branch, tag or commit `{reference}`", without_credentials(repo))]
    NoReference {
        /// The address of the repository.
        repo: String,
        /// The reference.
        reference: String,
    },
    /// The repository does not say what its default branch is.
    #[error("`{}` has no branch `master` or `main`", without_credentials(repo))]
    NoDefaultBranch {
        /// The address of the repository.
        repo: String,
    },
    /// git failed.
    #[error("`{}` could not be fetched", without_credentials(repo))]
    Git {
        /// The address of the repository.
        repo: String,
        /// What git did.
        source: ProcessError,
        /// Whether there is a copy from before.
        has_copy: bool,
    },
    /// The cache cannot be written.
    #[error("`{}` cannot be used for copies of repositories", directory.display())]
    Io {
        /// The directory or file.
        directory: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Nobody waits for it any more.
    #[error("interrupted")]
    Interrupted,
}

impl CheckoutError {
    /// Returns what git's failure means.
    pub(super) fn of_git(repo: &str, reference: Option<&str>, source: ProcessError) -> Self {
        let repo = repo.to_owned();
        match (&source, reference) {
            (ProcessError::Failed { last_lines, .. }, reference) if last_lines.iter().any(|line| is_unknown_reference(line)) => {
                Self::NoReference { repo, reference: reference.unwrap_or("HEAD").to_owned() }
            }
            _ => Self::Git { repo, source, has_copy: false },
        }
    }

    pub(super) fn is_unknown_reference(&self) -> bool {
        matches!(self, Self::NoReference { .. })
    }

    /// Returns this error where there is a copy from before.
    pub(super) fn with_copy(self) -> Self {
        match self {
            Self::Git { repo, source, .. } => Self::Git { repo, source, has_copy: true },
            other => other,
        }
    }

    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = |code| Diagnostic::error(code, self.to_string());
        match self {
            Self::Missing { .. } => {
                error("config/fetch-off").help("`--sync-remote-cache=missing` fetches what is missing, and leaves the rest as it is")
            }
            Self::NoReference { .. } => {
                error("config/no-reference").help("check `ref`, which is `master`, else `main`, where it is not given")
            }
            Self::NoDefaultBranch { .. } => error("config/no-reference").help("name the branch with `ref`"),
            Self::Git { source, has_copy, .. } => of_process(error("config/fetch"), source, *has_copy),
            Self::Io { source, .. } => error("config/fetch-cache")
                .because(source.to_string())
                .help("make it writable for you, or name another with `--remote-cache-dir`"),
            Self::Interrupted => error("config/interrupted"),
        }
    }
}

fn of_process(error: Diagnostic, source: &ProcessError, has_copy: bool) -> Diagnostic {
    let error = match source {
        ProcessError::Failed { last_lines, .. } => verdict(last_lines).fold(error, |error, line| error.because(without_credentials(line))),
        other => error.because(other.to_string()),
    };
    error.help(match source {
        ProcessError::NotFound { .. } => "install `git`, which fetches the repositories of required modules",
        _ if has_copy => "`--sync-remote-cache=missing` works with the copy from before",
        _ => "check `repo`, and that `git ls-remote` can read it without asking for a password",
    })
}

/// Returns the last line in which git itself says what is fatal, with what was said before it; else the last lines.
fn verdict(lines: &[String]) -> impl Iterator<Item = &str> {
    let end = lines.iter().rposition(|line| line.starts_with("fatal:")).map_or(lines.len(), |at| at + 1);
    let said = lines[..end].iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("warning:"));
    let said: Vec<&str> = said.collect();
    let skipped = said.len().saturating_sub(TOLD);
    said.into_iter().skip(skipped)
}

/// Source: git `builtin/clone.c`, `remote.c`, `upload-pack.c`; its messages are asked for in English.
fn is_unknown_reference(line: &str) -> bool {
    let line = line.trim_start_matches("fatal: ");
    (line.starts_with("Remote branch ") && line.contains(" not found in upstream "))
        || line.starts_with("couldn't find remote ref ")
        || line.contains("upload-pack: not our ref ")
}
