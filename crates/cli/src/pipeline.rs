//! From a session to the stages: each stage's spec, the target, and the loop with its reporter.

mod deployers;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_attach::AttachSpec;
use devloop_attach::ForwardModes;
use devloop_attach::ForwardSpec;
use devloop_attach::LogSpec;
use devloop_build::BuildOptions;
use devloop_build::BuilderOptions;
use devloop_deploy::ReadySpec;
use devloop_deploy::task::TaskJob;
use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_engine::Leaving;
use devloop_engine::LiveStages;
use devloop_engine::Pruning;
use devloop_engine::Specs;
use devloop_ide::Program;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Change;
use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::HookSettings;
use devloop_model::Module;
use devloop_model::PlannedArtifact;
use devloop_model::PortForward;
use devloop_model::Stage;
use devloop_model::Target;
use devloop_model::Vars;
use devloop_render::DebugSpec;
use devloop_render::RenderJob;
use devloop_ui::Redactor;
use devloop_ui::Reporter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::platforms;
use crate::programs;
use crate::session::Session;
use crate::settings::CommandSettings;
use crate::settings::Settings;

/// Where Skaffold's images with debuggers are (`pkg/skaffold/constants/constants.go`).
const DEBUG_HELPERS: &str = "gcr.io/k8s-skaffold/skaffold-debug-support";

/// Tells whether a module has something.
type Has = fn(&Module) -> bool;

/// Objects that a session knows to be in the cluster.
pub(crate) type Standing = Arc<Mutex<BTreeSet<String>>>;

/// A session whose target is known: what the loop runs on.
pub(crate) struct Pipeline {
    pub(crate) session: Session,
    pub(crate) target: Target,
    /// Targets of modules that name another Kubernetes context, by its name.
    pub(crate) elsewhere: BTreeMap<String, Target>,
    pub(crate) cancel: CancellationToken,
    /// Knows what must never be shown, wherever it is shown.
    pub(crate) redactor: Redactor,
    /// What is in the cluster because of this session, to be said where it is left behind.
    pub(crate) standing: Standing,
}

impl Pipeline {
    /// Returns what the stages are given.
    pub(crate) fn specs(&self, images: ImageSource) -> Specs {
        let debugged = self.debugged();
        Specs {
            env: self.session.env.clone(),
            artifacts: self.session.artifacts(),
            tests: self.session.plan.tests.iter().cloned().map(Arc::new).collect(),
            images,
            build: self.build_options(),
            builds: self.session.plan.modules.iter().map(|module| module.build.clone()).collect(),
            session: uuid::Uuid::new_v4().to_string(),
            builds_skipped_by: None,
            pruning: self.pruning(),
            load_given: false,
            render: self.render_job(&debugged),
            deploy: self.deploy_groups(),
            checks_status: self.checks_status(),
            ready: self.ready_spec(),
            attach: self.attach_spec(&debugged),
            elsewhere: self.elsewhere.iter().map(|(context, target)| (context.clone(), target.namespace.clone())).collect(),
            tasks: TaskJob::default(),
            delete_dry_run: false,
            config_files: self.config_files(),
            watched: match &self.session.settings.command {
                CommandSettings::Dev(dev) => dev.watched.clone(),
                _ => Vec::new(),
            },
        }
    }

    /// Returns what artifacts are, where they are debugged. What is wrong with a Dockerfile is told by its build.
    fn debugged(&self) -> Vec<Program> {
        let debugs = self.session.settings.command.debugs();
        if debugs { programs::programs(&self.session, &self.build_options(), Path::new("/")).0 } else { Vec::new() }
    }

    /// A session that watches builds images again and again; what is built once is what the user wants.
    fn pruning(&self) -> Option<Pruning> {
        let CommandSettings::Dev(dev) = &self.session.settings.command else { return None };
        let after = if self.checks_status() { Stage::StatusCheck } else { Stage::Deploy };
        dev.prune.then_some(Pruning { parents: dev.prune_children, after })
    }

    fn attach_spec(&self, debugged: &[Program]) -> AttachSpec {
        let Session { settings, plan, env, .. } = &self.session;
        // What pods of an earlier run said is not of this one.
        let logs = settings.command.follows_logs().then(|| LogSpec { since: Some(self.session.began.to_string()) });
        // The container daemon publishes the ports of its containers by itself.
        let publishes = plan.modules.iter().any(|module| module.deploy.docker.is_some());
        let of_pods = |entry: &&PortForward| !(publishes && entry.is_of_container());
        let debugs = settings.command.debugs();
        let forwards = ForwardSpec {
            modes: settings.deploy.forward,
            debuggers: programs::debugger_ports(debugged),
            entries: plan.port_forward.iter().filter(of_pods).cloned().collect(),
            namespace: self.target.namespace.clone(),
            vars: Vars::from_env(env),
            asks: !debugs,
        };
        AttachSpec { logs, forwards, debugs }
    }

