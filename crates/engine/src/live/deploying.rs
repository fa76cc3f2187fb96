//! Deploying the groups of a configuration in their order, and taking back what they deployed in reverse.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use devloop_attach::Live;
use devloop_deploy::Deletion;
use devloop_deploy::Rendering;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use devloop_model::ObjectKey;
use devloop_model::Release;
use devloop_model::Stage;

use super::DeployGroup;
use super::Deployer;
use super::LiveStages;
use super::Specs;
use super::outage::Outage;
use super::rendering;

/// What there is to deploy.
struct Deployable<'a> {
    /// The manifests of each module.
    manifests: &'a [ManifestSet],
    /// What is done to manifests that a deployer renders itself.
    rendering: Rendering,
    images: &'a [BuiltImage],
}

impl LiveStages {
    pub(super) async fn deploy(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        self.waited.send_replace(None);
        let (manifests, images, debug) = {
            let mut products = self.products();
            products.own.settle(false);
            (Arc::clone(&products.manifests), products.rendered.clone(), products.debug.clone())
        };
        if specs.load_given {
            for image in &images {
                let loaded = devloop_build::load_named(image, &specs.build.target.delivery, &self.clients, cx).await;
                loaded.map_err(|e| e.diagnostic())?;
            }
        }
        let rendering = rendering::rendering(&specs, &images, debug, cx);
        let what = Deployable { manifests: &manifests, rendering, images: &images };
        let (mut releases, mut by_helm) = (BTreeMap::<Option<String>, Release>::new(), Release::default());
        let mut last = None;
        for group in &specs.deploy {
            if let Some((before, deployed)) = last.take() {
                self.finish_before_next(before, &deployed, &specs, cx).await?;
            }
            if matches!(group.deployer, Deployer::Kubectl(_)) {
                check_claims(&group.of(&manifests), &by_helm)?;
            }
            let deployed = self.deploy_group(group, &what, &specs, cx).await?;
            if matches!(group.deployer, Deployer::Helm(_)) {
                by_helm.objects.extend(deployed.objects.iter().cloned());
            }
            let release = releases.entry(group.context.clone()).or_default();
            warn_of_twice(release, &deployed, cx);
            release.objects.extend(deployed.objects.iter().cloned());
            release.containers.extend(deployed.containers.iter().cloned());
            last = Some((group, deployed));
        }
        let release = releases.remove(&None).unwrap_or_default();
        warn_of_unused(&specs, &images, &release, cx);
        let elsewhere = releases.into_iter().filter_map(|(context, release)| Some((context?, release))).collect();
        let live = Arc::new(Live { images, release, elsewhere });
        {
            let mut products = self.products();
            products.live = Arc::clone(&live);
            products.unhooked = last.map(|(_, deployed)| deployed);
        }
        self.live.send_replace(live);
        self.settle(Stage::Deploy);
        if specs.checks_status { Ok(()) } else { self.finish_last(&specs, cx).await }
    }

    async fn deploy_group(&self, group: &DeployGroup, what: &Deployable<'_>, specs: &Specs, cx: &Cx) -> Result<Release, Diagnostic> {
        let manifests = group.of(what.manifests);
        self.before_deploy(group, &manifests, specs, cx).await?;
        let outage = Outage::none(self.watching.is_some());
        match &group.deployer {
            Deployer::Kubectl(job) => {
                let cluster = self.cluster_in(group.context.as_deref(), cx).await?;
                outage.over(|| devloop_deploy::deploy(job, &manifests, &cluster, cx), cx).await
            }
            Deployer::Helm(job) => {
                let cluster = self.cluster_in(group.context.as_deref(), cx).await?;
                Box::pin(outage.over(|| devloop_deploy::deploy_releases(job, &what.rendering, &cluster, cx), cx)).await
            }
            Deployer::Docker(job) => {
                let docker = self.docker(cx).await?;
                devloop_deploy::docker::deploy(job, what.images, docker, cx).await.map_err(|e| e.diagnostic())
            }
        }
    }

    /// Runs the hooks after a group that others come after, once it is ready.
    async fn finish_before_next(&self, group: &DeployGroup, deployed: &Release, specs: &Specs, cx: &Cx) -> Result<(), Diagnostic> {
        if group.hooks.after.is_empty() {
            return Ok(());
        }
        if specs.checks_status {
            self.wait_for(deployed, group.context.as_deref(), cx).await?;
        }
        self.after_deploy(group, deployed, specs, cx).await
    }

