//! Commands in containers, with their streams, over one connection each.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::Stream;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::Api;
use kube::api::AttachParams;
use kube::api::AttachedProcess;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::ReadBuf;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;
use super::kinds::built_in_kind;
use crate::process::forward;

/// How long it may take until the command runs.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How many bytes of a stream may wait for their reader.
const BUFFERED: usize = 1 << 16;
/// How much of the standard error of a command is kept.
const KEPT_STDERR: u64 = 1 << 14;

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerRef {
    /// Namespace of its pod.
    pub namespace: Namespace,
    /// Its pod.
    pub pod: String,
    /// Its name in the pod.
    pub container: String,
}

impl std::fmt::Display for ContainerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "container {} of pod/{} in namespace {}", self.container, self.pod, self.namespace)
    }
}

/// A command that runs in a container; it loses its connection when this is dropped.
pub struct Exec {
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: Box<dyn AsyncRead + Send + Unpin>,
    end: BoxFuture<'static, ExecEnd>,
    /// How it ended, once that is known: the streams of a lost connection do not end by themselves.
    ended: Option<ExecEnd>,
    _process: AttachedProcess,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEnd {
    /// It exited with this code.
    Exited(i32),
    /// It could not be started: the container runtime's words.
    NotStarted(String),
    /// The connection ended first.
    Lost,
}

impl ExecEnd {
    /// Returns why a command failed: its last word on standard error, else how it ended.
    pub fn because_of(self, stderr: &str) -> String {
        let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        match self {
            // The runtime's own words come last, behind those of everything that it was asked through.
            Self::NotStarted(why) => why.rsplit("unable to start container process: ").next().unwrap_or_default().to_owned(),
            Self::Lost => "the connection was lost".to_owned(),
            Self::Exited(code) if last.is_empty() => format!("it exited with {code}"),
            Self::Exited(_) => last.to_owned(),
        }
    }
}

/// What a command that ran to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// How it ended.
    pub end: ExecEnd,
    /// The start of its standard output.
    pub stdout: String,
    /// The start of its standard error.
    pub stderr: String,
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec").finish_non_exhaustive()
    }
}

impl Exec {
    /// Closes the standard input of the command.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Returns how the command ended, once it has, and the start of its standard error.
    pub async fn end(&mut self) -> (ExecEnd, String) {
        let end = match self.ended.take() {
            Some(end) => end,
            None => (&mut self.end).await,
        };
        self.ended = Some(end.clone());
        let mut stderr = Vec::new();
        if end != ExecEnd::Lost {
            drop((&mut self.stderr).take(KEPT_STDERR).read_to_end(&mut stderr).await);
        }
        (end, String::from_utf8_lossy(&stderr).into_owned())
    }

    /// Returns how the command ended, if it has.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Option<&ExecEnd> {
        if self.ended.is_none()
            && let Poll::Ready(end) = self.end.as_mut().poll(cx)
        {
            self.ended = Some(end);
        }
        self.ended.as_ref()
    }
}

impl AsyncRead for Exec {
    /// Reads standard output; it ends with the command, and with the connection.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match Pin::new(&mut self.stdout).poll_read(cx, buf) {
            Poll::Pending if self.poll_end(cx) == Some(&ExecEnd::Lost) => Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into())),
            read => read,
        }
    }
}

impl AsyncWrite for Exec {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = self.stdin.as_mut().map(|stdin| Pin::new(stdin).poll_write(cx, buf));
        match written {
            Some(Poll::Pending) if self.poll_end(cx).is_none() => Poll::Pending,
            Some(Poll::Pending) | None => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
            Some(written) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.close_stdin();
        Poll::Ready(Ok(()))
    }
}

impl Cluster {
    /// Returns a command that was started in a container; standard input is what is written to it, standard output what is read.
    ///
    /// # Errors
    /// When the pod is gone, the container does not run, RBAC forbids it, or the cluster does not answer. A command that
    /// cannot be started is told by [`Exec::end`].
    pub async fn exec(&self, container: &ContainerRef, command: &[String], cx: &Cx) -> Result<Exec, KubeError> {
        self.start(container, command, true, cx).await
    }

    async fn start(&self, container: &ContainerRef, command: &[String], stdin: bool, cx: &Cx) -> Result<Exec, KubeError> {
        let api: Api<Pod> = Api::namespaced(self.client().clone(), container.namespace.as_str());
        let params = AttachParams::default()
            .container(container.container.clone())
            .stdin(stdin)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(BUFFERED)
            .max_stdout_buf_size(BUFFERED)
            .max_stderr_buf_size(BUFFERED);
        let call = Call::get(String::new(), action(container, command)).about(&built_in_kind("v1", "Pod").expect("pods are in the table"));
        let starting = tokio::time::timeout(CONNECT_LIMIT, api.exec(&container.pod, command, &params));
        let mut process = match cx.unless_cancelled(starting).await? {
            Ok(started) => started.map_err(|error| self.error(error, &call))?,
            Err(_) => return Err(KubeError::TimedOut { action: call.action, limit: CONNECT_LIMIT }),
        };
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let status = process.take_status().expect("it was not taken yet");
        Ok(Exec {
            stdin: stdin.map(|stdin| Box::new(stdin) as _),
            stdout: Box::new(stdout.expect("it was asked for")),
            stderr: Box::new(stderr.expect("it was asked for")),
            end: Box::pin(status.map(|status| status.as_ref().map_or(ExecEnd::Lost, end_of))),
            ended: None,
            _process: process,
        })
    }

