//! One session: the plan, the target and the clients, resolved before the first stage starts.

use std::io::Read as _;
use std::sync::Arc;

use devloop_clients::ClientSettings;
use devloop_clients::Clients;
use devloop_clients::kube::KubeSettings;
use devloop_clients::kube::current_context;
use devloop_config::ContextSettings;
use devloop_config::GlobalConfig;
use devloop_config::Options;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Plan;
use devloop_model::SecretSource;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::TaskGroup;
use devloop_model::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::modules::Repos;
use crate::resource_rules;
use crate::settings::CommandSettings;
use crate::settings::ConfigSource;
use crate::settings::Settings;

/// What every pipeline command starts from.
pub(crate) struct Session {
    /// What the command line says.
    pub settings: Settings,
    /// The environment.
    pub env: Env,
    /// Where the configuration came from; standard input has been read.
    pub source: devloop_config::ConfigSource,
    /// The repositories that it requires modules from.
    pub repos: Repos,
    /// How it was read.
    pub options: Options,
    /// What the configuration means.
    pub plan: Plan,
    /// What the machine's own settings say for the context.
    pub machine: devloop_config::ContextSettings,
    /// Clients that have not connected yet.
    pub clients: Clients,
    /// When it was opened.
    pub began: Timestamp,
}

/// Returns the configuration's source and the options that it is read with.
///
/// # Errors
/// When standard input cannot be read, or the kubeconfig is broken.
pub(crate) fn config_options(settings: &Settings, env: &Env) -> Result<(devloop_config::ConfigSource, Options), Diagnostic> {
    let (source, mut options) = options_without_context(settings, env)?;
    let kube = KubeSettings { kubeconfig: settings.target.kubeconfig.clone(), context: settings.target.context.clone(), env: env.clone() };
    options.kube_context = current_context(&kube).map_err(|error| error.diagnostic())?;
    Ok((source, options))
}

/// The same where no Kubernetes context can activate a profile: no kubeconfig is read.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) fn options_without_context(settings: &Settings, env: &Env) -> Result<(devloop_config::ConfigSource, Options), Diagnostic> {
    let source = match &settings.config.source {
        ConfigSource::Found if matches!(settings.command, CommandSettings::Apply { .. } | CommandSettings::Filter { .. }) => {
            devloop_config::ConfigSource::SearchOrNone
        }
        ConfigSource::Found => devloop_config::ConfigSource::Search,
        ConfigSource::Path(path) => devloop_config::ConfigSource::File(path.clone()),
        ConfigSource::Stdin => devloop_config::ConfigSource::Text { name: "<stdin>".to_owned(), text: stdin()? },
    };
    let cwd = std::env::current_dir()
        .map_err(|error| Diagnostic::error("cli/no-directory", "the working directory cannot be used").because(error.to_string()))?;
    let mut options = Options::new(settings.command.acts_as(), cwd, env.clone());
    options.profiles.clone_from(&settings.config.profiles);
    options.profile_auto_activation = settings.config.profile_auto_activation;
    options.propagate_profiles = settings.config.propagate_profiles;
    options.modules.clone_from(&settings.config.modules);
    options.tag.clone_from(&settings.build.tag);
    options.skip_tests = settings.build.skip_tests;
    options.platforms.clone_from(&settings.build.platforms);
    options.kube_context_is_forced = settings.target.context.is_some();
    Ok((source, options))
}

/// Returns all of standard input.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn stdin() -> Result<String, Diagnostic> {
    let mut text = String::new();
    match std::io::stdin().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Diagnostic::error("cli/no-input", "standard input cannot be read").because(error.to_string())),
    }
}

