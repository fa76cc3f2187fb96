//! What deployers that render by themselves are given of the stage that renders, and when there is something new to deploy.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::sync::Arc;

use devloop_deploy::Rendering;
use devloop_deploy::docker::DockerJob;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::ManifestSet;
use devloop_render::Changes;
use devloop_render::DebugSpec;
use devloop_render::RenderJob;

use super::Specs;

/// Returns what the stage that renders does to manifests, for the deployer that gets them from helm: stages know nothing of each
/// other, and here is where they meet.
pub(super) fn rendering(specs: &Specs, images: &[BuiltImage], debug: Option<DebugSpec>, cx: &Cx) -> Rendering {
    let changes = Changes::of(&RenderJob { images: images.to_vec(), debug, ..specs.render.clone() });
    let cx = cx.clone();
    Rendering {
        images: images.to_vec(),
        read: |text, name| devloop_render::objects_of(text, name).map_err(|error| error.diagnostic()),
        change: Arc::new(move |manifests| changes.make(manifests).into_iter().for_each(|warning| cx.warn(warning))),
        write: |set| devloop_render::to_yaml(set).map_err(|error| error.diagnostic()),
    }
}

/// Returns a hash of all that is deployed: the manifests, what the releases of helm follow from, and what runs in the container daemon.
/// One that cannot be told is told by the deploy itself.
pub(super) async fn hash(specs: &Specs, manifests: &[ManifestSet], images: &[BuiltImage]) -> String {
    let mut hash = devloop_render::hash(manifests);
    for job in specs.helm_jobs() {
        let (job, images) = (job.clone(), images.to_vec());
        let read = tokio::task::spawn_blocking(move || devloop_deploy::fingerprint_releases(&job, &images));
        hash.push_str(&read.await.ok().and_then(Result::ok).unwrap_or_else(|| "unknown".to_owned()));
    }
    hash + &daemon_hash(specs, images)
}

/// Returns a hash of what is to run in the container daemon; nothing where nothing does.
fn daemon_hash(specs: &Specs, images: &[BuiltImage]) -> String {
    let jobs: Vec<&DockerJob> = specs.docker_jobs().collect();
    if jobs.is_empty() {
        return String::new();
    }
    let images: Vec<String> = images.iter().filter(|image| specs.runs_in_daemon(&image.artifact)).map(BuiltImage::deployed).collect();
    let mut hasher = DefaultHasher::new();
    format!("{jobs:?} {images:?}").hash(&mut hasher);
    for file in jobs.iter().flat_map(|job| devloop_deploy::docker::files(job, &specs.env)) {
        (std::fs::read(&file).ok(), file).hash(&mut hasher);
    }
    format!("-{:016x}", hasher.finish())
}
