//! What runs in the pods that images are built in.
//!
//! Called `executor`, the program has kaniko's command line.
//!
//! A builder pod runs `devloop builder launch`: BuildKit in a user namespace, which a pod without any privilege may make.
//! Builds come in over `devloop builder dial`, which joins its standard streams with BuildKit's socket.

mod daemon;
mod dial;
mod enter;
mod executor;
mod idle;
mod launch;
mod relay;
mod retry;
mod runc;

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use devloop_build::BUILDER_ROOT as ROOT;
use devloop_model::GoDuration;

pub use launch::LaunchError;

/// `devloop builder`.
#[derive(Debug, Parser)]
#[command(name = "devloop builder", about = "What runs in the pods that images are built in")]
enum Builder {
    /// Runs BuildKit until nobody has used it for a while.
    Launch(Launch),
    /// Joins standard input and output with BuildKit.
    Dial(Dial),
    /// Runs a command in a user namespace whose identities its parent has mapped.
    #[command(hide = true)]
    Enter(Enter),
}

#[derive(Debug, clap::Args)]
struct Launch {
    /// Where everything is kept.
    #[arg(long, default_value = ROOT)]
    root: PathBuf,
    /// After how long without a build it ends; 0s is never.
    #[arg(long, default_value = "30m")]
    idle: GoDuration,
    /// A registry that is spoken to without TLS; may be repeated.
    #[arg(long = "insecure-registry")]
    insecure: Vec<String>,
    /// Where images of a registry are looked for first: `docker.io=mirror.example`; may be repeated.
    #[arg(long = "registry-mirror")]
    mirrors: Vec<String>,
    /// A registry whose certificate is not checked; may be repeated.
    #[arg(long = "skip-tls-verify-registry")]
    unchecked: Vec<String>,
    /// A certificate that a registry's is checked with: `HOST=PATH`; may be repeated.
    #[arg(long = "registry-certificate")]
    certificates: Vec<String>,
    /// A certificate that a registry is shown: `HOST=CERTIFICATE,KEY`; may be repeated.
    #[arg(long = "registry-client-cert")]
    client_certificates: Vec<String>,
    /// A port of the pod's own loopback that leads elsewhere: `5000=10.0.0.1:5000`; may be repeated.
    #[arg(long = "relay")]
    relays: Vec<relay::Relay>,
    /// A directory that RUN sees at the same path; may be repeated.
    #[arg(long = "mount")]
    mounts: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Dial {
    /// Where everything is kept.
    #[arg(long, default_value = ROOT)]
    root: PathBuf,
    /// What goes over the standard streams is compressed.
    #[arg(long)]
    compressed: bool,
}

#[derive(Debug, clap::Args)]
struct Enter {
    /// Where an overlay has to be possible.
    #[arg(long)]
    root: PathBuf,
    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs what the command line asks of a builder pod; none if it asks for something else.
pub fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let called = Path::new(arguments.first()?).file_name().unwrap_or_default();
    if called == "executor" {
        return Some(executor::run(&arguments[1..]));
    }
    if called == runc::NAME {
        return Some(runc::run(arguments));
    }
    match arguments.get(1)?.to_str() {
        Some("kaniko") => return Some(executor::run(&arguments[2..])),
        Some("builder") => {}
        _ => return None,
    }
    let builder = match Builder::try_parse_from(std::iter::once(OsString::from("devloop builder")).chain(arguments[2..].iter().cloned())) {
        Ok(builder) => builder,
        Err(error) => {
            drop(error.print());
            return Some(ExitCode::from(if error.use_stderr() { 127 } else { 0 }));
        }
    };
    let ended = match builder {
        Builder::Launch(launch) => launch::run(launch),
        Builder::Dial(dial) => dial::run(&dial.root, dial.compressed),
        Builder::Enter(enter) => Err(enter::run(&enter.root, &enter.command)),
    };
    Some(match ended {
        Ok(code) => code,
        Err(error) => {
            // The last lines of the log are what Kubernetes keeps of a container that failed.
            say(&error.to_string());
            ExitCode::FAILURE
        }
    })
}

#[expect(clippy::print_stderr, reason = "it is the log of the container")]
fn say(text: &str) {
    eprintln!("devloop builder: {text}");
}

/// How long BuildKit may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);
