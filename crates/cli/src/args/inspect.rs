//! `devloop inspect`: what editors ask of a configuration, and what they change in it.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::ArgValueCompleter;

use super::flags::SyncRemote;
use super::value::List;
use super::value::Switch;
use crate::completion;

/// `devloop inspect`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InspectCommand {
    /// What is asked.
    #[command(subcommand)]
    pub subject: InspectSubject,
    /// Which configuration.
    #[command(flatten)]
    pub config: InspectArgs,
}

/// What every question has; the flags are Skaffold's (`cmd/skaffold/app/cmd/inspect.go`).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct InspectArgs {
    /// Read this configuration: a path, or `-` for standard input [default: skaffold.yaml, skaffold.yml or devloop.yaml]
    #[arg(short, long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub filename: Option<String>,
    /// How answers are printed
    #[arg(short = 'o', long, global = true, value_name = "FORMAT", default_value = "json")]
    pub format: InspectFormat,
    /// Use only the configurations with these names, and what they require
    #[arg(short, long, global = true, value_name = "NAMES", add = ArgValueCompleter::new(completion::modules))]
    pub module: Vec<List>,
    /// Activate profiles by name; where something is added or modified: do so in this profile
    #[arg(short, long, global = true, value_name = "NAMES", allow_hyphen_values = true, add = ArgValueCompleter::new(completion::profiles))]
    pub profile: Vec<List>,
    /// Activate the profiles of `--profile` in required configurations too
    #[arg(long, global = true, default_value = "true")]
    pub propagate_profiles: Switch,
    /// Keep the repositories of required configurations in this directory [default: ~/.cache/devloop/repos]
    #[arg(long, global = true, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub remote_cache_dir: Option<PathBuf>,
    /// Fetch these repositories always, where they are missing, or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "missing")]
    pub sync_remote_cache: SyncRemote,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// One JSON object.
    Json,
}

/// What is asked.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InspectSubject {
    /// The configurations, by the names that `--module` takes
    Modules {
        /// What is done.
        #[command(subcommand)]
        action: ModulesAction,
    },
    /// The profiles
    Profiles {
        /// What is done.
        #[command(subcommand)]
        action: ProfilesAction,
    },
    /// Where images are built
    BuildEnv {
        /// What is done.
        #[command(subcommand)]
        action: BuildEnvAction,
    },
    /// The tests of images
    Tests {
        /// What is done.
        #[command(subcommand)]
        action: ListAction,
    },
    /// The namespaces of Deployments
    Namespaces {
        /// What is done.
        #[command(subcommand)]
        action: NamespacesAction,
    },
    /// The files of Jobs that run tests and actions
    #[command(name = "jobManifestPaths")]
    JobManifestPaths {
        /// What is done.
        #[command(subcommand)]
        action: JobManifestPathsAction,
    },
    /// Where tests and actions run
    #[command(name = "executionModes")]
    ExecutionModes {
        /// What is done.
        #[command(subcommand)]
        action: ListAction,
    },
    /// What configurations require
    ConfigDependencies {
        /// What is done.
        #[command(subcommand)]
        action: DependenciesAction,
    },
}

/// What can only be listed.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ListAction {
    /// Print them
    List,
}

/// What is done with modules.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModulesAction {
    /// Print them
    List {
        /// Print those without a name too
        #[arg(short, long, default_value = "false")]
        all: Switch,
    },
}

/// What is done with profiles.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProfilesAction {
    /// Print them
    List {
        /// Print only those that build here
        #[arg(long, value_name = "WHERE")]
        build_env: Option<BuildEnvName>,
    },
}

/// Where images are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildEnvName {
    /// On this machine.
    Local,
    /// On Google Cloud Build.
    #[value(name = "googleCloudBuild")]
    GoogleCloudBuild,
    /// In pods.
    Cluster,
}

/// What is done with build environments.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BuildEnvAction {
    /// Print that of each configuration
    List,
    /// Write one into the configuration, or into a profile, which is made where it is missing
    Add {
        /// Which one.
        #[command(subcommand)]
        env: NewBuildEnv,
    },
    /// Change the one that is there
    Modify {
        /// Fail where it is not there [default: true]
        #[arg(long, global = true, default_value = "true")]
        strict: Switch,
        /// Which one.
        #[command(subcommand)]
        env: ModifiedBuildEnv,
    },
}

