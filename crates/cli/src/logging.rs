//! What the libraries say, for people who look for a fault: on standard error, with `-v`.

use devloop_ui::Verbosity;
use tracing_subscriber::EnvFilter;

/// Shows the logs that `verbosity` asks for; `DEVLOOP_LOG` takes directives of tracing's `EnvFilter` instead.
pub(crate) fn start(verbosity: Verbosity) {
    // What a library calls an error is often one that is tried again, and one that is not has a diagnostic of ours.
    let usual = match verbosity {
        Verbosity::Errors => "off,devloop=error",
        Verbosity::Warnings => "off,devloop=warn",
        Verbosity::Info => "warn,devloop=info",
        Verbosity::Debug => "info,devloop=debug",
    };
    let filter = EnvFilter::try_from_env("DEVLOOP_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    // A second subscriber cannot be set: the first one is this.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init().ok();
}
