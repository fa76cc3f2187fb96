//! What the command line and the environment decide: one value per question, defaults resolved.

mod ask;
mod init;
mod inspect;
mod machine;
mod resolve;

use std::path::PathBuf;
use std::time::Duration;

use devloop_attach::ForwardModes;
use devloop_clients::git::SyncPolicy;
use devloop_model::AutoStage;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::LogSettings;
use devloop_model::Platform;
use devloop_model::WatchMode;
use devloop_ui::Colours;
use devloop_ui::ConsoleSettings;
use devloop_ui::Mute;
use devloop_ui::Progress;
use devloop_ui::Verbosity;

pub(crate) use self::ask::AskSettings;
pub(crate) use self::ask::Question;
pub(crate) use self::init::InitSettings;
use crate::args::CompletionShell;
use crate::args::ConfigAction;
use crate::args::DigestFrom;
use crate::args::Editor;
use crate::args::FindConfigsCommand;
use crate::args::FixCommand;
use crate::args::InspectSubject;
use crate::args::LintFormat;
use crate::args::SchemaAction;

/// Everything that the command line and the environment decide.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What to do, with what only that command asks.
    pub command: CommandSettings,
    /// Which configuration.
    pub config: ConfigSettings,
    /// Which cluster, namespace and registry.
    pub target: TargetSettings,
    /// How images are built.
    pub build: BuildSettings,
    /// What is deployed and how.
    pub deploy: DeploySettings,
    /// What is shown and where.
    pub console: ConsoleChoice,
    /// Who can follow the session.
    pub api: ApiChoice,
    /// Where state lives.
    pub paths: Paths,
}

/// What to do.
#[derive(Debug, Clone)]
pub(crate) enum CommandSettings {
    /// Build, deploy, and do so again for every save.
    Dev(DevSettings),
    /// Build, deploy, wait.
    Run {
        /// Whether to follow logs afterwards.
        tail: bool,
        /// Where digests come from; none means images are built.
        digest_source: Option<DigestFrom>,
    },
    /// Build and push.
    Build {
        /// Whether standard output has the images and nothing else.
        quiet: bool,
        /// The Go template of images.
        template: String,
        /// The file that images are written into.
        file_output: Option<PathBuf>,
        /// Whether to make tags only.
        dry_run: bool,
    },
    /// Test images built before.
    Test {
        /// Those images.
        images: Prebuilt,
    },
    /// Deploy images built before.
    Deploy {
        /// Whether to follow logs afterwards.
        tail: bool,
        /// Those images.
        images: Prebuilt,
        /// Whether to load them into a local cluster.
        load_images: bool,
    },
    /// Apply manifests that are rendered already.
    Apply {
        /// Whether to follow logs afterwards.
        tail: bool,
        /// Where they are.
        manifests: Vec<String>,
    },
    /// Print manifests.
    Render {
        /// The file that manifests are written into; none means standard output, unless that has events.
        file: Option<PathBuf>,
        /// Whether the cluster must not be asked.
        offline: bool,
        /// Where digests come from; none means what suits the cluster.
        digest_source: Option<DigestFrom>,
        /// Images built before; nothing is built if there are any.
        images: Prebuilt,
    },
    /// Delete what was deployed.
    Delete {
        /// Whether to print only what would be deleted.
        dry_run: bool,
        /// Whether the builders of the namespace are deleted instead.
        builders: bool,
    },
    /// Run the containers that test a deployment.
    Verify(TaskSettings),
    /// Run a custom action.
    Exec {
        /// Its name.
        action: String,
        /// How.
        run: TaskSettings,
    },
    /// Print the configuration and its faults.
    Diagnose {
        /// The file that the result is written into; none means standard output, unless that has events.
        file: Option<PathBuf>,
        /// Whether to print the configuration alone.
        yaml_only: bool,
        /// Whether to render templates.
        enable_templating: bool,
        /// Whether to say what would be built and why.
        explain: bool,
    },
    /// Upgrade the configuration.
    Fix(FixCommand),
    /// Answer what an editor asks of the configuration, or change it.
    Inspect(InspectSubject),
    /// Change manifests of standard input.
    Filter {
        /// Images built before.
        images: Prebuilt,
        /// How containers are debugged; none runs them as they are.
        debug: Option<DebugSettings>,
    },
    /// Print what could be better.
    Lint(LintFormat),
    /// Print the configurations below a directory.
    FindConfigs(FindConfigsCommand),
    /// Change or print settings of this machine.
    Config(ConfigAction),
    /// Write launch configurations of an editor.
    Ide(IdeSettings),
    /// Write a configuration.
    Init(Box<InitSettings>),
    /// Serve an editor.
    Lsp,
    /// Ask a running session.
    Ask(AskSettings),
    /// List or print schemas.
    Schema(SchemaAction),
    /// Print the version.
    Version {
        /// The Go template; `json` means all of it as JSON.
        template: String,
    },
    /// Print a completion script.
    Completion(CompletionShell),
}