    /// Returns what a command left that was given `input` and ran to its end within `limit`.
    ///
    /// # Errors
    /// As [`Cluster::exec`], and when it takes too long.
    pub async fn exec_to_end(
        &self,
        container: &ContainerRef,
        command: &[String],
        input: &[u8],
        limit: Duration,
        cx: &Cx,
    ) -> Result<ExecOutput, KubeError> {
        // What closes the input of a command that has ended already may miss how it ended.
        let exec = self.start(container, command, !input.is_empty(), cx).await?;
        let late = |_| KubeError::TimedOut { action: action(container, command), limit };
        cx.unless_cancelled(tokio::time::timeout(limit, to_end(exec, input))).await?.map_err(late)
    }

    /// Returns how a command ended that ran within `limit`, each of its lines recorded as the step's own.
    ///
    /// # Errors
    /// As [`Cluster::exec`], and when it takes too long.
    pub async fn exec_logged(
        &self,
        container: &ContainerRef,
        command: &[String],
        limit: Duration,
        cx: &Cx,
    ) -> Result<ExecLogged, KubeError> {
        let exec = self.start(container, command, false, cx).await?;
        let late = |_| KubeError::TimedOut { action: action(container, command), limit };
        cx.unless_cancelled(tokio::time::timeout(limit, logged(exec, cx))).await?.map_err(late)
    }
}

/// What a command left whose lines were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecLogged {
    /// How it ended.
    pub end: ExecEnd,
    /// Its last lines, of either stream.
    pub last_lines: Vec<String>,
}

async fn logged(exec: Exec, cx: &Cx) -> ExecLogged {
    let Exec { stdin: _, stdout, stderr, mut end, ended: _, _process } = exec;
    let last = Mutex::new(VecDeque::new());
    let read = async {
        tokio::join!(forward(Some(stdout), Stream::Stdout, &last, cx), forward(Some(stderr), Stream::Stderr, &last, cx));
    };
    tokio::pin!(read);
    let (mut is_read, mut ended) = (false, None);
    // Streams end with a command, but not with a connection that is lost.
    while !(is_read && ended.is_some() || ended == Some(ExecEnd::Lost)) {
        tokio::select! {
            how = &mut end, if ended.is_none() => ended = Some(how),
            () = &mut read, if !is_read => is_read = true,
        }
    }
    let last_lines = last.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    ExecLogged { end: ended.unwrap_or(ExecEnd::Lost), last_lines }
}

fn action(container: &ContainerRef, command: &[String]) -> String {
    format!("run {} in {container}", command.first().map_or("", String::as_str))
}

async fn to_end(exec: Exec, input: &[u8]) -> ExecOutput {
    let Exec { stdin, mut stdout, mut stderr, mut end, ended: _, _process } = exec;
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A command that does not want it all tells by how it ends.
            drop(stdin.write_all(input).await);
            drop(stdin.shutdown().await);
        }
        std::future::pending::<()>().await;
    };
    let read = async { tokio::join!(start_of(&mut stdout), start_of(&mut stderr)) };
    tokio::pin!(feed, read);
    let mut texts = None;
    let end = loop {
        tokio::select! {
            end = &mut end => break end,
            all = &mut read, if texts.is_none() => texts = Some(all),
            () = &mut feed => {}
        }
    };
    // Streams end with a command, but not with a connection that is lost.
    let (stdout, stderr) = match texts {
        Some(texts) => texts,
        None if end == ExecEnd::Lost => (String::new(), String::new()),
        None => read.await,
    };
    ExecOutput { end, stdout, stderr }
}

/// Reads a stream to its end and keeps its start.
async fn start_of(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut kept = Vec::new();
    drop(stream.take(KEPT_STDERR).read_to_end(&mut kept).await);
    drop(tokio::io::copy(stream, &mut tokio::io::sink()).await);
    String::from_utf8_lossy(&kept).into_owned()
}

/// What the kubelet says of a command: `NonZeroExitCode` with the code as a cause, or that there was no command.
fn end_of(status: &Status) -> ExecEnd {
    if status.status.as_deref() == Some("Success") {
        return ExecEnd::Exited(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode")).find_map(|cause| cause.message.as_deref()?.parse().ok());
    match code {
        Some(code) => ExecEnd::Exited(code),
        None => ExecEnd::NotStarted(status.message.clone().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ends_are_told_apart() {
        for (status, end) in [
            (json!({"status": "Success"}), ExecEnd::Exited(0)),
            (
                json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with exit code 127",
                       "details": {"causes": [{"reason": "ExitCode", "message": "127"}]}}),
                ExecEnd::Exited(127),
            ),
            (
                json!({"status": "Failure", "reason": "InternalError", "message": "exec: \"sh\": not found"}),
                ExecEnd::NotStarted("exec: \"sh\": not found".into()),
            ),
        ] {
            assert_eq!(end_of(&serde_json::from_value(status.clone()).unwrap()), end, "{status}");
        }
    }
}
