//! What each module deploys with, as the deployers take it.

use devloop_clients::helm::HelmSettings;
use devloop_deploy::DeployJob;
use devloop_deploy::HelmJob;
use devloop_deploy::WaitForDeletions;
use devloop_deploy::docker;
use devloop_deploy::docker::DockerJob;
use devloop_engine::DeployGroup;
use devloop_engine::Deployer;
use devloop_model::DockerDeploy;
use devloop_model::HelmDeploy;
use devloop_model::Hooks;
use devloop_model::KubectlDeploy;
use devloop_model::Module;
use devloop_model::Target;
use devloop_model::Vars;

use super::Pipeline;
use super::working_dir;
use crate::session::Session;
use crate::settings::CommandSettings;

impl Pipeline {
    /// Returns what helm is told of the session.
    pub(super) fn helm_settings(&self, target: &Target) -> HelmSettings {
        let Session { settings, env, .. } = &self.session;
        HelmSettings {
            kubeconfig: settings.target.kubeconfig.clone(),
            context: target.context.clone(),
            namespace: target.namespace.clone(),
            namespace_is_forced: target.namespace_is_forced,
            // What `render` prints is what helm says.
            writes_namespace: settings.command.name() != "render",
            cache_dir: settings.build.cache_dir.clone(),
            vars: Vars::from_env(env),
        }
    }

    /// Returns the names of what this session deploys: its inventories, else its modules where nothing is deployed.
    pub(crate) fn releases(&self) -> Vec<String> {
        let mut names: Vec<String> = self.deploy_groups().iter().map(|group| group.deployer.inventory().to_owned()).collect();
        names.dedup();
        if names.is_empty() {
            (0..self.session.plan.modules.len()).map(|index| identity(&self.session.plan.modules, index)).collect()
        } else {
            names
        }
    }

    /// Returns the modules that deploy, each with an inventory of its own: what `--module` leaves out is none of its business.
    ///
    /// The order of deployers is that of Skaffold's `pkg/skaffold/runner/deployer.go`.
    pub(super) fn deploy_groups(&self) -> Vec<DeployGroup> {
        let of_module = |(index, module): (usize, &Module)| {
            let spec = &module.deploy;
            let helm = spec.helm.as_ref().map(|helm| (Deployer::Helm(Box::new(self.helm_job(index, helm))), helm.hooks.clone()));
            let kubectl = spec.kubectl.as_ref();
            let kubectl = kubectl.map(|kubectl| (Deployer::Kubectl(Box::new(self.kubectl_job(index, kubectl))), kubectl.hooks.clone()));
            let docker = spec.docker.as_ref();
            let docker = docker.map(|docker| (Deployer::Docker(Box::new(self.docker_job(index, docker))), Hooks::default()));
            let all = [helm, kubectl, docker].into_iter().flatten();
            let group = |(deployer, hooks): (Deployer, Hooks)| {
                let context = spec.context.clone().filter(|_| deployer.needs_cluster());
                DeployGroup { modules: index..index + 1, context, deployer, hooks }
            };
            all.map(group).collect::<Vec<_>>()
        };
        self.session.plan.modules.iter().enumerate().flat_map(of_module).collect()
    }

    /// Returns how manifests are applied that are rendered already: what was applied before and is not among them stays.
    pub(crate) fn apply_group(&self) -> DeployGroup {
        let written = self.session.plan.modules.iter().find_map(|module| module.deploy.kubectl.clone()).unwrap_or_default();
        let job = DeployJob { prune: false, target: self.target.clone(), ..self.kubectl_job(0, &written) };
        DeployGroup { modules: 0..1, context: None, deployer: Deployer::Kubectl(Box::new(job)), hooks: Hooks::default() }
    }

    /// Returns where a module deploys to.
    fn target_of(&self, index: usize) -> &Target {
        let context = self.session.plan.modules.get(index).and_then(|module| module.deploy.context.as_ref());
        context.and_then(|context| self.elsewhere.get(context)).unwrap_or(&self.target)
    }

    fn docker_job(&self, index: usize, docker: &DockerDeploy) -> DockerJob {
        let Session { settings, plan, .. } = &self.session;
        let forward = settings.deploy.forward;
        DockerJob {
            docker: docker.clone(),
            // Many projects share one daemon, and nothing keeps apart those of one name.
            inventory: place(&plan.modules, index),
            network: self.network(),
            forwards: plan.port_forward.iter().filter(|entry| entry.is_of_container()).cloned().collect(),
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
        let here = working_dir();
        let file = match &self.session.source {
            devloop_config::ConfigSource::Text { .. } => None,
            _ => self.session.plan.files.first(),
        };
        file.map_or_else(|| here.join("-"), |file| here.join(file)).display().to_string()
    }

    fn kubectl_job(&self, index: usize, kubectl: &KubectlDeploy) -> DeployJob {
        DeployJob {
            kubectl: kubectl.clone(),
            target: self.target_of(index).clone(),
            kubeconfig: self.session.settings.target.kubeconfig.clone(),
            inventory: identity(&self.session.plan.modules, index),
            force: self.session.settings.deploy.force,
            prune: true,
            may_be_empty: self
                .session
                .plan
                .modules
                .get(index)
                .is_some_and(|module| module.render.raw_yaml.iter().any(|entry| entry.may_match_nothing)),
            passing: self.passes(),
            wait_for_deletions: self.wait_for_deletions(),
        }
    }

    fn helm_job(&self, index: usize, helm: &HelmDeploy) -> HelmJob {
        HelmJob {
            deploy: helm.clone(),
            settings: self.helm_settings(self.target_of(index)),
            labels: self.session.settings.deploy.labels.iter().cloned().collect(),
            debugs: self.session.settings.command.debugs(),
            inventory: identity(&self.session.plan.modules, index),
            force: self.session.settings.deploy.force,
            prune: true,
            passing: self.passes(),
            wait_for_deletions: self.wait_for_deletions(),
        }
    }

    /// Returns whether what this session creates goes when it ends.
    fn passes(&self) -> bool {
        matches!(&self.session.settings.command, CommandSettings::Dev(dev) if dev.clean_up)
    }

    fn wait_for_deletions(&self) -> WaitForDeletions {
        let wait = self.session.settings.deploy.wait_for_deletions;
        WaitForDeletions { enabled: wait.is_some(), max: wait.unwrap_or_default() }
    }
}

/// Returns where a configuration stands on this machine: its file, and which of those in it.
fn place(modules: &[Module], index: usize) -> String {
    place_among(modules, index, |_| true)
}

/// Returns what names a configuration at each of its runs: its name, else where its file is, and which of those without a name it
/// is there: two that shared an inventory would prune one another.
fn identity(modules: &[Module], index: usize) -> String {
    modules[index].name.clone().unwrap_or_else(|| place_among(modules, index, |module| module.name.is_none()))
}

/// Returns the file of a configuration, with its number among those in it that count.
fn place_among(modules: &[Module], index: usize, counts: fn(&Module) -> bool) -> String {
    let module = &modules[index];
    let file = std::path::absolute(&module.file).unwrap_or_else(|_| module.file.clone());
    match modules[..index].iter().filter(|before| counts(before) && before.file == module.file).count() {
        0 => file.display().to_string(),
        before => format!("{}#{}", file.display(), before + 1),
    }
}