impl CommandSettings {
    /// Returns the word that names the command, as profiles' `activation.command` has it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Dev(dev) if dev.debug.is_some() => "debug",
            Self::Dev(_) => "dev",
            Self::Run { .. } => "run",
            Self::Build { .. } => "build",
            Self::Test { .. } => "test",
            Self::Deploy { .. } => "deploy",
            Self::Apply { .. } => "apply",
            Self::Render { .. } => "render",
            Self::Delete { .. } => "delete",
            Self::Verify(_) => "verify",
            Self::Exec { .. } => "exec",
            Self::Diagnose { .. } => "diagnose",
            Self::Fix(_) => "fix",
            Self::Inspect(_) => "inspect",
            Self::Filter { .. } => "filter",
            Self::Lint(_) => "lint",
            Self::FindConfigs(_) => "find-configs",
            Self::Config(_) => "config",
            Self::Ide(_) => "ide",
            Self::Init(_) => "init",
            Self::Lsp => "lsp",
            Self::Ask(ask) => ask.question.name(),
            Self::Schema(_) => "schema",
            Self::Version { .. } => "version",
            Self::Completion(_) => "completion",
        }
    }

    /// Returns whether containers are put under debuggers.
    pub(crate) fn debugs(&self) -> bool {
        self.debug().is_some()
    }

    /// Returns how containers are debugged; none runs them as they are.
    pub(crate) fn debug(&self) -> Option<&DebugSettings> {
        match self {
            Self::Dev(dev) => dev.debug.as_ref(),
            Self::Filter { debug, .. } => debug.as_ref(),
            _ => None,
        }
    }

    /// Returns the command whose profiles and builds are meant: an explanation is of what `run` would do, and an
    /// editor's configurations of what `debug` does.
    pub(crate) fn acts_as(&self) -> &'static str {
        match self {
            Self::Diagnose { explain: true, .. } => "run",
            Self::Ide(_) => "debug",
            own => own.name(),
        }
    }
}

/// Who can follow a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ApiChoice {
    /// The port that the API was asked for on; none means that nobody asked.
    pub port: Option<u16>,
    /// The file that events are written into.
    pub log: Option<PathBuf>,
}

impl CommandSettings {
    /// Returns whether the logs of what was deployed are followed.
    pub(crate) fn follows_logs(&self) -> bool {
        match self {
            Self::Dev(dev) => dev.tail,
            Self::Run { tail, .. } | Self::Deploy { tail, .. } | Self::Apply { tail, .. } => *tail,
            _ => false,
        }
    }
}