    /// Runs the hooks after the last group of a deploy, unless they ran since.
    pub(super) async fn finish_last(&self, specs: &Specs, cx: &Cx) -> Result<(), Diagnostic> {
        let (Some(group), Some(deployed)) = (specs.deploy.last(), self.products().unhooked.clone()) else { return Ok(()) };
        self.after_deploy(group, &deployed, specs, cx).await?;
        self.products().unhooked = None;
        Ok(())
    }

    pub(super) async fn delete(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let (manifests, dry_run) = (self.manifests(), specs.delete_dry_run);
        let rendering = rendering::rendering(&specs, &self.images(), None, cx);
        for group in specs.deploy.iter().rev() {
            let deletion = match &group.deployer {
                Deployer::Kubectl(job) => {
                    let cluster = self.cluster_in(group.context.as_deref(), cx).await?;
                    devloop_deploy::delete(job, &group.of(&manifests), dry_run, &cluster, cx).await
                }
                Deployer::Helm(job) => {
                    let cluster = self.cluster_in(group.context.as_deref(), cx).await?;
                    Box::pin(devloop_deploy::delete_releases(job, &rendering, dry_run, &cluster, cx)).await
                }
                Deployer::Docker(job) => devloop_deploy::docker::delete(job, dry_run, self.docker(cx).await?, cx).await,
            };
            let Deletion { deleted, kept, deployed } = deletion.map_err(|e| e.diagnostic())?;
            let mut products = self.products();
            products.deletion.deleted.extend(deleted);
            products.deletion.kept.extend(kept);
            products.deletion.deployed.extend(deployed);
        }
        Ok(())
    }
}

impl DeployGroup {
    /// Returns the manifests of the group's modules; none of those that were not rendered.
    fn of(&self, manifests: &[ManifestSet]) -> ManifestSet {
        ManifestSet::joined(manifests.get(self.modules.clone()).unwrap_or_default().iter().cloned())
    }
}

/// Checks that no manifest is of an object that helm has just deployed: each would undo what the other did.
///
/// # Errors
/// The first such object, with where both stand.
fn check_claims(manifests: &ManifestSet, by_helm: &Release) -> Result<(), Diagnostic> {
    let same = |manifest: &Manifest, key: &ObjectKey| {
        let own = manifest.key();
        own.is_called_as(key) && (own.namespace.is_none() || own.namespace == key.namespace)
    };
    let claimed = manifests.manifests.iter().find(|manifest| by_helm.objects.iter().any(|object| same(manifest, &object.key)));
    match claimed {
        Some(manifest) => Err(Diagnostic::error("deploy/claimed-twice", format!("{} is deployed by helm and by kubectl", manifest.key()))
            .because(format!("a release has it, and so has {}", manifest.source))
            .help("leave it to one of them")),
        None => Ok(()),
    }
}

/// Says which images no service of a Compose file uses; where there is a cluster too, manifests may.
fn warn_of_unused(specs: &Specs, images: &[BuiltImage], release: &Release, cx: &Cx) {
    if specs.needs_cluster() || !specs.docker_jobs().any(|job| job.docker.compose.is_some()) {
        return;
    }
    let is_base =
        |image: &ImageName| specs.artifacts.iter().flat_map(|artifact| &artifact.requires).any(|required| required.image == *image);
    let runs = |image: &ImageName| release.containers.iter().any(|container| container.artifact.as_ref() == Some(image));
    for image in images.iter().map(|image| &image.artifact).filter(|image| !is_base(image) && !runs(image)) {
        let what = format!("image `{image}` is used by no service of the Compose file");
        cx.warn(Diagnostic::warning("deploy/unused-image", what).help("the `image` of a service names an artifact as skaffold.yaml does"));
    }
}

/// Says which objects two configurations have: each takes it from the other.
fn warn_of_twice(before: &Release, now: &Release, cx: &Cx) {
    let known: BTreeSet<&ObjectKey> = before.objects.iter().map(|object| &object.key).collect();
    for object in now.objects.iter().filter(|object| known.contains(&object.key)) {
        let what = format!("{} is in the manifests of two configurations; the last one counts", object.key);
        cx.warn(Diagnostic::warning("deploy/duplicate-object", what).help("leave it to one of them, which the other can require"));
    }
}
