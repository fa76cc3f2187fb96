//! Each deployer, given what it works on.

use std::sync::Arc;

use devloop_clients::kube::Cluster;
use devloop_deploy::Deletion;
use devloop_deploy::DeployError;
use devloop_deploy::Rendering;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::ManifestSet;
use devloop_model::Release;
use devloop_render::Changes;
use devloop_render::RenderJob;

use super::DeployGroup;
use super::Specs;
use super::specs::Deployer;

/// What there is to deploy.
pub(super) struct Deployable<'a> {
    /// The manifests of each module.
    pub(super) manifests: &'a [ManifestSet],
    /// The images, and what is done to manifests that the deployer renders itself.
    pub(super) rendering: &'a Rendering,
}

impl DeployGroup {
    /// Returns what is in the cluster once the group is deployed.
    pub(super) async fn deploy(&self, what: &Deployable<'_>, cluster: &Cluster, cx: &Cx) -> Result<Release, DeployError> {
        match &self.deployer {
            Deployer::Kubectl(job) => devloop_deploy::deploy(job, &self.of(what.manifests), cluster, cx).await,
            Deployer::Helm(job) => devloop_deploy::deploy_releases(job, what.rendering, cluster, cx).await,
        }
    }

    /// Returns what was deleted of the group, or would be.
    pub(super) async fn delete(&self, what: &Deployable<'_>, dry_run: bool, cluster: &Cluster, cx: &Cx) -> Result<Deletion, DeployError> {
        match &self.deployer {
            Deployer::Kubectl(job) => devloop_deploy::delete(job, &self.of(what.manifests), dry_run, cluster, cx).await,
            Deployer::Helm(job) => devloop_deploy::delete_releases(job, what.rendering, dry_run, cluster, cx).await,
        }
    }

    /// Returns the manifests of the group's modules; none of those that were not rendered.
    fn of(&self, manifests: &[ManifestSet]) -> ManifestSet {
        ManifestSet::joined(manifests.get(self.modules.clone()).unwrap_or_default().iter().cloned())
    }
}

/// Returns what the stage that renders does to manifests, for the deployer that gets them from helm: stages know nothing of each
/// other, and here is where they meet.
pub(super) fn rendering(specs: &Specs, images: &[BuiltImage]) -> Rendering {
    let changes = Changes::of(&RenderJob { images: images.to_vec(), ..specs.render.clone() });
    Rendering {
        images: images.to_vec(),
        read: |text, name| devloop_render::objects_of(text, name).map_err(|error| error.diagnostic()),
        change: Arc::new(move |manifests| changes.make(manifests)),
        write: |set| devloop_render::to_yaml(set).map_err(|error| error.diagnostic()),
    }
}

/// Returns a hash of all that is deployed: the manifests, and what the releases of helm follow from. One that cannot be told is told
/// by the deploy itself.
pub(super) async fn hash(specs: &Specs, manifests: &[ManifestSet], images: &[BuiltImage]) -> String {
    let mut hash = devloop_render::hash(manifests);
    for job in specs.helm_jobs() {
        let (job, images) = (job.clone(), images.to_vec());
        let read = tokio::task::spawn_blocking(move || devloop_deploy::fingerprint_releases(&job, &images));
        hash.push_str(&read.await.ok().and_then(Result::ok).unwrap_or_else(|| "unknown".to_owned()));
    }
    hash
}