/// How a session watches, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DevSettings {
    /// How containers are debugged; none runs them as they are.
    pub debug: Option<DebugSettings>,
    /// Whether logs are followed.
    pub tail: bool,
    /// How changes are noticed.
    pub mode: WatchMode,
    /// How often files are looked at, where the operating system does not tell.
    pub poll_interval: Duration,
    /// Only the sources of artifacts whose name contains one of these are watched; empty means all.
    pub watched: Vec<String>,
    /// Stages that wait for being asked.
    pub manual: Vec<AutoStage>,
    /// Whether what the session created is deleted at its end.
    pub clean_up: bool,
    /// Whether the session ends when its first pass fails.
    pub end_at_first_failure: bool,
    /// Whether images that the session built and replaced are deleted.
    pub prune: bool,
    /// Whether untagged images that those were built on go with them.
    pub prune_children: bool,
}

/// Which launch configurations are written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdeSettings {
    /// The editor that they are for.
    pub editor: Editor,
    /// The folder that it opens: an absolute path.
    pub workspace: PathBuf,
    /// Whether the files are printed instead.
    pub dry_run: bool,
}

/// How containers are debugged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DebugSettings {
    /// Which protocols are preferred.
    pub protocols: Vec<String>,
    /// Where the images are that bring debuggers; none means the global settings.
    pub helpers: Option<String>,
}

/// Where skaffold.yaml comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigSource {
    /// The first of `skaffold.yaml`, `skaffold.yml`, `devloop.yaml` in the working directory.
    Found,
    /// This file, or URL.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// Which configuration.
#[derive(Debug, Clone)]
pub(crate) struct ConfigSettings {
    /// The file.
    pub source: ConfigSource,
    /// Only these modules; empty means all.
    pub modules: Vec<String>,
    /// Profiles as given, `-name` for those that are switched off.
    pub profiles: Vec<String>,
    /// Whether profiles activate themselves.
    pub profile_auto_activation: bool,
    /// Whether `profiles` hold in required configurations too.
    pub propagate_profiles: bool,
    /// The directory of the repositories of required configurations.
    pub remote_cache: PathBuf,
    /// When they are fetched.
    pub sync_remote_cache: SyncPolicy,
    /// How long a hook may take.
    pub hook_timeout: Duration,
    /// The file of global settings that was named; none means the usual places of [`Paths`].
    pub global: Option<PathBuf>,
}

/// Which cluster, namespace and registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct TargetSettings {
    /// Namespace that every object is put into.
    pub namespace: Option<String>,
    /// Repository before image names; an empty one switches it off, none means the global settings.
    pub default_repo: Option<String>,
    /// Kubernetes context.
    pub context: Option<String>,
    /// kubeconfig file; none means `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Whether minikube is recognised.
    pub detect_minikube: bool,
    /// The minikube profile whose daemon builds.
    pub minikube_profile: Option<String>,
}

/// How images are built.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildSettings {
    /// Only artifacts whose name contains one of these; empty means all.
    pub only: Vec<String>,
    /// Whether built images are reused.
    pub cache: bool,
    /// The directory of the build cache.
    pub cache_dir: PathBuf,
    /// Registries without TLS.
    pub insecure_registries: Vec<String>,
    /// The image of builders in the cluster.
    pub builder_image: Option<String>,
    /// After how long without a build they end.
    pub builder_idle: Duration,
    /// How many builds at once; `Some(0)` is all, none is what skaffold.yaml says.
    pub concurrency: Option<usize>,
    /// The tag of every image.
    pub tag: Option<String>,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// Platforms to build for.
    pub platforms: Vec<Platform>,
    /// Whether to push; none means unless the cluster is local.
    pub push: Option<bool>,
    /// Whether to build for one platform only.
    pub one_platform: bool,
    /// Whether to build for what the cluster's nodes run.
    pub node_platforms: bool,
}