    /// Returns whether there is something to do once everything is deployed, until the user has enough.
    pub(crate) fn attaches(&self) -> bool {
        let Settings { command, deploy, .. } = &self.session.settings;
        command.follows_logs() || deploy.forward != ForwardModes::default()
    }

    /// Returns the files whose change means another plan, those that are not there included.
    fn config_files(&self) -> Vec<PathBuf> {
        let files = self.session.plan.files.iter().cloned().chain(["skaffold.env".into()]);
        files.filter_map(|file| std::path::absolute(file).ok()).collect()
    }

    /// Returns how images are built.
    pub(crate) fn build_options(&self) -> BuildOptions {
        let Session { settings, plan, .. } = &self.session;
        let mut build = plan.build.clone();
        build.concurrency = settings.build.concurrency.or(build.concurrency);
        BuildOptions {
            target: Target { node_platforms: platforms::of_nodes(&self.session, &self.target), ..self.target.clone() },
            settings: build,
            // Those of the artifacts are settled.
            platforms: Vec::new(),
            push: settings.build.push,
            tag: settings.build.tag.clone(),
            cache_artifacts: settings.build.cache,
            skips_tests: settings.build.skip_tests,
            fresh: BTreeSet::new(),
            builder: self.builder_options(),
            cache_dir: settings.build.cache_dir.clone(),
            hooks: self.hook_settings(),
            working_dir: working_dir(),
            mode: settings.command.acts_as().to_owned(),
            now: devloop_build::now(),
        }
    }

    fn builder_options(&self) -> BuilderOptions {
        let Session { settings, machine, .. } = &self.session;
        let in_default_repo = || Some(format!("{}/devloop-builder:{}", self.target.default_repo.as_ref()?, env!("CARGO_PKG_VERSION")));
        BuilderOptions {
            image: settings.build.builder_image.clone().or_else(|| machine.builder_image.clone()).or_else(in_default_repo),
            image_is_forced: settings.build.builder_image.is_some(),
            idle: settings.build.builder_idle,
            insecure: self.session.insecure_registries(),
        }
    }

    /// Returns what holds for every hook. Source of the variables: Skaffold's `pkg/skaffold/hooks/env.go`.
    fn hook_settings(&self) -> HookSettings {
        let Settings { config, api, .. } = &self.session.settings;
        let all = [
            ("DEFAULT_REPO", self.target.default_repo.clone()),
            ("MULTI_LEVEL_REPO", Some(self.target.multi_level_repo.to_string())),
            ("HTTP_PORT", api.port.map(|port| port.to_string())),
            ("WORK_DIR", Some(working_dir().display().to_string())),
        ];
        let variables = all.into_iter().filter_map(|(name, value)| Some((format!("SKAFFOLD_{name}"), value?)));
        HookSettings { variables: variables.collect(), limit: config.hook_timeout }
    }

    fn render_job(&self, debugged: &[Program]) -> RenderJob {
        let Session { settings, plan, env, .. } = &self.session;
        RenderJob {
            modules: plan.modules.iter().map(|module| module.render.clone()).collect(),
            debug: self.debug_spec(debugged),
            placement: platforms::placement(&self.session, &self.target),
            labels: settings.deploy.labels.iter().cloned().collect(),
            namespace: self.target.namespace_is_forced.then(|| self.target.namespace.clone()),
            resource_selector: plan.resource_selector.clone(),
            kubeconfig: settings.target.kubeconfig.clone(),
            hooks: self.hook_settings(),
            context: self.target.context.clone(),
            hook_namespace: self.target.namespace.clone(),
            vars: Vars::from_env(env),
            helm: self.helm_settings(&self.target),
            ..RenderJob::default()
        }
    }

    /// Returns how containers are debugged, but for their images; none runs them as they are.
    fn debug_spec(&self, debugged: &[Program]) -> Option<DebugSpec> {
        let debug = self.session.settings.command.debug()?;
        let helpers = debug.helpers.as_ref().or(self.session.machine.debug_helpers_registry.as_ref());
        Some(DebugSpec {
            protocols: debug.protocols.clone(),
            helpers: helpers.map_or(DEBUG_HELPERS, String::as_str).trim_end_matches('/').to_owned(),
            images: Vec::new(),
            sources: programs::runtimes(debugged),
        })
    }

    fn ready_spec(&self) -> ReadySpec {
        let Session { settings, plan, .. } = &self.session;
        let default = ReadySpec::default();
        ReadySpec {
            deadline: plan.deploy.status_check_deadline.unwrap_or(default.deadline),
            tolerate_failures_until_deadline: settings.deploy.tolerate_failures || plan.deploy.tolerate_failures_until_deadline,
            fast_fail: settings.deploy.fail_fast,
            ..default
        }
    }

    /// Returns whether a deploy is waited for.
    pub(crate) fn checks_status(&self) -> bool {
        self.session.settings.deploy.status_check.or(self.session.plan.deploy.status_check).unwrap_or(true)
    }

