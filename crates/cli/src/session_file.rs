//! Sessions that run on this machine: a file for each, so that they can be found and asked, and locks, so that no
//! two of them work on the same release.
//!
//! A session holds its locks for as long as its process lives: the system frees them when it is killed. A file
//! whose lock nobody holds is of a session that is gone, and is removed by whoever finds it.

mod find;
mod lock;
#[cfg(test)]
mod tests;

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

pub(crate) use self::find::ago;
pub(crate) use self::lock::OpenSession;
use crate::settings::Paths;

/// What is known of a running session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionFile {
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub since: Timestamp,
    /// The command, `dev`.
    pub command: String,
    /// The directory that it works in.
    pub directory: PathBuf,
    /// The configuration that it read; none for standard input.
    pub config: Option<PathBuf>,
    /// Kubernetes context.
    pub context: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Who started it, `me@host`.
    pub owner: String,
    /// Where its API listens; none before it does.
    pub url: Option<String>,
    /// What its API wants to be shown; none if it wants nothing.
    pub token: Option<String>,
}

/// The directory of session files.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    directory: PathBuf,
}

/// Returns who runs this process, `me@host`.
pub(crate) fn owner(env: &Env) -> String {
    let user = env.get("USER").or_else(|| env.get("LOGNAME")).unwrap_or("somebody");
    // Linux says it here; elsewhere shells know.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.as_deref().map(str::trim).or_else(|| env.get("HOSTNAME")).unwrap_or("this machine");
    format!("{user}@{host}")
}

impl Sessions {
    /// Returns the sessions of this user: in `XDG_RUNTIME_DIR`, which ends with the login, else in the cache.
    pub(crate) fn of(env: &Env, paths: &Paths) -> Self {
        let runtime = env.get("XDG_RUNTIME_DIR").map(Path::new).filter(|path| path.is_absolute() && path.is_dir());
        Self { directory: runtime.map_or_else(|| paths.cache.join("sessions"), |path| path.join("devloop")) }
    }

    /// Returns the sessions that run, the oldest first, and removes the files of those that are gone.
    pub(crate) fn running(&self) -> Vec<SessionFile> {
        let files = fs::read_dir(&self.directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut sessions: Vec<SessionFile> =
            files.filter(|path| path.extension().is_some_and(|end| end == "json")).filter_map(|path| living(&path)).collect();
        sessions.sort_by_key(|session| (session.since, session.pid));
        sessions
    }

    fn file(&self, pid: u32) -> PathBuf {
        self.directory.join(format!("{pid}.json"))
    }

    /// Makes the directory, for this user only.
    fn create(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        // It may have been there, with more rights; one that belongs to somebody else fails here.
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700))
    }

    /// Writes a session's file, and returns it open and locked.
    fn write(&self, session: &SessionFile) -> io::Result<File> {
        let path = self.file(session.pid);
        let draft = path.with_extension("draft");
        // What a killed process with this number left behind.
        drop(fs::remove_file(&draft));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.try_lock().map_err(io::Error::from)?;
        file.write_all(serde_json::to_string(session)?.as_bytes())?;
        // Whoever sees it sees all of it, and that somebody holds it.
        fs::rename(&draft, &path)?;
        Ok(file)
    }
}

/// Returns what a session's file says if its process lives, and removes it if not.
fn living(path: &Path) -> Option<SessionFile> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => serde_json::from_reader(&file).ok(),
        Err(TryLockError::Error(_)) => None,
        Ok(()) => {
            drop(fs::remove_file(path));
            None
        }
    }
}

/// Returns an error of files that sessions are kept in.
fn unusable(sessions: &Sessions, error: &io::Error) -> Diagnostic {
    Diagnostic::error("session/no-file", format!("the session cannot be written down in {}", sessions.directory.display()))
        .because(error.to_string())
        .help("make the directory writable for you, or set XDG_RUNTIME_DIR to one that is")
}
