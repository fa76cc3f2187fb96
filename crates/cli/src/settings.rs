//! Arguments and environment to settings: pure, one value per question, defaults resolved.

use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::LogSettings;
use devloop_model::Platform;
use devloop_ui::Colours;
use devloop_ui::ConsoleSettings;
use devloop_ui::Mute;
use devloop_ui::Progress;
use devloop_ui::Verbosity;

use crate::args::ArgsError;
use crate::args::BuildArgs;
use crate::args::Cli;
use crate::args::Command;
use crate::args::CompletionShell;
use crate::args::ConfigArgs;
use crate::args::ConsoleArgs;
use crate::args::DeployArgs;
use crate::args::DigestFrom;
use crate::args::EventFormat;
use crate::args::GlobalArgs;
use crate::args::Level;
use crate::args::List;
use crate::args::ManifestArgs;
use crate::args::PrebuiltArgs;
use crate::args::SchemaAction;
use crate::args::SyncRemote;
use crate::args::TargetArgs;

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
    /// Where state lives.
    pub paths: Paths,
}

/// What to do.
#[derive(Debug, Clone)]
pub(crate) enum CommandSettings {
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
    /// Deploy images built before.
    Deploy {
        /// Whether to follow logs afterwards.
        tail: bool,
        /// Those images.
        images: Prebuilt,
        /// Whether to load them into a local cluster.
        load_images: bool,
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
            Self::Run { .. } => "run",
            Self::Build { .. } => "build",
            Self::Deploy { .. } => "deploy",
            Self::Render { .. } => "render",
            Self::Delete { .. } => "delete",
            Self::Diagnose { .. } => "diagnose",
            Self::Schema(_) => "schema",
            Self::Version { .. } => "version",
            Self::Completion(_) => "completion",
        }
    }
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
    /// The file of global settings that was named; none means the usual places of [`Paths`].
    pub global: Option<PathBuf>,
    /// Where copies of remote configurations live.
    pub remote_cache: PathBuf,
    /// When they are fetched.
    pub sync_remote: SyncRemote,
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
    /// Whether to wait until ready; none means what skaffold.yaml says.
    pub status_check: Option<bool>,
    /// Whether to wait after each deployer.
    pub iterative_status_check: bool,
    /// Whether failing pods are waited for.
    pub tolerate_failures: bool,
    /// Whether the first failure ends the wait.
    pub fail_fast: bool,
    /// JSON file of custom resources that are waited for.
    pub status_selectors: Option<PathBuf>,
    /// Whether objects are replaced where they cannot be changed.
    pub force: bool,
    /// How long deletions under way are waited for; none means not at all.
    pub wait_for_deletions: Option<Duration>,
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

impl Settings {
    /// Returns what the arguments mean, with `env` for the places of files.
    ///
    /// # Errors
    /// When a part of a list is not what its flag takes.
    pub(crate) fn resolve(cli: Cli, env: &Env) -> Result<Self, ArgsError> {
        let paths = Paths::from_env(env);
        let mut settings = Self {
            config: ConfigSettings::none(&paths),
            target: TargetSettings::default(),
            build: BuildSettings { cache_dir: paths.cache.clone(), ..BuildSettings::default() },
            deploy: DeploySettings::default(),
            console: ConsoleChoice::from_args(&cli.global)?,
            command: CommandSettings::Version { template: String::new() },
            paths,
        };
        settings.command = settings.take(cli.command)?;
        Ok(settings)
    }

