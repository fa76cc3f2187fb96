//! Ctrl-C once: stop what runs and clean up. Twice: leave now, saying what stays behind.

use std::io;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

/// A signal that comes again so soon is the same one: a wrapper passes on to us what the terminal has sent to both.
const SAME: Duration = Duration::from_millis(50);

/// Cancels `cancel` at the first SIGINT, SIGTERM or SIGHUP, and ends the process at the second, saying `last_words` on standard error.
///
/// A second SIGHUP is none: a shell and the kernel both send one when a terminal is closed, and nobody is there to be in a hurry. It must be
/// called in a runtime. Under `nohup` a SIGHUP is none at all.
///
/// # Errors
/// When the system refuses a signal handler.
pub fn stop_on_signals(cancel: CancellationToken, last_words: impl Fn() -> String + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        let first = signals.next().await;
        cancel.cancel();
        let mut last = (first, Instant::now());
        loop {
            let signal = signals.next().await;
            if is_second(last, (signal, Instant::now())) {
                leave(signal, &last_words());
            }
            last = (signal, Instant::now());
        }
    });
    Ok(())
}

/// Returns whether a signal asks for more than the one before it did.
fn is_second((before, at): (Number, Instant), (signal, now): (Number, Instant)) -> bool {
    signal != Number::SIGHUP && !(signal == before && now.duration_since(at) < SAME)
}

/// Ends the process without waiting for anything.
#[expect(clippy::exit, reason = "the second signal means now")]
fn leave(signal: Number, last_words: &str) -> ! {
    crate::keys::restore_terminal();
    // Nothing can be done about a standard error that is closed.
    drop(writeln!(io::stderr(), "\n{}", last_words.trim_end()));
    std::process::exit(128 + signal as i32)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if ignores(Number::SIGHUP) { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) -> Number {
        tokio::select! {
            _ = self.interrupt.recv() => Number::SIGINT,
            _ = self.terminate.recv() => Number::SIGTERM,
            () = received(self.hang_up.as_mut()) => Number::SIGHUP,
        }
    }
}

/// Waits for a signal, for ever if it is not listened to.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns whether whoever started us wants this signal to be ignored.
fn ignores(signal: Number) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, signal))
}

/// Reads `SigIgn`, whose lowest bit is signal 1: `proc_pid_status(5)`.
fn is_ignored(status: &str, signal: Number) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_to_leave_now() {
        let at = Instant::now();
        let later = at + Duration::from_millis(150);
        for (before, signal, now, expected) in [
            (Number::SIGINT, Number::SIGINT, later, true),
            (Number::SIGINT, Number::SIGINT, at + Duration::from_millis(5), false),
            (Number::SIGINT, Number::SIGTERM, at, true),
            (Number::SIGHUP, Number::SIGHUP, later, false),
            (Number::SIGINT, Number::SIGHUP, later, false),
            (Number::SIGHUP, Number::SIGTERM, later, true),
        ] {
            assert_eq!(is_second((before, at), (signal, now)), expected, "{before} then {signal}");
        }
    }

    #[test]
    fn what_is_ignored_is_read_from_the_kernel() {
        let status = |mask: &str| format!("Name:\tdevloop\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\n");
        assert!(is_ignored(&status("0000000000001001"), Number::SIGHUP));
        assert!(!is_ignored(&status("0000000000001002"), Number::SIGHUP));
        assert!(is_ignored(&status("0000000000001002"), Number::SIGINT));
        assert!(!is_ignored("Name:\tdevloop\n", Number::SIGHUP));
    }

    #[tokio::test]
    async fn a_hang_up_cancels_and_a_second_one_does_not_end_the_process() {
        let cancel = CancellationToken::new();
        stop_on_signals(cancel.clone(), || "left".to_owned()).unwrap();
        let mut seen = signal(SignalKind::hangup()).unwrap();
        nix::sys::signal::raise(Number::SIGHUP).unwrap();
        tokio::time::timeout(Duration::from_secs(30), cancel.cancelled()).await.unwrap();
        seen.recv().await;
        nix::sys::signal::raise(Number::SIGHUP).unwrap();
        tokio::time::timeout(Duration::from_secs(30), seen.recv()).await.unwrap();
        // The one that would leave has its turn.
        tokio::task::yield_now().await;
    }
}
