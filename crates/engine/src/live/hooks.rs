//! Commands of the user's around all builds of a module, and around its deploy.

use std::collections::BTreeSet;

use devloop_clients::hooks::HookRun;
use devloop_clients::hooks::Phase;
use devloop_deploy::AFTER_DEPLOY;
use devloop_deploy::BEFORE_DEPLOY;
use devloop_deploy::HookScope;
use devloop_model::BuildSpec;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Hook;
use devloop_model::ImageName;
use devloop_model::ManifestSet;
use devloop_model::Namespace;
use devloop_model::Release;

use super::DeployGroup;
use super::LiveStages;
use super::Specs;

impl LiveStages {
    /// Runs what comes before the builds of each module that has one to build.
    pub(super) async fn before_builds(&self, specs: &Specs, to_build: &[ImageName], cx: &Cx) -> Result<(), Diagnostic> {
        for module in specs.builds.iter().filter(|module| to_build.iter().any(|image| module.artifacts.contains(image))) {
            run_on_host("pre-build", &module.hooks.before, specs, cx).await?;
        }
        Ok(())
    }

    /// Runs what comes after the builds of a module, if that of `image` was the last one.
    pub(super) async fn after_build(&self, specs: &Specs, image: &ImageName, cx: &Cx) -> Result<(), Diagnostic> {
        let last_of = {
            let mut products = self.products();
            products.unbuilt.remove(image);
            let is_done = |module: &&BuildSpec| module.artifacts.contains(image) && products.unbuilt.is_disjoint(&module.artifacts);
            specs.builds.iter().find(is_done)
        };
        match last_of {
            Some(module) => run_on_host("post-build", &module.hooks.after, specs, cx).await,
            None => Ok(()),
        }
    }

    /// Runs what comes before the deploy of a group.
    pub(super) async fn before_deploy(
        &self,
        group: &DeployGroup,
        manifests: &ManifestSet,
        specs: &Specs,
        cx: &Cx,
    ) -> Result<(), Diagnostic> {
        let own = manifests.manifests.iter().filter_map(|manifest| manifest.key().namespace);
        self.deploy_hooks(BEFORE_DEPLOY, group, &group.hooks.before, own, specs, cx).await
    }

    /// Runs what comes after the deploy of a group, which is ready by now.
    pub(super) async fn after_deploy(&self, group: &DeployGroup, release: &Release, specs: &Specs, cx: &Cx) -> Result<(), Diagnostic> {
        let own = release.objects.iter().filter_map(|object| object.key.namespace.clone());
        self.deploy_hooks(AFTER_DEPLOY, group, &group.hooks.after, own, specs, cx).await
    }

    async fn deploy_hooks(
        &self,
        phase: Phase,
        group: &DeployGroup,
        hooks: &[Hook],
        own: impl Iterator<Item = Namespace>,
        specs: &Specs,
        cx: &Cx,
    ) -> Result<(), Diagnostic> {
        if hooks.is_empty() {
            return Ok(());
        }
        let (target, context) = (&specs.build.target, group.context.as_deref());
        let cluster = self.cluster_in(context, cx).await?;
        let usual = context.and_then(|context| specs.elsewhere.get(context)).unwrap_or(&target.namespace);
        let namespaces: BTreeSet<Namespace> = own.chain([usual.clone()]).collect();
        let scope = HookScope {
            settings: &specs.build.hooks,
            context: context.or(target.context.as_deref()),
            namespaces: &namespaces,
            session: &specs.session,
        };
        devloop_deploy::run_hooks(phase, hooks, &scope, &self.visited, &cluster, cx).await.map_err(|error| error.diagnostic())
    }
}

/// Runs hooks that are told of the session and of nothing else.
async fn run_on_host(phase: Phase, hooks: &[Hook], specs: &Specs, cx: &Cx) -> Result<(), Diagnostic> {
    if hooks.is_empty() {
        return Ok(());
    }
    let run = HookRun::new(phase, &specs.build.hooks, []);
    run.starting(cx);
    run.on_host(hooks.iter().filter_map(Hook::on_host), cx).await.map_err(|error| error.diagnostic())?;
    run.completed(cx);
    Ok(())
}
