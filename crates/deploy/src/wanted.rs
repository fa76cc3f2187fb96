//! What is to be in the cluster: manifests with their namespace, rank and digest, before anything is written.

use std::collections::HashMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use devloop_model::MissingKey;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Vars;
use serde_json::Value;

use crate::DeployError;
use crate::DeployJob;
use crate::rank::Rank;

/// One object that is to be applied.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What names it; with its namespace, if its kind has one.
    pub(crate) key: ObjectKey,
    /// `apps/v1`.
    pub(crate) api_version: String,
    /// When it is applied.
    pub(crate) rank: Rank,
    /// The object, with its namespace.
    pub(crate) object: Value,
    /// Where it was read.
    pub(crate) source: String,
}

impl Wanted {
    /// Returns an error about this object.
    pub(crate) fn error(&self, error: KubeError) -> DeployError {
        match error {
            KubeError::Cancelled => DeployError::Cancelled,
            error @ (KubeError::Unreachable { .. } | KubeError::Unauthorized { .. } | KubeError::Login { .. }) => DeployError::Kube(error),
            error => DeployError::object(&self.key, &self.source, error),
        }
    }
}

/// Returns the objects of `manifests` in the order of their ranks; every kind is known and every object has a name.
pub(crate) async fn wanted(job: &DeployJob, manifests: &ManifestSet, cluster: &Cluster, cx: &Cx) -> Result<Vec<Wanted>, DeployError> {
    let namespace = namespace(job, cx)?;
    let manifests = flattened(manifests);
    let defined = definitions(&manifests);
    let mut wanted: Vec<Wanted> = Vec::with_capacity(manifests.len());
    let mut places: HashMap<ObjectKey, usize> = HashMap::with_capacity(manifests.len());
    for manifest in manifests {
        let one = one(manifest, &namespace, &defined, cluster, cx).await?;
        if let Some(&at) = places.get(&one.key) {
            let what = format!("{} is in {} and in {}; the last one counts", one.key, wanted[at].source, one.source);
            cx.warn(Diagnostic::warning("deploy/duplicate-object", what));
            wanted[at] = one;
        } else {
            places.insert(one.key.clone(), wanted.len());
            wanted.push(one);
        }
    }
    wanted.sort_by_key(|one| one.rank);
    Ok(wanted)
}

/// Returns the namespace of objects that name none: the command line's, `defaultNamespace`, or the context's.
pub(crate) fn namespace(job: &DeployJob, cx: &Cx) -> Result<Namespace, DeployError> {
    match &job.kubectl.default_namespace {
        Some(template) if !job.target.namespace_is_forced => {
            let rendered = template.render(&Vars::from_env(&cx.env), MissingKey::NoValue)?;
            Ok(if rendered.is_empty() { job.target.namespace.clone() } else { Namespace(rendered) })
        }
        _ => Ok(job.target.namespace.clone()),
    }
}

/// Returns the manifests with each `List` replaced by its items.
fn flattened(manifests: &ManifestSet) -> Vec<Manifest> {
    let mut flat = Vec::with_capacity(manifests.manifests.len());
    for manifest in &manifests.manifests {
        let is_list = manifest.api_version() == "v1" && manifest.object["kind"] == "List";
        match manifest.object["items"].as_array().filter(|_| is_list) {
            Some(items) => flat.extend(items.iter().map(|item| Manifest { object: item.clone(), source: manifest.source.clone() })),
            None => flat.push(manifest.clone()),
        }
    }
    flat
}

/// Returns group and kind of what the CRDs among the manifests define, with whether its objects live in namespaces.
fn definitions(manifests: &[Manifest]) -> HashMap<(String, String), bool> {
    let crds = manifests.iter().map(|m| &m.object).filter(|object| object["kind"] == "CustomResourceDefinition");
    crds.filter_map(|crd| {
        let spec = &crd["spec"];
        Some(((spec["group"].as_str()?.to_owned(), spec["names"]["kind"].as_str()?.to_owned()), spec["scope"] == "Namespaced"))
    })
    .collect()
}

async fn one(
    manifest: Manifest,
    namespace: &Namespace,
    defined: &HashMap<(String, String), bool>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Wanted, DeployError> {
    let mut key = manifest.key();
    if key.name.is_empty() {
        return Err(DeployError::NoName { kind: key.kind, source_of: manifest.source });
    }
    let api_version = manifest.api_version().to_owned();
    let known = built_in_kind(&api_version, &key.kind).map(|kind| kind.namespaced);
    let namespaced = match known.or_else(|| defined.get(&(key.group.clone(), key.kind.clone())).copied()) {
        Some(namespaced) => namespaced,
        None => match cluster.resource(&api_version, &key.kind, cx).await {
            Ok(kind) => kind.namespaced,
            Err(error @ KubeError::UnknownKind { .. }) => return Err(DeployError::object(&key, &manifest.source, error)),
            Err(error) => return Err(error.into()),
        },
    };
    let Manifest { mut object, source } = manifest;
    key.namespace = namespaced.then(|| key.namespace.take().unwrap_or_else(|| namespace.clone()));
    if let Some(metadata) = object["metadata"].as_object_mut() {
        match &key.namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), namespace.as_str().into()),
            None => metadata.shift_remove("namespace"),
        };
    }
    let rank = Rank::of(&key);
    Ok(Wanted { key, api_version, rank, object, source })
}
