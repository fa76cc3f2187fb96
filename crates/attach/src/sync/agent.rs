//! A conversation with the agent over one connection that is kept open.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use devloop_agent::protocol::Failure;
use devloop_agent::protocol::HELLO;
use devloop_agent::protocol::Request;
use devloop_agent::protocol::answer_length;
use devloop_agent::protocol::decode_failures;
use devloop_clients::exec::Exec;
use devloop_clients::exec::ExecEnd;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use super::channel::Closed;
use super::content;
use super::content::Content;
use super::ledger::Change;

/// The agent, one static program; empty where it could not be compiled.
pub(super) const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent"));
/// How long the agent may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(15);
/// How long the connection may stand still.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// How much is written at a time.
const PIECE: usize = 1 << 16;

/// An agent that runs.
#[derive(Debug)]
pub(super) struct Agent(Exec);

impl Agent {
    /// Returns the agent that `exec` started.
    ///
    /// # Errors
    /// Why it does not run.
    pub(super) async fn greet(mut exec: Exec) -> Result<Self, Closed> {
        expect(&mut exec, HELLO).await?;
        Ok(Self(exec))
    }

    /// Applies changes as one batch and returns those that failed.
    ///
    /// # Errors
    /// When the connection is lost or stands still.
    pub(super) async fn apply(&mut self, changes: &[Change]) -> io::Result<Vec<Failure>> {
        let (mut pending, mut failures) = (Vec::new(), Vec::new());
        for change in changes {
            let path = change.destination.clone();
            let content = match content::of(change).await {
                Ok(content) => content,
                Err(error) => {
                    failures.push(Failure { path, denied: false, why: format!("it cannot be read: {error}") });
                    continue;
                }
            };
            let (request, bytes) = match content {
                Content::File { mode, bytes } => (Request::Put { path, mode, size: bytes.len() as u64 }, bytes),
                Content::Link(target) => (Request::Link { path, target }, Vec::new()),
                Content::Directory { mode } => (Request::Directory { path, mode }, Vec::new()),
                Content::Nothing => (Request::Delete { path }, Vec::new()),
            };
            pending.extend(request.encode());
            pending.extend(bytes);
            if pending.len() >= PIECE {
                self.write(&std::mem::take(&mut pending)).await?;
            }
        }
        pending.extend(Request::End.encode());
        self.write(&pending).await?;
        let mut length = [0; 4];
        in_time(self.0.read_exact(&mut length)).await?;
        let mut answer = vec![0; answer_length(length)?];
        in_time(self.0.read_exact(&mut answer)).await?;
        failures.extend(decode_failures(&answer)?);
        Ok(failures)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            in_time(self.0.write_all(piece)).await?;
        }
        in_time(self.0.flush()).await
    }

    /// Returns when the connection is lost; nothing is said on it unasked.
    pub(super) async fn lost(&mut self) {
        drop(self.0.read_u8().await);
    }
}

/// Returns an archive of the program alone, always the same.
pub(super) fn archive(name: &str) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(PROGRAM.len() as u64);
    archive.append_data(&mut header, name, PROGRAM).expect("memory can be written");
    archive.into_inner().expect("memory can be written").into()
}

/// Waits until a command says `word`.
///
/// # Errors
/// Why it does not.
pub(super) async fn expect<const N: usize>(exec: &mut Exec, word: &[u8; N]) -> Result<(), Closed> {
    let mut said = [0; N];
    match tokio::time::timeout(HELLO_LIMIT, exec.read_exact(&mut said)).await {
        Ok(Ok(_)) if said == *word => return Ok(()),
        Ok(Ok(_)) => return Err(Closed::ForGood("something else than the agent answered".to_owned())),
        Ok(Err(_)) => {}
        Err(_) => return Err(Closed::ForGood(format!("it did not answer within {} s", HELLO_LIMIT.as_secs()))),
    }
    exec.close_stdin();
    let (end, stderr) = tokio::time::timeout(HELLO_LIMIT, exec.end()).await.unwrap_or((ExecEnd::Lost, String::new()));
    let is_lost = end == ExecEnd::Lost;
    let why = end.because_of(&stderr);
    Err(if is_lost { Closed::ForNow(why) } else { Closed::ForGood(why) })
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(STALL_LIMIT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
