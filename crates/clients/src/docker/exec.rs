//! Commands in containers of the daemon, over one connection each.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::StartExecOptions;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bytes::Bytes;
use devloop_model::Cx;
use futures::Stream;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::DuplexStream;

use super::Docker;
use super::DockerError;
use crate::exec::BUFFERED;
use crate::exec::Exec;
use crate::exec::ExecEnd;
use crate::exec::Streams;

/// What the daemon writes instead of the output of a command that its runtime could not start.
const NOT_STARTED: &[u8] = b"OCI runtime exec failed";
/// How often, and after which pause, the daemon is asked how a command ended whose streams have.
const ASKED: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

impl Docker {
    /// Returns a command that was started in a container, as its user unless another is named; standard input is what is written to it,
    /// standard output what is read.
    ///
    /// # Errors
    /// When the container is gone or does not run. A command that cannot be started is told by [`Exec::end`].
    pub async fn exec(&self, container: &str, command: &[String], user: Option<&str>, cx: &Cx) -> Result<Exec, DockerError> {
        self.start_exec(container, command, user, true, cx).await
    }

    /// Returns the same, with or without a standard input.
    pub(crate) async fn start_exec(
        &self,
        container: &str,
        command: &[String],
        user: Option<&str>,
        stdin: bool,
        cx: &Cx,
    ) -> Result<Exec, DockerError> {
        let what = format!("run `{}` in container `{container}`", command.first().map_or("", String::as_str));
        let config = ExecConfig {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            user: user.map(str::to_owned),
            ..ExecConfig::default()
        };
        let id = self.ask(&what, self.client.create_exec(container, config), cx).await?.id;
        let started = self.ask(&what, self.client.start_exec(&id, None::<StartExecOptions>), cx).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(DockerError::Answer { what, message: "it did not attach".to_owned() });
        };
        let (stdout, to_stdout) = tokio::io::duplex(BUFFERED);
        let (stderr, to_stderr) = tokio::io::duplex(BUFFERED);
        let docker = self.clone();
        let end = async move {
            match forwarded(output, to_stdout, to_stderr).await {
                Some(why) => ExecEnd::NotStarted(why),
                None => docker.exec_end(&id).await,
            }
        };
        Ok(Exec::new(Streams {
            stdin: stdin.then(|| Box::new(input) as _),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            end: Box::pin(end),
            kept: Box::new(()),
        }))
    }

    /// Returns how a command ended whose streams have ended; one that still runs has lost them.
    async fn exec_end(&self, id: &str) -> ExecEnd {
        for _ in 0..ASKED {
            match tokio::time::timeout(super::QUESTION, self.client.inspect_exec(id)).await {
                Ok(Ok(exec)) => {
                    if let (Some(false), Some(code)) = (exec.running, exec.exit_code) {
                        return i32::try_from(code).map_or(ExecEnd::Lost, ExecEnd::Exited);
                    }
                }
                Ok(Err(_)) | Err(_) => return ExecEnd::Lost,
            }
            tokio::time::sleep(PAUSE).await;
        }
        ExecEnd::Lost
    }

    /// Puts an archive of files into a container, below its root; it needs nothing of the container.
    ///
    /// # Errors
    /// When the container is gone, or its root cannot be written.
    pub async fn put_archive(&self, container: &str, archive: Bytes, cx: &Cx) -> Result<(), DockerError> {
        let options = bollard::query_parameters::UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let upload = self.client.upload_to_container(container, Some(options), bollard::body_full(archive));
        self.ask(&format!("put files into container `{container}`"), upload, cx).await
    }
}

/// Hands what a command writes on to its readers until it ends; returns why where it was never started.
async fn forwarded(mut output: Output, mut stdout: DuplexStream, mut stderr: DuplexStream) -> Option<String> {
    while let Some(Ok(part)) = output.next().await {
        // A reader that is gone wants no more of it.
        match part {
            LogOutput::StdOut { message } | LogOutput::Console { message } if message.starts_with(NOT_STARTED) => {
                return Some(String::from_utf8_lossy(&message).trim().to_owned());
            }
            LogOutput::StdOut { message } | LogOutput::Console { message } => drop(stdout.write_all(&message).await),
            LogOutput::StdErr { message } => drop(stderr.write_all(&message).await),
            LogOutput::StdIn { .. } => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn output_goes_to_its_stream_and_a_refusal_is_none() {
        let of = async |parts: Vec<LogOutput>| {
            let ((mut stdout, to_stdout), (mut stderr, to_stderr)) = (tokio::io::duplex(BUFFERED), tokio::io::duplex(BUFFERED));
            let refused = forwarded(futures::stream::iter(parts.into_iter().map(Ok)).boxed(), to_stdout, to_stderr).await;
            let (mut out, mut err) = (String::new(), String::new());
            stdout.read_to_string(&mut out).await.unwrap();
            stderr.read_to_string(&mut err).await.unwrap();
            (refused, out, err)
        };
        let out = |text: &'static str| LogOutput::StdOut { message: text.into() };
        let err = |text: &'static str| LogOutput::StdErr { message: text.into() };
        assert_eq!(of(vec![out("a"), err("x"), out("b")]).await, (None, "ab".into(), "x".into()));
        let refusal = "OCI runtime exec failed: exec failed: unable to start container process: no sh: unknown";
        assert_eq!(of(vec![out("OCI runtime exec failed: exec failed: unable to start container process: no sh: unknown\r\n")]).await, {
            (Some(refusal.into()), String::new(), String::new())
        });
    }
}