/// What is deployed and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeploySettings {
    /// Labels for every object.
    pub labels: Vec<(String, String)>,
    /// JSON file of kinds that are not transformed.
    pub resource_rules: Option<PathBuf>,
    /// Whether pods are kept on nodes that their images are built for.
    pub node_affinity: bool,
    /// Whether pods tolerate the taint of GKE's ARM nodes.
    pub arm_toleration: bool,
    /// Whether to wait until ready; none means what skaffold.yaml says.
    pub status_check: Option<bool>,
    /// Whether failing pods are waited for.
    pub tolerate_failures: bool,
    /// Whether the first failure ends the wait.
    pub fail_fast: bool,
    /// Whether objects are replaced where they cannot be changed.
    pub force: bool,
    /// How long deletions under way are waited for; none means not at all.
    pub wait_for_deletions: Option<Duration>,
    /// Which ports are forwarded.
    pub forward: ForwardModes,
}

/// How the containers of `verify` and `exec` are run.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskSettings {
    /// Images built before.
    pub images: Prebuilt,
    /// The file of variables for every container.
    pub env_file: Option<PathBuf>,
    /// The network of containers in the container daemon.
    pub network: Option<String>,
}

/// Images built before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prebuilt {
    /// The file that `build --file-output` wrote; `-` is standard input.
    pub file: Option<PathBuf>,
    /// Images by name and reference; the later ones win over the file.
    pub images: Vec<(ImageName, ImageRef)>,
    /// The tag of images that name none.
    pub tag: Option<String>,
}

/// Where state lives: XDG directories of our own, and Skaffold's, which is only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// `~/.config/devloop`.
    pub config: PathBuf,
    /// `~/.cache/devloop`.
    pub cache: PathBuf,
    /// `~/.skaffold`.
    pub skaffold: PathBuf,
}

/// What is shown and where.
#[derive(Debug, Clone)]
pub(crate) struct ConsoleChoice {
    /// Whether standard output has events as JSON lines.
    pub json: bool,
    /// Where progress goes otherwise.
    pub progress: Progress,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether colours are forced on or off; none means by terminal and environment.
    pub colours: Option<bool>,
    /// The main colour's ANSI code; 0 is none.
    pub main_colour: u8,
    /// Whether lines have the time.
    pub timestamps: bool,
    /// Stages whose lines are hidden.
    pub mute: Mute,
    /// Whether the bell rings at the end.
    pub bell: bool,
}

impl Prebuilt {
    /// Returns whether the command line names any image.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.images.is_empty()
    }
}

impl Paths {
    /// Returns the directories of the XDG base directory specification: a relative path in a variable does not count.
    pub(crate) fn from_env(env: &Env) -> Self {
        let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // Without a home, state is still kept for as long as the machine keeps temporary files.
        let home = absolute("HOME").or_else(|| absolute("TMPDIR")).unwrap_or_else(|| PathBuf::from("/tmp"));
        Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("devloop"),
            cache: absolute("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("devloop"),
            skaffold: home.join(".skaffold"),
        }
    }
}

impl ConsoleChoice {
    /// Returns the console's settings on a standard output that is or is not a terminal.
    pub(crate) fn on(&self, env: &Env, terminal: bool, logs: LogSettings) -> ConsoleSettings {
        ConsoleSettings {
            progress: self.progress,
            terminal,
            colours: if self.colours.unwrap_or_else(|| wants_colours(env, terminal)) {
                Colours::On { main: self.main_colour }
            } else {
                Colours::Off
            },
            timestamps: self.timestamps.then(devloop_ui::local_time_zone),
            verbosity: self.verbosity,
            mute: self.mute,
            bell: self.bell,
            logs,
        }
    }
}

/// Returns what `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM` say, in this order of strength
/// (<https://no-color.org>, <https://bixense.com/clicolors>).
fn wants_colours(env: &Env, terminal: bool) -> bool {
    let set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") {
        false
    } else if set("CLICOLOR_FORCE") && env.get("CLICOLOR_FORCE") != Some("0") {
        true
    } else {
        terminal && env.get("CLICOLOR") != Some("0") && env.get("TERM") != Some("dumb")
    }
}

#[cfg(test)]
mod tests;
