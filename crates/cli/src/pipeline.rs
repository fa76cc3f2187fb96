//! From a session to the stages: each stage's spec, the target, and the loop with its reporter.

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
use devloop_deploy::DeployJob;
use devloop_deploy::ReadySpec;
use devloop_deploy::WaitForDeletions;
use devloop_deploy::docker;
use devloop_deploy::docker::DockerJob;
use devloop_deploy::task::TaskJob;
use devloop_engine::DeployGroup;
use devloop_engine::Deployer;
use devloop_engine::Ended;
use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_engine::Leaving;
use devloop_engine::LiveStages;
use devloop_engine::Pruning;
use devloop_engine::Specs;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Change;
use devloop_model::Diagnostic;
use devloop_model::DockerDeploy;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::KubectlDeploy;
use devloop_model::Module;
use devloop_model::PlannedArtifact;
use devloop_model::PortForward;
use devloop_model::Stage;
use devloop_model::Target;
use devloop_model::Vars;
use devloop_render::RenderJob;
use devloop_ui::Redactor;
use devloop_ui::Reporter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::session::Session;
use crate::settings::CommandSettings;
use crate::settings::Settings;

/// Objects that a session knows to be in the cluster.
pub(crate) type Standing = Arc<Mutex<BTreeSet<String>>>;

/// A session whose target is known: what the loop runs on.
pub(crate) struct Pipeline {
    pub(crate) session: Session,
    pub(crate) target: Target,
    pub(crate) cancel: CancellationToken,
    /// Knows what must never be shown, wherever it is shown.
    pub(crate) redactor: Redactor,
    /// What is in the cluster because of this session, to be said where it is left behind.
    pub(crate) standing: Standing,
}

impl Pipeline {
    /// Returns what the stages are given.
    pub(crate) fn specs(&self, images: ImageSource) -> Specs {
        Specs {
            env: self.session.env.clone(),
            artifacts: self.session.artifacts(),
            images,
            build: self.build_options(),
            builds_skipped_by: None,
            pruning: self.pruning(),
            load_given: false,
            render: self.render_job(),
            deploy: self.deploy_groups(),
            ready: self.ready_spec(),
            attach: self.attach_spec(),
            tasks: TaskJob::default(),
            delete_dry_run: false,
            config_files: self.config_files(),
            watched: match &self.session.settings.command {
                CommandSettings::Dev(dev) => dev.watched.clone(),
                _ => Vec::new(),
            },
        }
    }

    /// A session that watches builds images again and again; what is built once is what the user wants.
    fn pruning(&self) -> Option<Pruning> {
        let CommandSettings::Dev(dev) = &self.session.settings.command else { return None };
        let after = if self.checks_status() { Stage::StatusCheck } else { Stage::Deploy };
        dev.prune.then_some(Pruning { parents: dev.prune_children, after })
    }