/// A build environment that is added.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum NewBuildEnv {
    /// On this machine
    Local(LocalFlags),
    /// On Google Cloud Build
    #[command(name = "googleCloudBuild")]
    GoogleCloudBuild(GoogleCloudBuildFlags),
    /// In pods
    Cluster(Box<ClusterFlags>),
}

/// A build environment that is changed.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModifiedBuildEnv {
    /// On Google Cloud Build
    #[command(name = "googleCloudBuild")]
    GoogleCloudBuild(GoogleCloudBuildFlags),
}

/// Fields of `build.local`.
#[derive(Debug, Clone, Args)]
#[command(rename_all = "camelCase")]
pub(crate) struct LocalFlags {
    /// Push images
    #[arg(long)]
    pub push: Option<Switch>,
    /// Pull an image that the cache does not know, if it is there, instead of building it
    #[arg(long)]
    pub try_import_missing: Option<Switch>,
    /// Build with the docker command
    #[arg(long = "useDockerCLI")]
    pub use_docker_cli: Option<Switch>,
    /// Build with BuildKit
    #[arg(long)]
    pub use_buildkit: Option<Switch>,
    /// How many builds run at once; 0 is all
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, hide_default_value = true)]
    pub concurrency: i64,
}

/// Fields of `build.googleCloudBuild`.
#[derive(Debug, Clone, Args)]
#[command(rename_all = "camelCase")]
pub(crate) struct GoogleCloudBuildFlags {
    /// The project
    #[arg(long, value_name = "ID")]
    pub project_id: Option<String>,
    /// The size of the disk in GB
    #[arg(long, value_name = "SIZE", default_value_t = 0, hide_default_value = true)]
    pub disk_size_gb: i64,
    /// The type of the machine
    #[arg(long, value_name = "TYPE")]
    pub machine_type: Option<String>,
    /// How long a build may take, for example `600s`
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// How many builds run at once; 0 is all
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, hide_default_value = true)]
    pub concurrency: i64,
    /// Where logs are kept
    #[arg(long, value_name = "MODE")]
    pub logging: Option<String>,
    /// When logs are kept
    #[arg(long, value_name = "OPTION")]
    pub log_streaming_option: Option<String>,
    /// The pool of workers
    #[arg(long, value_name = "POOL")]
    pub worker_pool: Option<String>,
}

/// Fields of `build.cluster`.
#[derive(Debug, Clone, Args)]
#[command(rename_all = "camelCase")]
pub(crate) struct ClusterFlags {
    /// How long a build may take, for example `20m`
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// How many builds run at once; 0 is all
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, hide_default_value = true)]
    pub concurrency: i64,
    /// The file with the key of a Google service account
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub pull_secret_path: Option<String>,
    /// The secret with that key
    #[arg(long, value_name = "NAME")]
    pub pull_secret_name: Option<String>,
    /// Where that secret is mounted
    #[arg(long, value_name = "PATH")]
    pub pull_secret_mount_path: Option<String>,
    /// The namespace of the pods
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The file with credentials of registries, as docker writes it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub docker_config_path: Option<String>,
    /// The secret with those credentials
    #[arg(long, value_name = "NAME")]
    pub docker_config_secret_name: Option<String>,
    /// The service account of the pods
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
    /// The user that pods run as
    #[arg(long, value_name = "UID", default_value_t = -1, allow_negative_numbers = true, hide_default_value = true)]
    pub run_as_user: i64,
    /// Add random letters to the name of the pull secret
    #[arg(long, default_value = "false")]
    pub random_pull_secret: Switch,
    /// Add random letters to the name of the secret of docker's credentials
    #[arg(long, default_value = "false")]
    pub random_docker_config_secret: Switch,
}

/// What is done with namespaces.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum NamespacesAction {
    /// Print that of each Deployment in a file of manifests
    List {
        /// The manifests
        #[arg(value_name = "MANIFESTS", value_hint = clap::ValueHint::FilePath)]
        manifests: PathBuf,
    },
}

/// What is done with files of Jobs.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JobManifestPathsAction {
    /// Print them
    List,
    /// Print the effective configuration with other ones
    Modify {
        /// JSON in the shape that `list` prints
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        paths: PathBuf,
        /// Write the configuration into this file instead of printing it
        #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
}

/// What is done with requirements.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DependenciesAction {
    /// Write more of them into the configuration
    Add {
        /// JSON: `dependencies` is a list of entries of `requires`
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        dependencies: PathBuf,
    },
}