    /// Runs the loop to `goal` and returns how it ended, with the stages for what they made.
    pub(crate) async fn run(&self, goal: Goal, images: ImageSource, reporter: &Mutex<Reporter>) -> (Ended, LiveStages) {
        self.run_with(goal, images, reporter, |_| {}).await
    }

    /// The same, after `change` had a look at the specs; images that are given to be tested are said to be there.
    pub(crate) async fn run_with(
        &self,
        goal: Goal,
        images: ImageSource,
        reporter: &Mutex<Reporter>,
        change: impl FnOnce(&mut Specs),
    ) -> (Ended, LiveStages) {
        let given = match &images {
            ImageSource::Given(given) if goal == Goal::test() => given.clone(),
            _ => Vec::new(),
        };
        let mut specs = self.specs(images);
        change(&mut specs);
        let stages = Arc::new(LiveStages::new(specs, self.session.clients.clone()));
        let mut report = self.reporting(reporter);
        let session = devloop_engine::Session {
            goal,
            stages: Arc::clone(&stages) as _,
            opening: self.opening().into_iter().chain(given.into_iter().map(|image| EventKind::ImageReady { image })).collect(),
            // Nothing wakes what is done once.
            wakes: mpsc::channel(1).1,
            leaving: Leaving::default(),
            report: &mut report,
            cancel: self.cancel.clone(),
        };
        let ended = session.run().await;
        // Every step has ended: nothing else holds the stages.
        let stages = Arc::into_inner(stages).expect("no step outlives the session");
        (ended, stages)
    }

    /// Returns what is told every event.
    pub(crate) fn reporting<'a>(&'a self, reporter: &'a Mutex<Reporter>) -> impl FnMut(&Event) + Send + 'a {
        |event| {
            if let EventKind::ObjectChanged { object, change, .. } = &event.fact {
                let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
                match change {
                    Change::Pruned | Change::Deleted => standing.remove(&object.to_string()),
                    Change::Created | Change::Configured | Change::Unchanged => standing.insert(object.to_string()),
                    Change::Deletable => false,
                };
            }
            reporter.lock().unwrap_or_else(PoisonError::into_inner).report(event);
        }
    }

    /// Returns how many modules have what each name stands for, where any has.
    fn count(&self, kinds: &[(&str, Has)]) -> BTreeMap<String, usize> {
        let counted = |has: &Has| self.session.plan.modules.iter().filter(|module| has(module)).count();
        kinds.iter().map(|(name, has)| ((*name).to_owned(), counted(has))).filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn opening(&self) -> Vec<EventKind> {
        let command = self.session.settings.command.name().to_owned();
        let started = EventKind::SessionStarted { version: env!("CARGO_PKG_VERSION").to_owned(), command };
        [started].into_iter().chain(self.loaded()).collect()
    }

    /// Returns what is to be said of the plan.
    pub(crate) fn loaded(&self) -> Vec<EventKind> {
        let Session { plan, .. } = &self.session;
        let here = working_dir();
        let loaded = EventKind::PlanLoaded {
            artifacts: plan.artifacts.iter().map(|artifact| planned(artifact, &here)).collect(),
            renderers: self.count(&[
                ("rawYaml", |module| module.render.has_manifests()),
                ("kustomize", |module| module.render.kustomize.is_some()),
                ("helm", |module| !module.render.helm.is_empty()),
            ]),
            deployers: self.count(&[
                ("kubectl", |module| module.deploy.kubectl.is_some()),
                ("helm", |module| module.deploy.helm.is_some()),
                ("docker", |module| module.deploy.docker.is_some()),
            ]),
            profiles: plan.profiles.clone(),
            context: self.target.context.clone(),
            namespace: Some(self.target.namespace.clone()),
        };
        let warned = plan.warnings.iter().map(|diagnostic| EventKind::Warned { diagnostic: diagnostic.clone() });
        [loaded].into_iter().chain(warned).collect()
    }
}

fn working_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Returns what is said of an artifact, its context relative to `here`.
fn planned(artifact: &Artifact, here: &Path) -> PlannedArtifact {
    let (builder, dockerfile) = match &artifact.builder {
        Builder::Docker(docker) => ("docker", Some(docker.dockerfile.display().to_string())),
        Builder::Kaniko(kaniko) => ("kaniko", Some(kaniko.dockerfile.dockerfile.display().to_string())),
        Builder::Ko(_) => ("ko", None),
        Builder::Jib(_) => ("jib", None),
        Builder::Bazel(_) => ("bazel", None),
        Builder::Buildpacks(_) => ("buildpacks", None),
        Builder::Custom(_) => ("custom", None),
    };
    let context = artifact.context.strip_prefix(here).unwrap_or(&artifact.context).display().to_string();
    PlannedArtifact {
        image: artifact.image.clone(),
        builder: builder.to_owned(),
        context: if context.is_empty() { ".".to_owned() } else { context },
        dockerfile,
    }
}

/// Returns an error for images that the command line cannot mean.
pub(crate) fn images_error(what: impl Into<String>, help: &str) -> Diagnostic {
    Diagnostic::error("cli/images", what).help(help)
}
