//! Containers that live for one command, or for a look into an image: none outlives the call that made it.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::ContainerConfig;
use bollard::models::ContainerCreateBody;
use bollard::models::HostConfig;
use bollard::query_parameters::CommitContainerOptions;
use bollard::query_parameters::CreateContainerOptions;
use bollard::query_parameters::LogsOptions;
use bollard::query_parameters::StartContainerOptions;
use bollard::query_parameters::WaitContainerOptions;
use devloop_model::Cx;
use devloop_model::ImageId;
use futures::StreamExt as _;

use super::Docker;
use super::DockerError;

/// How much of each stream of a command is kept.
const KEPT: usize = 4 << 20;

/// A command that has a container of its own.
#[derive(Debug, Clone, Default)]
pub struct CommandSpec {
    /// The name or ID of an image that the daemon has.
    pub image: String,
    /// The command, in place of entrypoint and command of the image.
    pub command: Vec<String>,
    /// `NAME=value`, beside what the image sets.
    pub env: Vec<String>,
    /// The user; none is that of the image.
    pub user: Option<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether it may do all that the daemon's machine may.
    pub privileged: bool,
    /// Capabilities beyond the usual ones.
    pub capabilities: Vec<String>,
    /// `SOURCE:TARGET`, as `docker run --volume` has them.
    pub binds: Vec<String>,
}

/// A command that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// What it wrote to standard output, or to its terminal; the first few megabytes.
    pub stdout: String,
    /// What it wrote to standard error; as much.
    pub stderr: String,
}

impl Docker {
    /// Runs a command in a container of its own and returns how it ended, whatever its exit code.
    ///
    /// # Errors
    /// When it cannot be started, or runs longer than `limit`.
    pub async fn run_once(&self, spec: &CommandSpec, limit: Duration, cx: &Cx) -> Result<Ended, DockerError> {
        let container = self.create(spec, cx).await?;
        let ended = self.run_to_end(&container, spec, limit, cx).await;
        self.discard(&container, cx).await;
        ended
    }

    /// Runs a command in a container of its own and returns how it ended, with an image of what it left behind.
    ///
    /// # Errors
    /// When it cannot be started, runs longer than `limit`, or leaves what cannot be kept.
    pub async fn run_and_keep(&self, spec: &CommandSpec, limit: Duration, cx: &Cx) -> Result<(Ended, ImageId), DockerError> {
        let container = self.create(spec, cx).await?;
        let kept = match self.run_to_end(&container, spec, limit, cx).await {
            Ok(ended) => self.keep(&container, cx).await.map(|image| (ended, image)),
            Err(error) => Err(error),
        };
        self.discard(&container, cx).await;
        kept
    }

    /// Makes a container, and returns its ID. That it was asked for is not taken back: nobody would remove it.
    pub(super) async fn create(&self, spec: &CommandSpec, cx: &Cx) -> Result<String, DockerError> {
        let what = format!("make a container of `{}`", spec.image);
        let config = ContainerCreateBody {
            image: Some(spec.image.clone()),
            cmd: Some(spec.command.clone()),
            // One empty word is how the entrypoint of the image is left out.
            entrypoint: Some(vec![String::new()]),
            env: Some(spec.env.clone()),
            user: spec.user.clone(),
            tty: Some(spec.tty),
            host_config: Some(HostConfig {
                privileged: Some(spec.privileged),
                cap_add: Some(spec.capabilities.clone()),
                binds: Some(spec.binds.clone()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let asked = self.client.create_container(None::<CreateContainerOptions>, config);
        Ok(self.ask(&what, asked, &cx.for_clean_up()).await?.id)
    }

    async fn run_to_end(&self, container: &str, spec: &CommandSpec, limit: Duration, cx: &Cx) -> Result<Ended, DockerError> {
        let command = spec.command.join(" ");
        let what = format!("run `{command}` in a container of `{}`", spec.image);
        self.ask(&what, self.client.start_container(container, None::<StartContainerOptions>), cx).await?;
        let ended = tokio::time::timeout(limit, self.exit_code(container, &what));
        let code = cx.unless_cancelled(ended).await?.map_err(|_| DockerError::Overran { command, limit })??;
        let (stdout, stderr) = self.ask(&what, self.written(container), cx).await?;
        Ok(Ended { code, stdout, stderr })
    }

    async fn exit_code(&self, container: &str, what: &str) -> Result<i64, DockerError> {
        let mut answers = Box::pin(self.client.wait_container(container, None::<WaitContainerOptions>));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            Some(Err(Error::DockerContainerWaitError { error, code })) if error.is_empty() => Ok(code),
            Some(Err(error)) => Err(DockerError::from_answer(what, &error)),
            None => Err(DockerError::Answer { what: what.to_owned(), message: "it did not say how it ended".to_owned() }),
        }
    }

    async fn written(&self, container: &str) -> Result<(String, String), Error> {
        let options = LogsOptions { stdout: true, stderr: true, ..LogsOptions::default() };
        let mut parts = Box::pin(self.client.logs(container, Some(options)));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(part) = parts.next().await {
            let (stream, message) = match part? {
                LogOutput::StdErr { message } => (&mut stderr, message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => (&mut stdout, message),
                LogOutput::StdIn { .. } => continue,
            };
            let room = KEPT.saturating_sub(stream.len());
            stream.extend_from_slice(&message[..message.len().min(room)]);
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((text(stdout), text(stderr)))
    }

    async fn keep(&self, container: &str, cx: &Cx) -> Result<ImageId, DockerError> {
        let what = "keep what a container left behind";
        let options = CommitContainerOptions { container: Some(container.to_owned()), ..CommitContainerOptions::default() };
        let answer = self.ask(what, self.client.commit_container(options, ContainerConfig::default()), cx).await?;
        ImageId::parse(&answer.id).map_err(|error| DockerError::Answer { what: what.to_owned(), message: error.to_string() })
    }

    /// Removes a container, running or not: when its step was stopped as well.
    pub(super) async fn discard(&self, container: &str, cx: &Cx) {
        if let Err(error) = self.remove_container(container, &cx.for_clean_up()).await {
            tracing::debug!("container {container} is left behind: {error}");
        }
    }
}
