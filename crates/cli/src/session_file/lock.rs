//! Locks: one for each release that a session works on.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;

use super::SessionFile;
use super::Sessions;
use super::find;
use super::unusable;

/// A session that this process runs: its file and its locks, held until [`OpenSession::end`], or the process ends.
#[derive(Debug)]
pub(crate) struct OpenSession {
    sessions: Sessions,
    session: SessionFile,
    file: File,
    locks: Vec<(PathBuf, File)>,
}

impl Sessions {
    /// Returns a session that alone works on `releases`, the names of its inventories.
    ///
    /// # Errors
    /// When another session works on one of them in the same context and namespace; it says which.
    pub(crate) fn open(&self, session: SessionFile, releases: &[String]) -> Result<OpenSession, Diagnostic> {
        self.create().map_err(|error| unusable(self, &error))?;
        let mut locks = Vec::new();
        for release in releases {
            let path = self.directory.join(format!("{}.lock", id(&session, release)));
            match lock(&path, session.pid) {
                Ok(Some(file)) => locks.push((path, file)),
                // Two of its own modules may have one name.
                Ok(None) if locks.iter().any(|(held, _)| *held == path) => {}
                Ok(None) => return Err(self.held(&path, &session)),
                Err(error) => return Err(unusable(self, &error)),
            }
        }
        let file = self.write(&session).map_err(|error| unusable(self, &error))?;
        Ok(OpenSession { sessions: self.clone(), session, file, locks })
    }

    /// Returns the error that says who holds a lock.
    fn held(&self, path: &Path, wanted: &SessionFile) -> Diagnostic {
        let pid: Option<u32> = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let holder = pid.and_then(|pid| self.running().into_iter().find(|session| session.pid == pid));
        let what = format!("another session works on this configuration in the namespace `{}`", wanted.namespace);
        let held = Diagnostic::error("session/held", what);
        match (holder, pid) {
            (Some(holder), _) => {
                let stop = format!("end it with `kill {}`, ask it with `devloop status --session {}`", holder.pid, holder.pid);
                held.because(find::describe(&holder)).help(format!("{stop}, or deploy into another namespace with `--namespace`"))
            }
            (None, Some(pid)) => held.because(format!("process {pid} holds it")).help(format!("end it with `kill {pid}`")),
            (None, None) => held.help("it is just starting or ending: try again"),
        }
    }
}

/// Returns the name of the lock of one release: what its inventory is in a cluster is unique by these.
fn id(session: &SessionFile, release: &str) -> String {
    let parts = [session.context.as_deref().unwrap_or_default(), &session.namespace, release];
    blake3::hash(parts.join("\0").as_bytes()).to_hex()[..16].to_owned()
}

/// Returns the lock at `path`, with the number of this process in it; none if another process holds it.
fn lock(path: &Path, pid: u32) -> io::Result<Option<File>> {
    loop {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        // A session that ends removes its locks: one that was opened before that is no longer anybody's.
        let same = fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|held| held.ino() == now.ino() && held.dev() == now.dev()));
        if same {
            file.set_len(0)?;
            writeln!(file, "{pid}")?;
            return Ok(Some(file));
        }
    }
}

impl OpenSession {
    /// Writes down where the session's API is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn serve(&mut self, url: &str, token: Option<&str>) -> Result<(), Diagnostic> {
        self.session.url = Some(url.to_owned());
        self.session.token = token.map(str::to_owned);
        self.file = self.sessions.write(&self.session).map_err(|error| unusable(&self.sessions, &error))?;
        Ok(())
    }

    /// Removes the file and frees the locks.
    pub(crate) fn end(self) {
        // One that cannot be removed is recognised as gone, because nobody holds it.
        drop(fs::remove_file(self.sessions.file(self.session.pid)));
        for (path, held) in self.locks {
            drop(fs::remove_file(path));
            drop(held);
        }
    }
}