    fn attach_spec(&self) -> AttachSpec {
        let Session { settings, plan, env, .. } = &self.session;
        // What pods of an earlier run said is not of this one.
        let logs = settings.command.follows_logs().then(|| LogSpec { since: Some(self.session.began.to_string()) });
        // The container daemon publishes the ports of its containers by itself.
        let publishes = plan.modules.iter().any(|module| module.deploy.docker.is_some());
        let of_pods = |entry: &&PortForward| !(publishes && is_of_container(entry));
        let forwards = ForwardSpec {
            modes: settings.deploy.forward,
            entries: plan.port_forward.iter().filter(of_pods).cloned().collect(),
            namespace: self.target.namespace.clone(),
            vars: Vars::from_env(env),
        };
        AttachSpec { logs, forwards }
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
            target: self.target.clone(),
            settings: build,
            platforms: settings.build.platforms.clone(),
            push: settings.build.push,
            tag: settings.build.tag.clone(),
            cache_artifacts: settings.build.cache,
            fresh: BTreeSet::new(),
            cache_dir: settings.build.cache_dir.clone(),
            working_dir: std::env::current_dir().unwrap_or_default(),
            mode: settings.command.acts_as().to_owned(),
            now: devloop_build::now(),
        }
    }

    fn render_job(&self) -> RenderJob {
        let Session { settings, plan, env, .. } = &self.session;
        RenderJob {
            modules: plan.modules.iter().map(|module| module.render.clone()).collect(),
            labels: settings.deploy.labels.iter().cloned().collect(),
            namespace: self.target.namespace_is_forced.then(|| self.target.namespace.clone()),
            resource_selector: plan.resource_selector.clone(),
            kubeconfig: settings.target.kubeconfig.clone(),
            vars: Vars::from_env(env),
            ..RenderJob::default()
        }
    }

    /// Returns the names of what this session deploys: its inventories, else its modules where nothing is deployed.
    pub(crate) fn releases(&self) -> Vec<String> {
        let groups: Vec<String> = self.deploy_groups().iter().map(|group| group.deployer.inventory().to_owned()).collect();
        if groups.is_empty() {
            (0..self.session.plan.modules.len()).map(|index| identity(&self.session.plan.modules, index)).collect()
        } else {
            groups
        }
    }

    /// Returns the modules that deploy, each with an inventory of its own: what `--module` leaves out is none of its business.
    fn deploy_groups(&self) -> Vec<DeployGroup> {
        let of_module = |(index, module): (usize, &Module)| {
            let kubectl = module.deploy.kubectl.as_ref().map(|kubectl| Deployer::Kubectl(Box::new(self.kubectl_job(index, kubectl))));
            let docker = module.deploy.docker.as_ref().map(|docker| Deployer::Docker(Box::new(self.docker_job(index, docker))));
            [kubectl, docker].into_iter().flatten().map(move |deployer| DeployGroup { modules: index..index + 1, deployer })
        };
        self.session.plan.modules.iter().enumerate().flat_map(of_module).collect()
    }

    fn docker_job(&self, index: usize, docker: &DockerDeploy) -> DockerJob {
        let Session { settings, plan, .. } = &self.session;
        let forward = settings.deploy.forward;
        DockerJob {
            docker: docker.clone(),
            // Many projects share one daemon, and nothing keeps apart those of one name.
            inventory: place(&plan.modules, index),
            network: self.network(),
            forwards: plan.port_forward.iter().filter(|entry| is_of_container(entry)).cloned().collect(),
            publishes_exposed: forward.pods || forward.services,
            passing: self.passes(),
        }
    }

    /// Returns the name of the network that the project's containers share.
    pub(crate) fn network(&self) -> String {
        docker::network_name(&self.root())
    }

    /// Returns the file that the session was started with, or the folder where that is standard input.
    fn root(&self) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let file = match &self.session.source {
            devloop_config::ConfigSource::Text { .. } => None,
            _ => self.session.plan.files.first(),
        };
        file.map_or_else(|| here.join("-"), |file| here.join(file)).display().to_string()
    }

    /// Returns whether what is created goes when the session ends.
    fn passes(&self) -> bool {
        matches!(&self.session.settings.command, CommandSettings::Dev(dev) if dev.clean_up)
    }

    fn kubectl_job(&self, index: usize, kubectl: &KubectlDeploy) -> DeployJob {
        let deploy = &self.session.settings.deploy;
        let wait = deploy.wait_for_deletions;
        DeployJob {
            kubectl: kubectl.clone(),
            target: self.target.clone(),
            kubeconfig: self.session.settings.target.kubeconfig.clone(),
            inventory: identity(&self.session.plan.modules, index),
            force: deploy.force,
            prune: true,
            passing: self.passes(),
            wait_for_deletions: WaitForDeletions { enabled: wait.is_some(), max: wait.unwrap_or_default() },
        }
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

    /// The same, after `change` had a look at the specs.
    pub(crate) async fn run_with(
        &self,
        goal: Goal,
        images: ImageSource,
        reporter: &Mutex<Reporter>,
        change: impl FnOnce(&mut Specs),
    ) -> (Ended, LiveStages) {
        let mut specs = self.specs(images);
        change(&mut specs);
        let stages = Arc::new(LiveStages::new(specs, self.session.clients.clone()));
        let mut report = self.reporting(reporter);
        let session = devloop_engine::Session {
            goal,
            stages: Arc::clone(&stages) as _,
            opening: self.opening(),
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
            if let EventKind::ObjectChanged { object, change } = &event.fact {
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

    pub(crate) fn opening(&self) -> Vec<EventKind> {
        let command = self.session.settings.command.name().to_owned();
        let started = EventKind::SessionStarted { version: env!("CARGO_PKG_VERSION").to_owned(), command };
        [started].into_iter().chain(self.loaded()).collect()
    }

    /// Returns what is to be said of the plan.
    pub(crate) fn loaded(&self) -> Vec<EventKind> {
        let Session { plan, .. } = &self.session;
        let here = std::env::current_dir().unwrap_or_default();
        let loaded = EventKind::PlanLoaded {
            artifacts: plan.artifacts.iter().map(|artifact| planned(artifact, &here)).collect(),
            renderers: counted("rawYaml", plan.modules.iter().filter(|module| module.render.has_manifests()).count()),
            deployers: deployers(&plan.modules),
            profiles: plan.profiles.clone(),
            context: self.target.context.clone(),
            namespace: Some(self.target.namespace.clone()),
        };
        let warned = plan.warnings.iter().map(|diagnostic| EventKind::Warned { diagnostic: diagnostic.clone() });
        [loaded].into_iter().chain(warned).collect()
    }
}

/// Returns what is said of an artifact, its context relative to `here`.
fn planned(artifact: &Artifact, here: &Path) -> PlannedArtifact {
    let (builder, dockerfile) = match &artifact.builder {
        Builder::Docker(docker) => ("docker", Some(docker.dockerfile.display().to_string())),
        Builder::Ko(_) => ("ko", None),
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

fn counted(name: &str, count: usize) -> BTreeMap<String, usize> {
    (count > 0).then(|| (name.to_owned(), count)).into_iter().collect()
}

/// Returns how many modules deploy with each deployer.
fn deployers(modules: &[Module]) -> BTreeMap<String, usize> {
    let count = |uses: fn(&Module) -> bool| modules.iter().filter(|module| uses(module)).count();
    let mut deployers = counted("kubectl", count(|module| module.deploy.kubectl.is_some()));
    deployers.extend(counted("docker", count(|module| module.deploy.docker.is_some())));
    deployers
}

fn is_of_container(entry: &PortForward) -> bool {
    entry.kind == "container"
}

/// Returns where a configuration stands on this machine: its file, and which of those in it.
fn place(modules: &[Module], index: usize) -> String {
    let module = &modules[index];
    let file = std::path::absolute(&module.file).unwrap_or_else(|_| module.file.clone());
    match modules[..index].iter().filter(|before| before.file == module.file).count() {
        0 => file.display().to_string(),
        before => format!("{}#{}", file.display(), before + 1),
    }
}

/// Returns what names a configuration at each of its runs: its name, else where its file is, and which of those without a name it
/// is there: two that shared an inventory would prune one another.
fn identity(modules: &[Module], index: usize) -> String {
    let module = &modules[index];
    if let Some(name) = &module.name {
        return name.clone();
    }
    let file = std::path::absolute(&module.file).unwrap_or_else(|_| module.file.clone());
    match modules[..index].iter().filter(|before| before.name.is_none() && before.file == module.file).count() {
        0 => file.display().to_string(),
        before => format!("{}#{}", file.display(), before + 1),
    }
}

/// Returns an error for images that the command line cannot mean.
pub(crate) fn images_error(what: impl Into<String>, help: &str) -> Diagnostic {
    Diagnostic::error("cli/images", what).help(help)
}
