//! Built images and manifest sources to a manifest set: raw YAML, helm; image, debug, label and namespace transforms.
//!
//! [`render`] reads what `manifests` of each module names, as Kubernetes itself would read it,
//! puts the built images, labels and a forced namespace in, and returns the objects in the order
//! in which they were written. [`to_yaml`] prints them.

mod change;
mod error;
mod hooks;
mod source;
mod transform;
mod yaml;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use devloop_clients::helm::HelmSettings;
use devloop_clients::kube::Cluster;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::HookSettings;
use devloop_model::ImageName;
use devloop_model::ManifestSet;
use devloop_model::Namespace;
use devloop_model::RenderSpec;
use devloop_model::ResourceSelector;
use devloop_model::Vars;

pub use change::Changes;
pub use change::objects_of;
pub use error::RenderError;
pub use hooks::run_hooks_before;
pub use source::Contents;
pub use source::Sources;
pub use source::are_there;
pub use source::sources;
pub use transform::DebugImage;
pub use transform::DebugSpec;
pub use transform::Placement;
pub use yaml::to_yaml;

/// What is to be rendered, and with what.
#[derive(Debug, Clone, Default)]
pub struct RenderJob {
    /// What each module renders, in deploy order.
    pub modules: Vec<RenderSpec>,
    /// Images that are put in where a manifest names their artifact.
    pub images: Vec<BuiltImage>,
    /// Artifacts that other artifacts are built from: no manifest needs to use them.
    pub bases: BTreeSet<ImageName>,
    /// How containers are debugged; none leaves them alone.
    pub debug: Option<DebugSpec>,
    /// Which nodes the images run on.
    pub placement: Placement,
    /// Labels for every object and pod template (`--label`).
    pub labels: BTreeMap<String, String>,
    /// The namespace that the user forces on namespaced objects; none leaves them alone.
    pub namespace: Option<Namespace>,
    /// Which kinds and fields hold images and labels, beyond the built-in ones.
    pub resource_selector: ResourceSelector,
    /// `--kubeconfig`, for remote manifests of another context.
    pub kubeconfig: Option<PathBuf>,
    /// Whether the cluster must not be asked and namespaces not be written.
    pub offline: bool,
    /// What holds for every hook.
    pub hooks: HookSettings,
    /// The Kubernetes context, for hooks.
    pub context: Option<String>,
    /// The namespace of objects that name none, for hooks.
    pub hook_namespace: Namespace,
    /// Variables for templates in the paths of manifests.
    pub vars: Vars,
    /// What helm is told of the session.
    pub helm: HelmSettings,
}

/// Returns the objects of each module, in deploy order, with images, labels and namespace put in, as the hooks after rendering left them.
///
/// `remote` is the cluster that `remoteManifests` are read from.
///
/// # Errors
/// When a source is missing or cannot be read, a document is no Kubernetes object, or the step was cancelled.
pub async fn render(job: &RenderJob, remote: Option<&Cluster>, cx: &Cx) -> Result<Vec<ManifestSet>, RenderError> {
    let mut sets = Vec::with_capacity(job.modules.len());
    let (images, changes) = (transform::Images::new(&job.images), Changes::of(job));
    let fields = transform::Fields::new(&job.resource_selector);
    for module in &job.modules {
        let mut manifests = source::raw(module, &job.vars, cx).await?;
        manifests.append(&mut source::kustomize(module, &job.vars, cx).await?);
        manifests.append(&mut Box::pin(source::helm(module, &job.images, &job.helm, cx)).await?);
        images.replace(&mut manifests, &fields);
        let mut live = source::remote(module, remote.filter(|_| !job.offline), job.kubeconfig.as_deref(), cx).await?;
        images.replace_live(&mut live, &fields);
        manifests.append(&mut live);
        for warning in changes.after_images(&mut manifests, &fields) {
            cx.warn(warning);
        }
        if let Some(namespace) = job.namespace.as_ref().filter(|_| !job.offline) {
            for warning in transform::set_namespace(&mut manifests, namespace) {
                cx.warn(warning);
            }
        }
        sets.push(ManifestSet { manifests: hooks::after(module, manifests, job, cx).await? });
    }
    if let Some(warning) = images.unused(&job.bases) {
        cx.warn(warning);
    }
    Ok(sets)
}

/// Returns a hash of rendered manifests: the same hash is the same manifests, in the same order.
pub fn hash(sets: &[ManifestSet]) -> String {
    let mut hasher = blake3::Hasher::new();
    for manifest in sets.iter().flat_map(|set| &set.manifests) {
        hasher.update(manifest.object.to_string().as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests;