    /// Takes over what the command's flags say, and returns the command.
    fn take(&mut self, command: Command) -> Result<CommandSettings, ArgsError> {
        Ok(match command {
            Command::Run(run) => {
                self.take_shared(&run.config, Some(&run.target), SyncRemote::Always);
                self.take_build(&run.build, true)?;
                self.take_manifests(&run.manifests)?;
                self.take_deploy(&run.deploy);
                self.console.take(&run.console)?;
                self.console.json = run.output == EventFormat::Json;
                CommandSettings::Run { tail: run.deploy.tail.0, digest_source: run.digest_source }
            }
            Command::Build(build) => {
                self.take_shared(&build.config, Some(&build.target), SyncRemote::Always);
                self.take_build(&build.build, false)?;
                self.build.push = build.push.map(|push| push.0);
                self.console.take(&build.console)?;
                self.console.json = build.output == "json";
                if build.quiet.0 {
                    self.console.progress = Progress::Nowhere;
                }
                let template = if self.console.json { "{{json .}}".to_owned() } else { build.output };
                CommandSettings::Build { quiet: build.quiet.0, template, file_output: build.file_output, dry_run: build.dry_run.0 }
            }
            Command::Deploy(deploy) => {
                self.take_shared(&deploy.config, Some(&deploy.target), SyncRemote::Always);
                self.take_manifests(&deploy.manifests)?;
                self.take_deploy(&deploy.deploy);
                self.console.take(&deploy.console)?;
                self.console.json = deploy.output == EventFormat::Json;
                let images = Prebuilt::from_args(deploy.images, deploy.tag)?;
                CommandSettings::Deploy { tail: deploy.deploy.tail.0, images, load_images: deploy.load_images.0 }
            }
            Command::Render(render) => {
                self.take_shared(&render.config, Some(&render.target), SyncRemote::Always);
                self.take_build(&render.build, false)?;
                self.take_manifests(&render.manifests)?;
                self.console.progress = if render.loud.0 { Progress::Stderr } else { Progress::Nowhere };
                let images = Prebuilt::from_args(render.images, render.build.tag)?;
                let file = self.console.take_output(render.output);
                CommandSettings::Render { file, offline: render.offline.0, digest_source: render.digest_source, images }
            }
            Command::Delete(delete) => {
                self.take_shared(&delete.config, Some(&delete.target), SyncRemote::Always);
                self.console.json = delete.output == EventFormat::Json;
                CommandSettings::Delete { dry_run: delete.dry_run.0 }
            }
            Command::Diagnose(diagnose) => {
                self.take_shared(&diagnose.config, None, SyncRemote::Missing);
                self.console.progress = Progress::Nowhere;
                CommandSettings::Diagnose {
                    file: self.console.take_output(diagnose.output),
                    yaml_only: diagnose.yaml_only.0,
                    enable_templating: diagnose.enable_templating.0,
                    explain: diagnose.explain.0,
                }
            }
            Command::Schema(schema) => CommandSettings::Schema(schema.action),
            Command::Version(version) => CommandSettings::Version { template: version.output },
            Command::Completion(completion) => CommandSettings::Completion(completion.shell),
        })
    }

    fn take_shared(&mut self, config: &ConfigArgs, target: Option<&TargetArgs>, sync: SyncRemote) {
        self.config = ConfigSettings {
            source: match config.filename.as_deref() {
                None => ConfigSource::Found,
                Some("-") => ConfigSource::Stdin,
                Some(path) => ConfigSource::Path(path.into()),
            },
            modules: List::flatten(&config.module),
            profiles: List::flatten(&config.profile),
            profile_auto_activation: config.profile_auto_activation.0,
            propagate_profiles: config.propagate_profiles.0,
            global: config.config.clone(),
            remote_cache: config.remote_cache_dir.clone().unwrap_or_else(|| self.paths.cache.join("remote")),
            sync_remote: config.sync_remote_cache.unwrap_or(sync),
        };
        if let Some(target) = target {
            self.target = TargetSettings {
                // An empty namespace or context is what a script passes for "none": it must not reach the cluster.
                namespace: target.namespace.clone().filter(|text| !text.is_empty()),
                default_repo: target.default_repo.clone(),
                context: target.kube_context.clone().filter(|text| !text.is_empty()),
                kubeconfig: target.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()),
                detect_minikube: target.detect_minikube.0,
                minikube_profile: target.minikube_profile.clone().filter(|text| !text.is_empty()),
            };
        }
    }

    fn take_build(&mut self, build: &BuildArgs, node_platforms: bool) -> Result<(), ArgsError> {
        let parse = |text: &String| text.parse::<Platform>().map_err(|error| ArgsError::Value { flag: "platform", value: text.clone(), why: error.to_string() });
        self.build = BuildSettings {
            only: List::flatten(&build.build_image),
            cache: build.cache_artifacts.0,
            cache_dir: match &build.cache_file {
                Some(path) => with_suffix(path, ".devloop"),
                None => self.paths.cache.clone(),
            },
            insecure_registries: List::flatten(&build.insecure_registry),
            concurrency: usize::try_from(build.build_concurrency).ok(),
            tag: build.tag.clone().filter(|text| !text.is_empty()),
            skip_tests: build.skip_tests.0,
            platforms: List::flatten(&build.platform).iter().map(parse).collect::<Result<_, _>>()?,
            push: None,
            one_platform: build.disable_multi_platform_build.0,
            node_platforms: build.check_cluster_node_platforms.map_or(node_platforms, |check| check.0),
        };
        Ok(())
    }

    fn take_manifests(&mut self, manifests: &ManifestArgs) -> Result<(), ArgsError> {
        self.deploy.labels = List::flatten(&manifests.label).iter().map(|text| label(text)).collect::<Result<_, _>>()?;
        self.deploy.resource_rules.clone_from(&manifests.resource_selector_rules_file);
        Ok(())
    }

    fn take_deploy(&mut self, deploy: &DeployArgs) {
        self.deploy = DeploySettings {
            labels: std::mem::take(&mut self.deploy.labels),
            resource_rules: self.deploy.resource_rules.take(),
            status_check: deploy.status_check.map(|check| check.0),
            iterative_status_check: deploy.iterative_status_check.0,
            tolerate_failures: deploy.tolerate_failures_until_deadline.0,
            fail_fast: deploy.fast_fail_status_check.0,
            status_selectors: deploy.status_check_selectors.clone(),
            force: deploy.force.0,
            wait_for_deletions: deploy.wait_for_deletions.0.then_some(deploy.wait_for_deletions_max.0),
        };
    }
}

