//! The flags of `devloop lsp`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::value::List;
use super::value::Switch;
use crate::completion;

/// `devloop lsp`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "An editor starts it: it reads requests from standard input, and ends with it.\n\
                        Repositories of required configurations are not fetched: `devloop diagnose` does that.")]
pub(crate) struct LspCommand {
    /// Look at configurations with these profiles active; `-NAME` switches one off
    #[arg(short, long, value_name = "NAMES", allow_hyphen_values = true, add = ArgValueCompleter::new(completion::profiles))]
    pub profile: Vec<List>,
    /// Activate profiles as in this Kubernetes context
    #[arg(long, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Read this kubeconfig
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Speak over standard input and output: there is no other way
    #[arg(long, hide = true, default_value = "true")]
    pub stdio: Switch,
}
