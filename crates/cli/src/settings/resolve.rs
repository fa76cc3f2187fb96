//! Arguments to settings: pure.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_attach::ForwardModes;
use devloop_attach::UnknownMode;
use devloop_clients::git::SyncPolicy;
use devloop_model::AutoStage;
use devloop_model::Env;
use devloop_model::HookSettings;
use devloop_model::ImageNameError;
use devloop_model::ImageRef;
use devloop_model::Platform;
use devloop_model::WatchMode;
use devloop_ui::Mute;
use devloop_ui::Progress;
use devloop_ui::Verbosity;

use super::ApiChoice;
use super::AskSettings;
use super::BuildSettings;
use super::CommandSettings;
use super::ConfigSettings;
use super::ConfigSource;
use super::ConsoleChoice;
use super::DebugSettings;
use super::DeploySettings;
use super::DevSettings;
use super::IdeSettings;
use super::InitSettings;
use super::Paths;
use super::Prebuilt;
use super::Settings;
use super::TargetSettings;
use super::TaskSettings;
use crate::args::ApiArgs;
use crate::args::ArgsError;
use crate::args::BuildArgs;
use crate::args::Cli;
use crate::args::Command;
use crate::args::ConfigArgs;
use crate::args::ConsoleArgs;
use crate::args::DeployArgs;
use crate::args::DevCommand;
use crate::args::EventFormat;
use crate::args::GlobalArgs;
use crate::args::Level;
use crate::args::List;
use crate::args::ManifestArgs;
use crate::args::PlacementArgs;
use crate::args::PrebuiltArgs;
use crate::args::SyncRemote;
use crate::args::TargetArgs;
use crate::args::TaskArgs;
use crate::args::TriggerMode;
use crate::args::WatchArgs;

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
            build: BuildSettings { cache: true, cache_dir: paths.cache.clone(), ..BuildSettings::default() },
            deploy: DeploySettings::default(),
            console: ConsoleChoice::from_args(&cli.global)?,
            api: ApiChoice::default(),
            command: CommandSettings::Version { template: String::new() },
            paths,
        };
        settings.command = settings.take(cli.command)?;
        Ok(settings)
    }

    /// Takes over what the flags of a watching command say, and returns how it watches.
    fn take_dev(&mut self, dev: DevCommand, debug: Option<DebugSettings>) -> Result<DevSettings, ArgsError> {
        self.take_shared(&dev.config, &dev.target, SyncPolicy::Always);
        self.take_build(&dev.build, true)?;
        self.take_manifests(&dev.manifests)?;
        self.take_placement(&dev.placement, true);
        self.take_deploy(&dev.deploy, if debug.is_some() { "debug" } else { "dev" })?;
        self.console.take(&dev.console)?;
        self.console.json = dev.output == EventFormat::Json;
        self.api = ApiChoice::from_args(dev.api);
        Ok(DevSettings { debug, ..DevSettings::from_args(&dev.watch, dev.deploy.tail.0) })
    }

    /// Takes over what the command's flags say, and returns the command.
    fn take(&mut self, command: Command) -> Result<CommandSettings, ArgsError> {
        Ok(match command {
            Command::Dev(dev) => CommandSettings::Dev(self.take_dev(*dev, None)?),
            Command::Debug(debug) => {
                let asked = DebugSettings {
                    protocols: List::flatten(&debug.debug.protocols),
                    helpers: debug.debug.debug_helpers_registry.filter(|registry| !registry.is_empty()),
                };
                CommandSettings::Dev(self.take_dev(debug.dev, Some(asked))?)
            }
            Command::Run(run) => {
                self.take_shared(&run.config, &run.target, SyncPolicy::Always);
                self.take_build(&run.build, true)?;
                self.take_manifests(&run.manifests)?;
                self.take_placement(&run.placement, true);
                self.take_deploy(&run.deploy, "run")?;
                self.console.take(&run.console)?;
                self.console.json = run.output == EventFormat::Json;
                self.api = ApiChoice::from_args(run.api);
                CommandSettings::Run { tail: run.deploy.tail.0, digest_source: run.digest_source }
            }
            Command::Build(build) => {
                self.take_shared(&build.config, &build.target, SyncPolicy::Always);
                self.take_build(&build.build, false)?;
                self.build.only = List::flatten(&build.only.build_image);
                self.build.push = build.push.map(|push| push.0);
                self.console.take(&build.console)?;
                self.console.json = build.output == "json";
                self.api = ApiChoice::from_args(build.api);
                if build.quiet.0 {
                    self.console.progress = Progress::Nowhere;
                }
                let template = if self.console.json { "{{json .}}".to_owned() } else { build.output };
                CommandSettings::Build { quiet: build.quiet.0, template, file_output: build.file_output, dry_run: build.dry_run.0 }
            }
            Command::Test(test) => {
                self.take_shared(&test.config, &test.target, SyncPolicy::Always);
                self.console.take(&test.console)?;
                self.console.json = test.output == EventFormat::Json;
                self.api = ApiChoice::from_args(test.api);
                CommandSettings::Test { images: Prebuilt::from_args(test.images, None)? }
            }
            Command::Deploy(deploy) => {
                self.take_shared(&deploy.config, &deploy.target, SyncPolicy::Always);
                self.take_manifests(&deploy.manifests)?;
                self.take_deploy(&deploy.deploy, "deploy")?;
                self.console.take(&deploy.console)?;
                self.console.json = deploy.output == EventFormat::Json;
                self.api = ApiChoice::from_args(deploy.api);
                let images = Prebuilt::from_args(deploy.images, deploy.tag)?;
                CommandSettings::Deploy { tail: deploy.deploy.tail.0, images, load_images: deploy.load_images.0 }
            }
            Command::Apply(apply) => {
                self.take_shared(&apply.config, &apply.target, SyncPolicy::Always);
                self.take_manifests(&apply.manifests)?;
                self.take_deploy(&apply.deploy, "apply")?;
                self.console.take(&apply.console)?;
                self.console.json = apply.output == EventFormat::Json;
                self.api = ApiChoice::from_args(apply.api);
                CommandSettings::Apply { tail: apply.deploy.tail.0, manifests: apply.files }
            }
            Command::Render(render) => {
                self.take_shared(&render.config, &render.target, SyncPolicy::Always);
                self.take_build(&render.build, false)?;
                self.take_manifests(&render.manifests)?;
                self.take_placement(&render.placement, false);
                self.console.progress = if render.loud.0 { Progress::Stderr } else { Progress::Nowhere };
                let images = Prebuilt::from_args(render.images, render.build.tag)?;
                let file = self.console.take_output(render.output);
                CommandSettings::Render { file, offline: render.offline.0, digest_source: render.digest_source, images }
            }
            Command::Delete(delete) => {
                self.take_shared(&delete.config, &delete.target, SyncPolicy::Always);
                self.console.json = delete.output == EventFormat::Json;
                CommandSettings::Delete { dry_run: delete.dry_run.0, builders: delete.builders.0 }
            }
            Command::Verify(verify) => CommandSettings::Verify(self.take_tasks(verify.run)?),
            Command::Exec(exec) => CommandSettings::Exec { action: exec.action, run: self.take_tasks(exec.run)? },
            Command::Diagnose(diagnose) => {
                self.take_shared(&diagnose.config, &diagnose.target, SyncPolicy::Missing);
                self.take_build(&diagnose.build, diagnose.explain.0)?;
                self.build.only = List::flatten(&diagnose.only.build_image);
                self.console.progress = Progress::Nowhere;
                CommandSettings::Diagnose {
                    file: self.console.take_output(diagnose.output),
                    yaml_only: diagnose.yaml_only.0,
                    enable_templating: diagnose.enable_templating.0,
                    explain: diagnose.explain.0,
                }
            }
            Command::Inspect(inspect) => self.take_inspect(*inspect),
            Command::Filter(filter) => self.take_filter(*filter)?,
            Command::Lint(lint) => {
                self.take_config(&lint.config, SyncPolicy::Missing);
                self.console.progress = Progress::Nowhere;
                CommandSettings::Lint(lint.format)
            }
            Command::FindConfigs(find) => CommandSettings::FindConfigs(find),
            Command::Config(config) => CommandSettings::Config(config.action),
            Command::Ide(ide) => {
                self.take_shared(&ide.config, &ide.target, SyncPolicy::Missing);
                self.console.progress = Progress::Nowhere;
                let workspace = std::path::absolute(&ide.workspace).unwrap_or(ide.workspace);
                let workspace = workspace.components().collect();
                CommandSettings::Ide(IdeSettings { editor: ide.editor, workspace, dry_run: ide.dry_run.0 })
            }
            Command::Fix(fix) => CommandSettings::Fix(fix),
            Command::Init(init) => {
                self.config.source = config_source(init.filename.as_deref());
                CommandSettings::Init(Box::new(InitSettings::from_args(*init)))
            }
            Command::Lsp(lsp) => {
                self.config.profiles = List::flatten(&lsp.profile);
                self.config.sync_remote_cache = SyncPolicy::Never;
                self.target.context = lsp.kube_context;
                self.target.kubeconfig = lsp.kubeconfig;
                CommandSettings::Lsp
            }
            Command::Status(status) => CommandSettings::Ask(AskSettings::status(&status)),
            Command::Why(why) => CommandSettings::Ask(AskSettings::why(why)),
            Command::Logs(logs) => CommandSettings::Ask(AskSettings::logs(logs)),
            Command::Schema(schema) => CommandSettings::Schema(schema.action),
            Command::Version(version) => CommandSettings::Version { template: version.output },
            Command::Completion(completion) => CommandSettings::Completion(completion.shell),
        })
    }

    fn take_tasks(&mut self, tasks: TaskArgs) -> Result<TaskSettings, ArgsError> {
        self.take_shared(&tasks.config, &tasks.target, SyncPolicy::Always);
        self.console.json = tasks.output == EventFormat::Json;
        self.api = ApiChoice::from_args(tasks.api);
        Ok(TaskSettings {
            images: Prebuilt::from_args(tasks.images, None)?,
            env_file: tasks.env_file.filter(|path| !path.as_os_str().is_empty()),
            network: tasks.docker_network.filter(|text| !text.is_empty()),
        })
    }

    pub(super) fn remote_cache(&self, given: Option<&Path>) -> PathBuf {
        given.filter(|path| !path.as_os_str().is_empty()).map_or_else(|| self.paths.cache.join("repos"), Path::to_owned)
    }

    pub(super) fn take_config(&mut self, config: &ConfigArgs, usual_sync: SyncPolicy) {
        self.config = ConfigSettings {
            source: config_source(config.filename.as_deref()),
            modules: List::flatten(&config.module),
            profiles: List::flatten(&config.profile),
            profile_auto_activation: config.profile_auto_activation.0,
            propagate_profiles: config.propagate_profiles.0,
            remote_cache: self.remote_cache(config.remote_cache_dir.as_deref()),
            sync_remote_cache: config.sync_remote_cache.map_or(usual_sync, sync_policy),
            hook_timeout: config.hook_timeout.0,
            global: config.config.clone(),
        };
    }

    fn take_shared(&mut self, config: &ConfigArgs, target: &TargetArgs, usual_sync: SyncPolicy) {
        self.take_config(config, usual_sync);
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

    fn take_build(&mut self, build: &BuildArgs, node_platforms: bool) -> Result<(), ArgsError> {
        let parse = |text: &String| {
            text.parse::<Platform>().map_err(|error| ArgsError::Value { flag: "platform", value: text.clone(), why: error.to_string() })
        };
        self.build = BuildSettings {
            only: Vec::new(),
            cache: build.cache_artifacts.0,
            cache_dir: match &build.cache_file {
                Some(path) => with_suffix(path, ".devloop"),
                None => self.paths.cache.clone(),
            },
            insecure_registries: List::flatten(&build.insecure_registry),
            builder_image: build.builder_image.clone().filter(|image| !image.is_empty()),
            builder_idle: build.builder_idle.0,
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

    pub(super) fn take_manifests(&mut self, manifests: &ManifestArgs) -> Result<(), ArgsError> {
        self.deploy.labels = List::flatten(&manifests.label).iter().map(|text| label(text)).collect::<Result<_, _>>()?;
        self.deploy.resource_rules.clone_from(&manifests.resource_selector_rules_file);
        Ok(())
    }

    /// `by_default`: whether pods are placed where no flag says so.
    fn take_placement(&mut self, placement: &PlacementArgs, by_default: bool) {
        self.deploy.node_affinity = placement.enable_platform_node_affinity.map_or(by_default, |affinity| affinity.0);
        self.deploy.arm_toleration = placement.enable_gke_arm_node_toleration.map_or(by_default, |toleration| toleration.0);
    }

    fn take_deploy(&mut self, deploy: &DeployArgs, command: &str) -> Result<(), ArgsError> {
        let words = List::flatten(&deploy.port_forward);
        let wrong = |error: UnknownMode| ArgsError::Value { flag: "port-forward", value: words.join(","), why: error.to_string() };
        self.deploy = DeploySettings {
            status_check: deploy.status_check.map(|check| check.0),
            tolerate_failures: deploy.tolerate_failures_until_deadline.0,
            fail_fast: deploy.fast_fail_status_check.0,
            force: deploy.force.0,
            wait_for_deletions: deploy.wait_for_deletions.0.then_some(deploy.wait_for_deletions_max.0),
            forward: match words.as_slice() {
                [] => ForwardModes::of_command(command),
                words => ForwardModes::parse(words, command).map_err(wrong)?,
            },
            ..std::mem::take(&mut self.deploy)
        };
        Ok(())
    }
}

/// Returns what `--filename` names.
pub(super) fn config_source(filename: Option<&str>) -> ConfigSource {
    match filename {
        None => ConfigSource::Found,
        Some("-") => ConfigSource::Stdin,
        Some(path) => ConfigSource::Path(path.into()),
    }
}

/// Returns the label in `NAME=VALUE`; `NAME` alone has an empty value, as in Skaffold
/// (`pkg/skaffold/deploy/label/labeller.go`).
fn label(text: &str) -> Result<(String, String), ArgsError> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let wrong = |why: &str| Err(ArgsError::Value { flag: "label", value: text.to_owned(), why: why.to_owned() });
    let (prefix, word) = name.rsplit_once('/').map_or((None, name), |(prefix, word)| (Some(prefix), word));
    if !is_label_word(word) || prefix.is_some_and(|prefix| !is_domain(prefix)) {
        return wrong("a label is NAME=VALUE, its name letters and digits with `-`, `_` and `.` between, after a domain and `/` if any");
    }
    if !value.is_empty() && !is_label_word(value) {
        return wrong("the value of a label is at most 63 letters and digits, with `-`, `_` and `.` between");
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Returns whether a text may be a label's name or value (Kubernetes' `pkg/util/validation`).
fn is_label_word(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inside = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    bytes.len() <= 63 && inside && ends(bytes.first()) && ends(bytes.last())
}

/// Returns whether a text is a domain in lower case.
fn is_domain(text: &str) -> bool {
    let part =
        |part: &str| is_label_word(part) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    text.len() <= 253 && text.split('.').all(part)
}

pub(super) fn sync_policy(when: SyncRemote) -> SyncPolicy {
    match when {
        SyncRemote::Always => SyncPolicy::Always,
        SyncRemote::Missing => SyncPolicy::Missing,
        SyncRemote::Never => SyncPolicy::Never,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

impl ApiChoice {
    fn from_args(arguments: ApiArgs) -> Self {
        // An empty name is what a script passes for "none".
        Self { port: arguments.rpc_http_port, log: arguments.event_log_file.filter(|path| !path.as_os_str().is_empty()) }
    }
}

impl ConfigSettings {
    /// Returns the settings of commands that read no configuration.
    pub(super) fn none(paths: &Paths) -> Self {
        Self {
            source: ConfigSource::Found,
            modules: Vec::new(),
            profiles: Vec::new(),
            profile_auto_activation: true,
            propagate_profiles: true,
            remote_cache: paths.cache.join("repos"),
            sync_remote_cache: SyncPolicy::Never,
            hook_timeout: HookSettings::default().limit,
            global: None,
        }
    }
}

impl DevSettings {
    fn from_args(watch: &WatchArgs, tail: bool) -> Self {
        let automatic = [(AutoStage::Build, watch.auto_build), (AutoStage::Sync, watch.auto_sync), (AutoStage::Deploy, watch.auto_deploy)];
        Self {
            debug: None,
            tail,
            mode: match watch.trigger {
                TriggerMode::Notify => WatchMode::Notify,
                TriggerMode::Polling => WatchMode::Polling,
                TriggerMode::Manual => WatchMode::Manual,
            },
            poll_interval: Duration::from_millis(watch.watch_poll_interval),
            watched: List::flatten(&watch.watch_image),
            manual: automatic.into_iter().filter(|(_, by_itself)| !by_itself.0).map(|(stage, _)| stage).collect(),
            clean_up: watch.cleanup.0,
            end_at_first_failure: watch.keep_running_on_failure.is_some_and(|keep| !keep.0),
            prune: !watch.no_prune.0,
            prune_children: !watch.no_prune_children.0,
        }
    }
}

impl Prebuilt {
    fn from_args(arguments: PrebuiltArgs, tag: Option<String>) -> Result<Self, ArgsError> {
        let parse = |text: &String| {
            let wrong = |error: ImageNameError| ArgsError::Value { flag: "images", value: text.clone(), why: error.to_string() };
            match text.split_once('=') {
                Some((name, reference)) => Ok((name.parse().map_err(wrong)?, reference.parse().map_err(wrong)?)),
                None => text.parse::<ImageRef>().map(|reference| (reference.name.clone(), reference)).map_err(wrong),
            }
        };
        let images = List::flatten(&arguments.images).iter().map(parse).collect::<Result<_, ArgsError>>()?;
        Ok(Self { file: arguments.build_artifacts, images, tag: tag.filter(|text| !text.is_empty()) })
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
                "test" => self.mute.tests = true,
                "deploy" => self.mute.deploy = true,
                "status-check" => self.mute.status_check = true,
                "all" => self.mute = Mute { build: true, tests: true, deploy: true, status_check: true },
                "none" => self.mute = Mute::default(),
                _ => {
                    return Err(ArgsError::Value {
                        flag: "mute-logs",
                        value: stage,
                        why: "expected build, test, deploy, status-check, none or all".to_owned(),
                    });
                }
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
}

/// The codes that Skaffold's `--color` knows (`pkg/skaffold/output/color.go`).
fn is_colour(code: u8) -> bool {
    matches!(code, 0 | 31..=37 | 91..=95)
}

fn wrong_colour(code: &str) -> ArgsError {
    ArgsError::Value { flag: "color", value: code.to_owned(), why: "expected 0, 31 to 37, 91 to 95, auto, always or never".to_owned() }
}
