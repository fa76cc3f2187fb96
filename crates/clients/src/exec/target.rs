//! A running container, and who runs commands in it.

use std::fmt;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Diagnostic;

use super::Exec;
use super::ExecLogged;
use super::ExecOutput;
use crate::docker::Docker;
use crate::docker::DockerError;
use crate::kube::Cluster;
use crate::kube::ContainerRef;
use crate::kube::KubeError;

/// A running container that commands are run in.
#[derive(Debug, Clone, Copy)]
pub enum ExecTarget<'a> {
    /// One of a pod.
    Pod {
        /// Which.
        container: &'a ContainerRef,
        /// Its cluster.
        cluster: &'a Cluster,
    },
    /// One of the container daemon.
    Daemon {
        /// Its name, for people.
        name: &'a str,
        /// Its ID.
        id: &'a str,
        /// Its daemon.
        docker: &'a Docker,
    },
}

/// Why a command could not be run in a container.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The cluster did not do it.
    #[error(transparent)]
    Kube(KubeError),
    /// The container daemon did not do it.
    #[error(transparent)]
    Docker(DockerError),
    /// It took too long.
    #[error("`{command}` did not end within {} s", limit.as_secs_f64())]
    TimedOut {
        /// Its program.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl ExecError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Kube(source) => source.diagnostic(),
            Self::Docker(source) => source.diagnostic(),
            Self::TimedOut { .. } => Diagnostic::error("exec/timed-out", self.to_string()),
            Self::Cancelled => Diagnostic::error("exec/interrupted", self.to_string()),
        }
    }
}

impl From<KubeError> for ExecError {
    fn from(error: KubeError) -> Self {
        match error {
            KubeError::Cancelled => Self::Cancelled,
            error => Self::Kube(error),
        }
    }
}

impl From<DockerError> for ExecError {
    fn from(error: DockerError) -> Self {
        match error {
            DockerError::Cancelled(_) => Self::Cancelled,
            error => Self::Docker(error),
        }
    }
}

impl fmt::Display for ExecTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { container, .. } => container.fmt(f),
            Self::Daemon { name, .. } => write!(f, "container/{name}"),
        }
    }
}

impl ExecTarget<'_> {
    /// Returns what a command left that was given `input` and ran to its end within `limit`.
    ///
    /// # Errors
    /// When the container is gone or does not run, rights are missing, nobody answers, or it takes too long.
    pub async fn exec_to_end(&self, command: &[String], input: &[u8], limit: Duration, cx: &Cx) -> Result<ExecOutput, ExecError> {
        // What closes the input of a command that has ended already may miss how it ended.
        let exec = self.start(command, !input.is_empty(), cx).await?;
        in_time(exec.output(input), command, limit, cx).await
    }

    /// Returns how a command ended that ran within `limit`, each of its lines recorded as the step's own.
    ///
    /// # Errors
    /// As [`ExecTarget::exec_to_end`].
    pub async fn exec_logged(&self, command: &[String], limit: Duration, cx: &Cx) -> Result<ExecLogged, ExecError> {
        let exec = self.start(command, false, cx).await?;
        in_time(exec.logged(cx), command, limit, cx).await
    }

    async fn start(&self, command: &[String], stdin: bool, cx: &Cx) -> Result<Exec, ExecError> {
        match self {
            Self::Pod { container, cluster } => Ok(cluster.start(container, command, stdin, cx).await?),
            Self::Daemon { id, docker, .. } => Ok(docker.start_exec(id, command, None, stdin, cx).await?),
        }
    }
}

async fn in_time<T>(work: impl Future<Output = T>, command: &[String], limit: Duration, cx: &Cx) -> Result<T, ExecError> {
    let late = |_| ExecError::TimedOut { command: command.first().cloned().unwrap_or_default(), limit };
    cx.unless_cancelled(tokio::time::timeout(limit, work)).await.map_err(|_| ExecError::Cancelled)?.map_err(late)
}
