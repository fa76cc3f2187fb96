//! Ctrl-C once: stop what runs and clean up. Twice: leave now, saying what stays behind.

use std::io::Write;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

/// Cancels `cancel` at the first SIGINT, SIGTERM or SIGHUP, and ends the process at the second.
///
/// # Errors
/// When the system refuses a signal handler.
pub(crate) fn watch(cancel: CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        any(&mut interrupt, &mut terminate, &mut hang_up).await;
        cancel.cancel();
        any(&mut interrupt, &mut terminate, &mut hang_up).await;
        leave();
    });
    Ok(())
}

async fn any(one: &mut Signal, two: &mut Signal, three: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = two.recv() => {}
        _ = three.recv() => {}
    }
}

/// Ends the process without waiting for anything.
#[expect(clippy::exit, reason = "the second signal means now")]
fn leave() {
    let text = "\nstopped at once: what was being built or applied may be left half done; the same command puts it right\n";
    // Nothing can be done about a standard error that is closed.
    drop(std::io::stderr().write_all(text.as_bytes()));
    std::process::exit(130);
}
