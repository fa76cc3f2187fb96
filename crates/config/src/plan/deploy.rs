//! What is rendered and deployed, and how.

use std::time::Duration;

use devloop_model::DeploySettings;
use devloop_model::DeploySpec;
use devloop_model::KubectlDeploy;
use devloop_model::KustomizePath;
use devloop_model::KustomizeSpec;
use devloop_model::LogPrefix;
use devloop_model::LogSettings;
use devloop_model::RawManifests;
use devloop_model::RemoteManifest;
use devloop_model::RenderSpec;
use devloop_model::ResourceRule;
use devloop_model::ResourceSelector;

use super::convert::Converter;
use super::convert::set;
use crate::defaults;
use crate::loaded::Loaded;
use crate::schema;

impl Converter<'_> {
    /// Returns what the module renders.
    pub(super) fn render(&mut self) -> RenderSpec {
        let module = self.module;
        let patterns = module.config.manifests.raw_yaml.iter().enumerate();
        // Skaffold lets the default pattern match nothing, even where it is written out.
        let is_default = |pattern: &str| module.config.manifests.raw_yaml.len() == 1 && pattern == defaults::RAW_YAML;
        let raw_yaml = patterns.map(|(index, pattern)| {
            let pointer = format!("/manifests/rawYaml/{index}");
            let is_default = is_default(pattern);
            RawManifests {
                pattern: self.template(&pointer, pattern),
                may_match_nothing: is_default || module.module.is_remote,
                at: (!is_default).then(|| module.location(&pointer)),
            }
        });
        let raw_yaml = raw_yaml.collect();
        let kustomize = module.config.manifests.kustomize.as_ref().map(|kustomize| self.kustomize(kustomize));
        let (helm, hooks) = (self.helm_render(), self.render_hooks(&module.config.manifests.hooks));
        RenderSpec { dir: module.module.dir.clone(), raw_yaml, remote_manifests: remote_manifests(module), kustomize, helm, hooks }
    }

    fn kustomize(&mut self, kustomize: &schema::Kustomize) -> KustomizeSpec {
        let module = self.module;
        let paths = kustomize.paths.iter().enumerate().map(|(index, path)| {
            let pointer = format!("/manifests/kustomize/paths/{index}");
            KustomizePath { path: self.template(&pointer, path), at: Some(module.location(&pointer)) }
        });
        KustomizeSpec { paths: paths.collect(), build_args: kustomize.build_args.clone() }
    }

    /// Returns how the module deploys.
    pub(super) fn deploy(&mut self) -> DeploySpec {
        let module = self.module;
        let config = &module.config;
        let is_implied = config.deploy.cloudrun.is_none() && !config.manifests.raw_yaml.is_empty();
        let implied = is_implied.then(schema::KubectlDeploy::default);
        let kubectl = config.deploy.kubectl.as_ref().or(implied.as_ref()).map(|kubectl| KubectlDeploy {
            global_flags: kubectl.flags.global.clone(),
            apply_flags: kubectl.flags.apply.clone(),
            delete_flags: kubectl.flags.delete.clone(),
            disable_validation: kubectl.flags.disable_validation,
            default_namespace: kubectl
                .default_namespace
                .as_deref()
                .and_then(set)
                .map(|namespace| self.template("/deploy/kubectl/defaultNamespace", &namespace)),
            hooks: self.deploy_hooks(&kubectl.hooks),
        });
        DeploySpec { context: set(&config.deploy.kube_context), kubectl, helm: self.helm_deploy(), docker: self.docker_deploy() }
    }
}

fn remote_manifests(module: &Loaded) -> Vec<RemoteManifest> {
    let of = |index: usize, manifest: &str, kube_context, field: &str, rest: &str| RemoteManifest {
        manifest: manifest.to_owned(),
        kube_context,
        at: Some(module.location(&format!("/{}/{index}{rest}", field.replace('.', "/")))),
        field: field.to_owned(),
    };
    let listed = module
        .config
        .manifests
        .remote_manifests
        .iter()
        .enumerate()
        .map(|(index, remote)| of(index, &remote.manifest, set(&remote.kube_context), "manifests.remoteManifests", "/manifest"));
    let of_kubectl = module.config.deploy.kubectl.iter().flat_map(|kubectl| kubectl.remote_manifests.iter().enumerate());
    let of_kubectl = of_kubectl.map(|(index, manifest)| of(index, manifest, None, "deploy.kubectl.remoteManifests", ""));
    listed.chain(of_kubectl).collect()
}

/// Returns what holds for every deploy: the first module that says something, and the most patient one.
pub(super) fn settings(modules: &[Loaded]) -> DeploySettings {
    let mut settings = DeploySettings { kube_context: own_context(modules), ..DeploySettings::default() };
    let mut logs = None;
    for deploy in modules.iter().map(|module| &module.config.deploy) {
        settings.status_check = settings.status_check.or(deploy.status_check);
        let seconds = deploy.status_check_deadline_seconds.max(0).unsigned_abs();
        let deadline = (seconds > 0).then(|| Duration::from_secs(seconds));
        settings.status_check_deadline = settings.status_check_deadline.max(deadline);
        settings.tolerate_failures_until_deadline |= deploy.tolerate_failures_until_deadline;
        let own = log_settings(&deploy.logs);
        if logs.is_none() && own != LogSettings::default() {
            logs = Some(own);
        }
    }
    settings.logs = logs.unwrap_or_default();
    settings
}

/// Returns the context that all modules name which deploy anything; where they differ, each has its own, and the session the current one
/// (Skaffold's `pkg/skaffold/runner/deployer.go`).
fn own_context(modules: &[Loaded]) -> Option<String> {
    let deploys = |deploy: &&schema::DeployConfig| deploy.kubectl.is_some() || deploy.helm.is_some();
    let mut contexts = modules.iter().map(|module| &module.config.deploy).filter(deploys).map(|deploy| &deploy.kube_context);
    let first = contexts.next()?;
    contexts.all(|other| other == first).then(|| set(first)).flatten()
}

fn log_settings(logs: &schema::LogsConfig) -> LogSettings {
    let prefix = match logs.prefix.as_str() {
        "podAndContainer" => LogPrefix::PodAndContainer,
        "auto" => LogPrefix::Auto,
        "none" => LogPrefix::None,
        _ => LogPrefix::Container,
    };
    LogSettings { prefix, json_fields: logs.json_parse.fields.clone() }
}

/// Returns the rules of all modules.
pub(super) fn resource_selector(modules: &[Loaded]) -> ResourceSelector {
    let rules = |pick: fn(&schema::ResourceSelectorConfig) -> &[schema::ResourceFilter]| {
        let filters = modules.iter().flat_map(|module| pick(&module.config.resource_selector));
        filters
            .map(|filter| ResourceRule {
                group_kind: filter.group_kind.clone(),
                image: filter.image.clone(),
                labels: filter.labels.clone(),
                pod_spec: filter.pod_spec.clone(),
            })
            .collect()
    };
    ResourceSelector { allow: rules(|selector| &selector.allow), deny: rules(|selector| &selector.deny) }
}
