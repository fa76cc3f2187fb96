//! A connection to BuildKit over standard input and output, which is what an `exec` into a pod gives.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use devloop_clients::buildkit::compressed;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::LaunchError;
use crate::START_LIMIT;
use crate::daemon;
use crate::idle;
use crate::retry::until_made;

/// How often it is tried to connect to a BuildKit that is about to start.
const TRY_EVERY: Duration = Duration::from_millis(20);
/// How often use is noted.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Joins the streams until one side ends.
///
/// # Errors
/// When BuildKit does not answer.
pub(crate) fn run(root: &Path, is_compressed: bool) -> Result<ExitCode, LaunchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LaunchError::NoAnswer)?;
    let joined = runtime.block_on(join(root, is_compressed));
    // Standard input is read by a thread that nothing can end.
    runtime.shutdown_background();
    joined.map(|()| ExitCode::SUCCESS)
}

async fn join(root: &Path, is_compressed: bool) -> Result<(), LaunchError> {
    let stream = until_made(START_LIMIT, TRY_EVERY, || UnixStream::connect(daemon::socket(root))).await.map_err(LaunchError::NoAnswer)?;
    let streams = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    if is_compressed {
        both_ways(compressed(streams), stream, root).await;
    } else {
        both_ways(streams, stream, root).await;
    }
    Ok(())
}

async fn both_ways(ours: impl AsyncRead + AsyncWrite, stream: UnixStream, root: &Path) {
    let (input, output) = tokio::io::split(ours);
    let (reader, writer) = stream.into_split();
    let to = pin!(copy(input, writer, root));
    let from = pin!(copy(reader, output, root));
    tokio::select! {
        () = to => {}
        () = from => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, root: &Path) {
    let mut buffer = vec![0; 64 << 10];
    let mut noted: Option<Instant> = None;
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() || to.flush().await.is_err() {
            return;
        }
        if noted.is_none_or(|at| at.elapsed() > NOTE_EVERY) {
            idle::note(root);
            noted = Some(Instant::now());
        }
    }
}
