//! An agent for keys in files, for the length of a build.
//!
//! OpenSSH's own: it reads every kind of key that its user has, and no key is ever in our memory.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cx;
use tempfile::TempDir;
use tokio_util::sync::DropGuard;

use crate::process::Command;
use crate::process::ProcessError;

/// How long the agent may take to start, and a key to be added.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks for the agent's socket.
const LOOK: Duration = Duration::from_millis(5);

/// A running agent; it ends with this value, and its socket with it.
#[derive(Debug)]
pub(super) struct OwnAgent {
    socket: PathBuf,
    _end: DropGuard,
    _folder: TempDir,
}

impl OwnAgent {
    /// Returns an agent that has these keys.
    ///
    /// # Errors
    /// Why it could not be started, or cannot have a key, in the user's words.
    pub(super) async fn start(keys: &[PathBuf], cx: &Cx) -> Result<Self, String> {
        // Only its owner may look into it.
        let folder =
            tempfile::Builder::new().prefix("devloop-ssh-").tempdir().map_err(|error| format!("no folder for a socket: {error}"))?;
        let socket = folder.path().join("agent");
        let mut own = cx.clone();
        own.cancel = cx.cancel.child_token();
        let end = own.cancel.clone().drop_guard();
        let command = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket);
        let running = tokio::spawn(async move { command.output(&own).await });
        let listening = async {
            while !socket.exists() && !running.is_finished() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(DEADLINE, listening).await.map_err(|_| "`ssh-agent` does not start".to_owned())?;
        if running.is_finished() {
            let ended = running.await.map_err(|error| error.to_string())?;
            return Err(ended.map_or_else(|error| told(&error), |_| "`ssh-agent` ended at once".to_owned()));
        }
        let agent = Self { socket, _end: end, _folder: folder };
        for key in keys {
            agent.add(key, cx).await.map_err(|error| format!("`{}`: {}", key.display(), told(&error)))?;
        }
        Ok(agent)
    }

    /// Returns where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    async fn add(&self, key: &Path, cx: &Cx) -> Result<(), ProcessError> {
        let key = std::path::absolute(key).unwrap_or_else(|_| key.to_owned());
        // Nobody can be asked for a passphrase: a program that fails is asked instead.
        let command = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .deadline(DEADLINE);
        command.output(cx).await.map(drop)
    }
}

/// Returns why a program of OpenSSH failed, and what helps.
fn told(error: &ProcessError) -> String {
    match error {
        ProcessError::NotFound { program } => format!("`{program}` is not installed, which keys in files need: install OpenSSH's client"),
        error => format!("{error}; a key with a passphrase has to be added to your agent: `ssh-add` it and name no file"),
    }
}
