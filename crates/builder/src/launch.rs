//! The first process of a builder pod.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::Launch;
use crate::daemon;
use crate::enter;
use crate::idle;
use crate::relay;

/// How long BuildKit may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Why BuildKit cannot run here, in words that say what to change.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The kernel or the container's seccomp profile forbids user namespaces.
    #[error(
        "no user namespace can be made: {0}. The pod's seccomp profile has to be `Unconfined` (Kubernetes' default unless the kubelet says \
         otherwise), and the node's `user.max_user_namespaces` and `kernel.apparmor_restrict_unprivileged_userns` have to allow it"
    )]
    Unshare(Errno),
    /// The process that entered has said why.
    #[error("BuildKit cannot be isolated here")]
    NoNamespace,
    /// The container may not set user IDs.
    #[error("`{map}` cannot be written: {error}. The container needs the default capabilities SETUID and SETGID, and to run as root")]
    Map {
        /// `uid_map` or `gid_map`.
        map: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The identity in the namespace cannot be taken.
    #[error("root of the user namespace cannot be taken: {0}")]
    Identity(Errno),
    /// A mount is forbidden.
    #[error("mounts are forbidden: {0}. The pod's AppArmor profile has to be `Unconfined`, or one that lets mount")]
    Mount(Errno),
    /// Overlays do not work.
    #[error("no overlay can be mounted in `{}`: {errno}. It has to be on a volume (an emptyDir), on a kernel of 5.11 or newer", root.display())]
    Overlay {
        /// Where.
        root: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The directory for everything cannot be written.
    #[error("`{}` cannot be written: {error}", root.display())]
    Root {
        /// Where.
        root: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A program cannot be started.
    #[error("`{}` cannot be started: {error}", program.display())]
    Start {
        /// Which.
        program: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// BuildKit does not answer.
    #[error("BuildKit does not listen: {0}")]
    NoAnswer(io::Error),
    /// A port of the loopback cannot be listened on.
    #[error("port {port} cannot be relayed: {error}")]
    Relay {
        /// Which.
        port: u16,
        /// Why.
        error: io::Error,
    },
}

/// Runs BuildKit until it ends, nobody has used it for long, or it is told to stop.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run(launch: Launch) -> Result<ExitCode, LaunchError> {
    std::fs::create_dir_all(&launch.root).map_err(|error| LaunchError::Root { root: launch.root.clone(), error })?;
    idle::note(&launch.root);
    let command = daemon::command(&launch)?;
    let child = enter::start(&launch.root, &command)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| LaunchError::Start { program: "devloop".into(), error })?;
    runtime.block_on(supervise(launch, Pid::from_raw(child.id().cast_signed())))
}

async fn supervise(launch: Launch, daemon: Pid) -> Result<ExitCode, LaunchError> {
    let failed = |error| LaunchError::Start { program: "devloop".into(), error };
    let mut children = signal(SignalKind::child()).map_err(failed)?;
    let mut stop = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    for relay in &launch.relays {
        relay::start(relay.clone()).await?;
    }
    let mut idle = std::pin::pin!(idle::since(&launch.root, launch.idle.0));
    loop {
        // Before waiting: one may have ended before there was anybody to be told.
        if let Some(code) = reap(daemon) {
            crate::say(&format!("BuildKit ended with {code}"));
            return Ok(ExitCode::from(code.max(1)));
        }
        tokio::select! {
            _ = children.recv() => {}
            _ = stop.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut idle => {
                crate::say("nobody has built anything for a while");
                break;
            }
        }
    }
    // A process that is gone needs no signal.
    kill(daemon, Signal::SIGTERM).ok();
    let ended = async {
        while reap(daemon).is_none() {
            children.recv().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, ended).await.ok();
    Ok(ExitCode::SUCCESS)
}

/// Buries every child that has ended, also those that builds left to the first process of the pod; returns the code of
/// the daemon, if it is among them.
fn reap(daemon: Pid) -> Option<u8> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, exit)) if pid == daemon => code = Some(u8::try_from(exit).unwrap_or(1)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == daemon => code = Some(128 + signal as u8),
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_) => {}
        }
    }
}
