//! Commands in running containers, with their streams, whoever runs the containers.

mod target;

use std::any::Any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use devloop_model::Cx;
use devloop_model::Stream;
use futures::future::BoxFuture;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::ReadBuf;

pub use self::target::ExecError;
pub use self::target::ExecTarget;
use crate::process::forward;

/// How many bytes of a stream may wait for their reader.
pub(crate) const BUFFERED: usize = 1 << 16;
/// How much of the standard error of a command is kept.
const KEPT_STDERR: u64 = 1 << 14;

/// A command that runs in a container; it loses its connection when this is dropped.
pub struct Exec {
    streams: Streams,
    /// How it ended, once that is known: the streams of a lost connection do not end by themselves.
    ended: Option<ExecEnd>,
}

/// What a command is connected by.
pub(crate) struct Streams {
    pub(crate) stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(crate) stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) stderr: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) end: BoxFuture<'static, ExecEnd>,
    /// What keeps the connection.
    pub(crate) kept: Box<dyn Any + Send>,
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
    pub(crate) fn new(streams: Streams) -> Self {
        Self { streams, ended: None }
    }

    /// Closes the standard input of the command.
    pub fn close_stdin(&mut self) {
        self.streams.stdin = None;
    }

    /// Returns how the command ended, once it has, and the start of its standard error.
    pub async fn end(&mut self) -> (ExecEnd, String) {
        let end = match self.ended.take() {
            Some(end) => end,
            None => (&mut self.streams.end).await,
        };
        self.ended = Some(end.clone());
        let mut stderr = Vec::new();
        if end != ExecEnd::Lost {
            drop((&mut self.streams.stderr).take(KEPT_STDERR).read_to_end(&mut stderr).await);
        }
        (end, String::from_utf8_lossy(&stderr).into_owned())
    }

    /// Returns what the command left that is given `input` and runs to its end.
    pub(crate) async fn output(self, input: &[u8]) -> ExecOutput {
        let Streams { stdin, mut stdout, mut stderr, mut end, kept: _kept } = self.streams;
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

    /// Returns how the command ended, each of its lines recorded as the step's own.
    pub(crate) async fn logged(self, cx: &Cx) -> ExecLogged {
        let Streams { stdin: _, stdout, stderr, mut end, kept: _kept } = self.streams;
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

    /// Returns how the command ended, if it has.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Option<&ExecEnd> {
        if self.ended.is_none()
            && let Poll::Ready(end) = self.streams.end.as_mut().poll(cx)
        {
            self.ended = Some(end);
        }
        self.ended.as_ref()
    }
}

impl AsyncRead for Exec {
    /// Reads standard output; it ends with the command, and with the connection.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match Pin::new(&mut self.streams.stdout).poll_read(cx, buf) {
            Poll::Pending if self.poll_end(cx) == Some(&ExecEnd::Lost) => Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into())),
            read => read,
        }
    }
}

impl AsyncWrite for Exec {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = self.streams.stdin.as_mut().map(|stdin| Pin::new(stdin).poll_write(cx, buf));
        match written {
            Some(Poll::Pending) if self.poll_end(cx).is_none() => Poll::Pending,
            Some(Poll::Pending) | None => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
            Some(written) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.streams.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.close_stdin();
        Poll::Ready(Ok(()))
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

/// Reads a stream to its end and keeps its start.
async fn start_of(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut kept = Vec::new();
    drop(stream.take(KEPT_STDERR).read_to_end(&mut kept).await);
    drop(tokio::io::copy(stream, &mut tokio::io::sink()).await);
    String::from_utf8_lossy(&kept).into_owned()
}
