//! The flags of `fix`.

use std::path::PathBuf;

use clap::Args;

use super::value::Switch;

/// `devloop fix`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "Comments stay, and so does the order of what did not move. Upgrades lead only forward.")]
pub(crate) struct FixCommand {
    /// Upgrade this file, or `-` for standard input [default: skaffold.yaml, skaffold.yml or devloop.yaml]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub filename: Option<String>,
    /// Upgrade to this version of the schema [default: the newest that Skaffold reads, or that of a file of devloop's own]
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Write the result over the file, and keep what it was in FILE.v2
    #[arg(long, default_value = "false")]
    pub overwrite: Switch,
    /// Write the result into FILE instead of printing it
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Head the result with the comment that tells editors where its schema is: a URL, or a path as seen from the file
    #[arg(long, value_name = "LOCATION")]
    pub schema: Option<String>,
}
