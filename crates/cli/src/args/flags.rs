//! The flags that several commands share; the doc comment of each is its help.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use clap_complete::ArgValueCompleter;
use devloop_model::GoDuration;

use super::value::List;
use super::value::Switch;
use crate::completion;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// As `error`.
    #[value(hide = true)]
    Panic,
    /// As `error`.
    #[value(hide = true)]
    Fatal,
    /// Errors only.
    Error,
    /// And warnings.
    #[value(alias = "warn")]
    Warning,
    /// And what is decided and why.
    Info,
    /// And what is asked of daemons, registries and clusters.
    Debug,
    /// Everything.
    Trace,
}

/// Where digests of images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DigestFrom {
    /// The registry, by tag; nothing is built.
    Remote,
    /// Images that are built now.
    Local,
    /// Tags are used as they would be built; nothing is built.
    Tag,
    /// Manifests keep the images that they name; nothing is built.
    None,
}

/// When repositories of required configurations are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SyncRemote {
    /// Each time.
    Always,
    /// Those that this machine does not have.
    Missing,
    /// Not at all.
    Never,
}

/// What `--output` prints for commands whose standard output is progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// Lines for people.
    Text,
    /// One event per line.
    Json,
}

/// What every command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Say at least this much on standard error
    #[arg(short, long, global = true, value_name = "LEVEL", default_value = "warning", ignore_case = true)]
    pub verbosity: Level,
    /// Use this ANSI code as the main colour; 0 for none, or say `auto`, `always`, `never`
    #[arg(long, global = true, value_name = "CODE", default_value = "34")]
    pub color: String,
    /// Use colours even where the output is no terminal
    #[arg(long, global = true, hide = true, default_value = "false")]
    pub force_colors: Switch,
    /// Put the time before each line
    #[arg(long, global = true, default_value = "false")]
    pub timestamps: Switch,
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigArgs {
    /// Read this configuration: a path, or `-` for standard input [default: skaffold.yaml, skaffold.yml or devloop.yaml]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub filename: Option<String>,
    /// Use only the configurations with these names, and what they require
    #[arg(short, long, value_name = "NAMES", add = ArgValueCompleter::new(completion::modules))]
    pub module: Vec<List>,
    /// Activate profiles by name; `-NAME` switches one off
    #[arg(short, long, value_name = "NAMES", allow_hyphen_values = true, add = ArgValueCompleter::new(completion::profiles))]
    pub profile: Vec<List>,
    /// Activate profiles by their own conditions
    #[arg(long, default_value = "true")]
    pub profile_auto_activation: Switch,
    /// Activate the profiles of `--profile` in required configurations too
    #[arg(long, default_value = "true")]
    pub propagate_profiles: Switch,
    /// Keep the repositories of required configurations in this directory [default: ~/.cache/devloop/repos]
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub remote_cache_dir: Option<PathBuf>,
    /// Fetch these repositories always, where they are missing, or never [default: missing for diagnose, else always]
    #[arg(long, value_name = "WHEN")]
    pub sync_remote_cache: Option<SyncRemote>,
    /// How long a hook may take
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub hook_timeout: GoDuration,
    /// Read global settings from this file [default: ~/.config/devloop/config, else ~/.skaffold/config]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Which cluster, namespace and registry.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster and registry")]
pub(crate) struct TargetArgs {
    /// Deploy into this namespace, and write it into every rendered object
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Put this repository before image names; empty switches it off
    #[arg(short, long, value_name = "REPOSITORY")]
    pub default_repo: Option<String>,
    /// Use this Kubernetes context
    #[arg(long, value_name = "CONTEXT")]
    pub kube_context: Option<String>,
    /// Read this kubeconfig
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Recognise a minikube cluster, and build in its daemon
    #[arg(long, default_value = "true")]
    pub detect_minikube: Switch,
    /// Build in the daemon of this minikube profile
    #[arg(long, value_name = "PROFILE", hide = true)]
    pub minikube_profile: Option<String>,
}

/// Which images are built: a deploy needs all of them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Build")]
pub(crate) struct OnlyArgs {
    /// Build only artifacts whose image name contains one of these
    #[arg(short, long, value_name = "TEXT", add = ArgValueCompleter::new(completion::artifacts))]
    pub build_image: Vec<List>,
}

/// How images are built.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Build")]
pub(crate) struct BuildArgs {
    /// Reuse images that were built from the same inputs
    #[arg(long, default_value = "true")]
    pub cache_artifacts: Switch,
    /// Keep what is known of built images in the directory PATH.devloop, beside Skaffold's own file [default: ~/.cache/devloop]
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub cache_file: Option<PathBuf>,
    /// Speak to these registries without TLS
    #[arg(long, value_name = "HOSTS")]
    pub insecure_registry: Vec<List>,
    /// The image of builders in the cluster, as `builder-image/build` pushes it
    /// [default: `builder-image` of the settings, else devloop-builder in the default repository]
    #[arg(long, value_name = "IMAGE")]
    pub builder_image: Option<String>,
    /// After how long without a build a builder in the cluster ends; 0s is never
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    pub builder_idle: GoDuration,
    /// Build at most so many artifacts at once; 0 for all, -1 for what skaffold.yaml says
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true)]
    pub build_concurrency: i64,
    /// Tag every image so, whatever the tag policy says
    #[arg(short, long)]
    pub tag: Option<String>,
    /// Leave out the tests of skaffold.yaml
    #[arg(long, default_value = "false")]
    pub skip_tests: Switch,
    /// Build for these platforms
    #[arg(long, value_name = "PLATFORMS")]
    pub platform: Vec<List>,
    /// Build for one platform even where several are wanted
    #[arg(long, default_value = "false")]
    pub disable_multi_platform_build: Switch,
    /// Build for the platforms of the cluster's nodes [default: true for run]
    #[arg(long)]
    pub check_cluster_node_platforms: Option<Switch>,
}

