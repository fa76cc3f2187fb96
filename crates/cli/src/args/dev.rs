//! The flags of a watching session.

use clap::Args;
use clap::ValueEnum;
use clap_complete::ArgValueCompleter;

use super::value::List;
use super::value::Switch;
use crate::completion;

/// How changes of files are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TriggerMode {
    /// The operating system tells.
    Notify,
    /// Files are looked at again and again.
    Polling,
    /// Files are looked at when a key is pressed.
    Manual,
}

/// How a session watches, and how it ends.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Watching")]
pub(crate) struct WatchArgs {
    /// Notice changes of files by `notify`, `polling`, or `manual`: when you press a key
    #[arg(long, value_name = "HOW", default_value = "notify")]
    pub trigger: TriggerMode,
    /// Look at files each so many milliseconds, with --trigger=polling
    #[arg(short = 'i', long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub watch_poll_interval: u64,
    /// Watch only the sources of artifacts whose image name contains one of these
    #[arg(short, long, value_name = "TEXT", add = ArgValueCompleter::new(completion::artifacts))]
    pub watch_image: Vec<List>,
    /// Build what changed at once; otherwise when asked, by key or API
    #[arg(long, default_value = "true")]
    pub auto_build: Switch,
    /// Sync what changed at once; otherwise when asked
    #[arg(long, default_value = "true")]
    pub auto_sync: Switch,
    /// Deploy what was built at once; otherwise when asked
    #[arg(long, default_value = "true")]
    pub auto_deploy: Switch,
    /// Delete what this session created when it ends
    #[arg(long, default_value = "true")]
    pub cleanup: Switch,
    /// Go on when the first pass fails [default: true, unlike Skaffold's]
    #[arg(long)]
    pub keep_running_on_failure: Option<Switch>,
    /// Keep images that this session built and replaced
    #[arg(long, default_value = "false")]
    pub no_prune: Switch,
    /// Keep the untagged parents of such images
    #[arg(long, default_value = "false")]
    pub no_prune_children: Switch,
}

/// How containers are debugged.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Debugging")]
pub(crate) struct DebugArgs {
    /// Prefer these protocols where a debugger speaks several: `dap` or `pydevd` for Python
    #[arg(long, value_name = "PROTOCOLS")]
    pub protocols: Vec<List>,
    /// Take the images that bring debuggers into containers from this registry and repository
    /// [default: `debug-helpers-registry` of the settings, else Skaffold's]
    #[arg(long, value_name = "REPOSITORY")]
    pub debug_helpers_registry: Option<String>,
}