/// Returns the label in `NAME=VALUE`; `NAME` alone has an empty value, as in Skaffold
/// (`pkg/skaffold/deploy/label/labeller.go`).
fn label(text: &str) -> Result<(String, String), ArgsError> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(ArgsError::Value { flag: "label", value: text.to_owned(), why: "a label is NAME=VALUE".to_owned() });
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn with_suffix(path: &std::path::Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

impl ConfigSettings {
    /// Returns the settings of commands that read no configuration.
    fn none(paths: &Paths) -> Self {
        Self {
            source: ConfigSource::Found,
            modules: Vec::new(),
            profiles: Vec::new(),
            profile_auto_activation: true,
            propagate_profiles: true,
            global: None,
            remote_cache: paths.cache.join("remote"),
            sync_remote: SyncRemote::Missing,
        }
    }
}

impl Prebuilt {
    fn from_args(arguments: PrebuiltArgs, tag: Option<String>) -> Result<Self, ArgsError> {
        let parse = |text: &String| {
            let wrong = |error: devloop_model::ImageNameError| ArgsError::Value { flag: "images", value: text.clone(), why: error.to_string() };
            match text.split_once('=') {
                Some((name, reference)) => Ok((name.parse().map_err(wrong)?, reference.parse().map_err(wrong)?)),
                None => text.parse::<ImageRef>().map(|reference| (reference.name.clone(), reference)).map_err(wrong),
            }
        };
        let images = List::flatten(&arguments.images).iter().map(parse).collect::<Result<_, ArgsError>>()?;
        Ok(Self { file: arguments.build_artifacts, images, tag: tag.filter(|text| !text.is_empty()) })
    }

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
    fn from_args(global: &GlobalArgs) -> Result<Self, ArgsError> {
        let (colours, main_colour) = match global.color.as_str() {
            "auto" => (None, 34),
            "always" => (Some(true), 34),
            "never" => (Some(false), 0),
            code => (None, code.parse().ok().filter(|code| is_colour(*code)).ok_or_else(|| wrong_colour(code))?),
        };
        Ok(Self {
            json: false,
            progress: Progress::Stdout,
            verbosity: match global.verbosity {
                Level::Panic | Level::Fatal | Level::Error => Verbosity::Errors,
                Level::Warning => Verbosity::Warnings,
                Level::Info => Verbosity::Info,
                Level::Debug | Level::Trace => Verbosity::Debug,
            },
            colours: if global.force_colors.0 { Some(true) } else { colours },
            main_colour,
            timestamps: global.timestamps.0,
            mute: Mute::default(),
            bell: false,
        })
    }

    fn take(&mut self, console: &ConsoleArgs) -> Result<(), ArgsError> {
        self.bell = console.toot.0;
        for stage in List::flatten(&console.mute_logs) {
            match stage.as_str() {
                "build" => self.mute.build = true,
                "deploy" => self.mute.deploy = true,
                "status-check" => self.mute.status_check = true,
                "all" => self.mute = Mute { build: true, deploy: true, status_check: true },
                "none" => self.mute = Mute::default(),
                _ => return Err(ArgsError::Value { flag: "mute-logs", value: stage, why: "expected build, deploy, status-check, none or all".to_owned() }),
            }
        }
        Ok(())
    }

    /// Takes the word `json` out of what `--output` was given, and returns the file that is left, the last one.
    fn take_output(&mut self, values: Vec<String>) -> Option<PathBuf> {
        let (json, files): (Vec<String>, Vec<String>) = values.into_iter().partition(|value| value == "json");
        self.json = !json.is_empty();
        files.into_iter().rfind(|file| !file.is_empty()).map(PathBuf::from)
    }

    /// Returns the console's settings on a standard output that is or is not a terminal.
    pub(crate) fn on(&self, env: &Env, terminal: bool, logs: LogSettings) -> ConsoleSettings {
        ConsoleSettings {
            progress: self.progress,
            terminal,
            colours: if self.colours.unwrap_or_else(|| wants_colours(env, terminal)) { Colours::On { main: self.main_colour } } else { Colours::Off },
            timestamps: self.timestamps.then(devloop_ui::local_time_zone),
            verbosity: self.verbosity,
            mute: self.mute,
            bell: self.bell,
            logs,
        }
    }
}

/// The codes that Skaffold's `--color` knows (`pkg/skaffold/output/color.go`).
fn is_colour(code: u8) -> bool {
    matches!(code, 0 | 31..=37 | 91..=95)
}

fn wrong_colour(code: &str) -> ArgsError {
    ArgsError::Value { flag: "color", value: code.to_owned(), why: "expected 0, 31 to 37, 91 to 95, auto, always or never".to_owned() }
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