/// Images that were built before.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Images built before")]
pub(crate) struct PrebuiltArgs {
    /// Take images from this output of `build --file-output`; `-` for standard input
    #[arg(short = 'a', long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub build_artifacts: Option<PathBuf>,
    /// Take these images: references, or NAME=REFERENCE
    #[arg(short, long, value_name = "IMAGES")]
    pub images: Vec<List>,
}

/// What manifests are given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Manifests")]
pub(crate) struct ManifestArgs {
    /// Add these labels, NAME=VALUE, to every object
    #[arg(short, long, value_name = "LABELS")]
    pub label: Vec<List>,
    /// Read a JSON file that says in which kinds images and labels are not replaced
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub resource_selector_rules_file: Option<PathBuf>,
}

/// Which nodes pods run on, where nodes differ.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Manifests")]
pub(crate) struct PlacementArgs {
    /// Keep pods on nodes that their images are built for, with --check-cluster-node-platforms [default: true for dev, debug and run]
    #[arg(long)]
    pub enable_platform_node_affinity: Option<Switch>,
    /// Let pods whose images are built for ARM run on the ARM nodes of GKE [default: true for dev, debug and run]
    #[arg(long)]
    pub enable_gke_arm_node_toleration: Option<Switch>,
}

/// How objects are deployed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Deploy")]
pub(crate) struct DeployArgs {
    /// Stream the logs of what was deployed, until interrupted
    #[arg(long, default_value = "false")]
    pub tail: Switch,
    /// Forward ports to this machine, until interrupted: user, services, debug, pods or off; the flag alone means user,services
    /// [default: user for dev, else off]
    #[arg(long, value_name = "MODES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub port_forward: Vec<List>,
    /// Delete and create objects that cannot be changed in place; they are away for a moment
    #[arg(long, default_value = "false")]
    pub force: Switch,
    /// Wait until what was deployed is ready [default: true]
    #[arg(long)]
    pub status_check: Option<Switch>,
    /// Wait for failing pods until the deadline instead of failing at once
    #[arg(long, default_value = "false")]
    pub tolerate_failures_until_deadline: Switch,
    /// Fail at the first object that cannot become ready
    #[arg(long, default_value = "true", hide = true)]
    pub fast_fail_status_check: Switch,
    /// Wait for objects that are being deleted before deploying
    #[arg(long, default_value = "true")]
    pub wait_for_deletions: Switch,
    /// Wait for deletions at most so long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub wait_for_deletions_max: GoDuration,
    /// Accepted for compatibility: deletions are watched, not asked for again and again
    #[arg(long, value_name = "DURATION", default_value = "2s", hide = true)]
    pub wait_for_deletions_delay: GoDuration,
}

/// Who can follow a session.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ApiArgs {
    /// Serve the session's events and state over HTTP on this port of 127.0.0.1
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub rpc_http_port: Option<u16>,
    /// Add the session's events to FILE in Skaffold's first format, and to FILE.v2 in its second
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub event_log_file: Option<PathBuf>,
}

/// What the console shows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Console")]
pub(crate) struct ConsoleArgs {
    /// Hide the lines of these stages: build, test, deploy, status-check, none, all
    #[arg(long, value_name = "STAGES")]
    pub mute_logs: Vec<List>,
    /// Ring the terminal's bell when done
    #[arg(long, default_value = "false")]
    pub toot: Switch,
}