impl Session {
    /// Returns a session of what the command line and the configuration say.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn open(settings: Settings, env: Env, repos: Repos) -> Result<Self, Vec<Diagnostic>> {
        let (source, options) = config_options(&settings, &env).map_err(|diagnostic| vec![diagnostic])?;
        let mut plan = devloop_config::load(&source, &options, &repos).map_err(|error| error.diagnostics)?;
        keep_wanted(&mut plan.artifacts, &settings.build.only);
        if let Some(file) = &settings.deploy.resource_rules {
            resource_rules::read(file, &mut plan.resource_selector).map_err(|diagnostic| vec![diagnostic])?;
        }
        let context = settings.target.context.clone().or_else(|| plan.deploy.kube_context.clone());
        settle_contexts(&mut plan, context.as_deref(), settings.target.context.is_some());
        let machine = GlobalConfig::load(&env, settings.config.global.as_deref())?
            .for_context(context.as_deref().or(options.kube_context.as_deref()).unwrap_or_default());
        let kube = KubeSettings { kubeconfig: settings.target.kubeconfig.clone(), context, env: env.clone() };
        let insecure_registries = insecure_registries(&settings, &plan, &machine);
        let clients = Clients::new(ClientSettings {
            env: env.clone(),
            insecure_registries,
            kube,
            minikube_profile: settings.target.minikube_profile.clone(),
            detect_minikube: settings.target.detect_minikube,
            without_cluster: is_without_cluster(&settings.command, &plan),
        });
        Ok(Self { settings, env, source, repos, options, plan, machine, clients, began: Timestamp::now() })
    }

    /// Returns the registries that are spoken to without TLS.
    pub(crate) fn insecure_registries(&self) -> Vec<String> {
        insecure_registries(&self.settings, &self.plan, &self.machine)
    }

    /// Returns the artifacts as the stages take them.
    pub(crate) fn artifacts(&self) -> Vec<Arc<Artifact>> {
        self.plan.artifacts.iter().cloned().map(Arc::new).collect()
    }

    /// Returns whether the command needs no cluster for this configuration.
    pub(crate) fn is_without_cluster(&self) -> bool {
        is_without_cluster(&self.settings.command, &self.plan)
    }

    /// Returns a context for what is asked before the loop starts; it reports nothing.
    pub(crate) fn cx(&self, cancel: &CancellationToken) -> Cx {
        Cx::new(StepId::of(Stage::Prepare), self.env.clone(), EventSink::none(), cancel.child_token())
    }
}

fn is_without_cluster(command: &CommandSettings, plan: &Plan) -> bool {
    let in_cluster = |groups: &[TaskGroup], wanted: Option<&str>| {
        groups.iter().any(|group| group.needs_cluster() && wanted.is_none_or(|name| group.name == name))
    };
    match command {
        CommandSettings::Apply { .. } => false,
        CommandSettings::Verify(_) => !in_cluster(&plan.verify, None),
        CommandSettings::Exec { action, .. } => !in_cluster(&plan.custom_actions, Some(action)),
        _ => plan.needs_no_cluster(),
    }
}

/// Leaves only the contexts that are not the session's: `--kube-context` is that of all modules.
fn settle_contexts(plan: &mut Plan, own: Option<&str>, is_forced: bool) {
    let contexts = plan.modules.iter_mut().map(|module| &mut module.deploy.context);
    for context in contexts.chain(plan.port_forward.iter_mut().map(|forward| &mut forward.context)) {
        context.take_if(|context| is_forced || own == Some(context.as_str()));
    }
}

/// Keeps the artifacts whose name has one of `wanted` in it (`--build-image`), and what they require.
fn keep_wanted(artifacts: &mut Vec<Artifact>, wanted: &[String]) {
    if wanted.is_empty() {
        return;
    }
    let mut keep: Vec<devloop_model::ImageName> = Vec::new();
    let mut next: Vec<devloop_model::ImageName> =
        artifacts.iter().map(|a| a.image.clone()).filter(|image| wanted.iter().any(|part| image.as_str().contains(part))).collect();
    while let Some(image) = next.pop() {
        if !keep.contains(&image) {
            let requires = artifacts.iter().filter(|a| a.image == image).flat_map(|a| &a.requires);
            next.extend(requires.map(|requirement| requirement.image.clone()));
            keep.push(image);
        }
    }
    artifacts.retain(|artifact| keep.contains(&artifact.image));
}

fn insecure_registries(settings: &Settings, plan: &Plan, machine: &ContextSettings) -> Vec<String> {
    let all = [&settings.build.insecure_registries, &plan.build.insecure_registries, &machine.insecure_registries];
    all.into_iter().flatten().cloned().collect()
}

/// Returns the values that must never be shown: what builds get as secrets.
pub(crate) fn secrets(plan: &Plan, env: &Env) -> Vec<String> {
    let of_build = plan.artifacts.iter().filter_map(|artifact| artifact.builder.dockerfile()).flat_map(|docker| &docker.secrets);
    of_build
        .filter_map(|secret| match &secret.source {
            SecretSource::Env(name) => env.get(name).map(str::to_owned),
            // One that cannot be read fails its build, with a better message than here.
            SecretSource::File(path) => std::fs::read_to_string(path).ok(),
        })
        .collect()
}
