//! The flags of commands that ask a running session.

use clap::Args;
use clap_complete::ArgValueCompleter;
use devloop_model::GoDuration;

use super::EventFormat;
use super::value::Switch;
use crate::completion;

/// `devloop status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusCommand {
    /// Print `text`, or all that is known as `json`
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// `devloop why`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhyCommand {
    /// Only of this artifact, and of what all artifacts share
    #[arg(add = ArgValueCompleter::new(completion::artifacts))]
    pub artifact: Option<String>,
    /// Print `text`, or `json`
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// `devloop logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogsCommand {
    /// Only of these artifacts
    #[arg(add = ArgValueCompleter::new(completion::artifacts))]
    pub artifacts: Vec<String>,
    /// Go on with what comes, until the session ends
    #[arg(short, long, default_value = "false")]
    pub follow: Switch,
    /// Only lines of so long ago: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION")]
    pub since: Option<GoDuration>,
    /// Only so many of the lines that are kept
    #[arg(long, value_name = "COUNT")]
    pub tail: Option<usize>,
    /// Print `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Which session.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionArgs {
    /// Ask the session with this process number [default: the one of this directory, or the only one that runs]
    #[arg(long, value_name = "PID")]
    pub session: Option<u32>,
}
