//! The flags of `config`, `find-configs` and `filter`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

use super::flags::ConfigArgs;
use super::flags::ManifestArgs;
use super::value::List;
use super::value::Switch;

/// `devloop config`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigCommand {
    /// What is done.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What is done with the settings of this machine.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigAction {
    /// Set a value, or add it to a list
    Set {
        /// The setting
        name: String,
        /// Its value; an empty one unsets it
        value: String,
        #[command(flatten)]
        place: SettingArgs,
    },
    /// Take a value away
    Unset {
        /// The setting
        name: String,
        #[command(flatten)]
        place: SettingArgs,
    },
    /// Print what is set for the Kubernetes context, Skaffold's settings included
    List {
        /// Print what is set everywhere and for all contexts
        #[arg(short, long, default_value = "false")]
        all: Switch,
        #[command(flatten)]
        place: SettingArgs,
    },
}

/// Which file and which Kubernetes context.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingArgs {
    /// The file of settings [default: ~/.config/devloop/config, which wins over ~/.skaffold/config]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// The Kubernetes context [default: the current one]
    #[arg(short, long, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Everywhere, whatever the context
    #[arg(short, long, default_value = "false")]
    pub global: Switch,
}

/// `devloop find-configs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FindConfigsCommand {
    /// Look below this directory
    #[arg(short, long, value_name = "DIRECTORY", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Print them as `json`, or as a `table`
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: FoundFormat,
}

/// How `find-configs` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FoundFormat {
    /// A JSON object.
    Json,
    /// Path and version in columns.
    Table,
}

/// `devloop lint`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LintCommand {
    /// Print what was found as `plain-text` or `json`
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "plain-text")]
    pub format: LintFormat,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How `lint` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// Place, rule and explanation, with the line.
    PlainText,
    /// A JSON list.
    Json,
}

/// `devloop filter`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FilterCommand {
    /// Put in the images of this output of `build --file-output`
    #[arg(short = 'a', long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub build_artifacts: Option<PathBuf>,
    /// Start the containers of these images under debuggers
    #[arg(long, default_value = "false")]
    pub debugging: Switch,
    /// Prefer these protocols, where a debugger has several
    #[arg(long, value_name = "PROTOCOLS")]
    pub protocols: Vec<List>,
    /// Use this Kubernetes context
    #[arg(long, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Read this kubeconfig
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
}
