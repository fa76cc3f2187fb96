//! What stages make: images, manifests, releases.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::Digest;
use crate::ImageId;
use crate::ImageName;
use crate::ImageRef;
use crate::Runtime;
use crate::Tag;

/// A built image; it always has an identity, so that "maybe built" cannot be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuiltImage {
    /// The artifact's name, as skaffold.yaml and the manifests say it.
    pub artifact: ImageName,
    /// Where it is: the name after default-repo rewriting.
    pub name: ImageName,
    /// The tag that the tagger gave.
    pub tag: Option<Tag>,
    /// What it is.
    pub identity: Identity,
    /// The language runtime that the configuration names, for debugging.
    pub runtime: Option<Runtime>,
}

/// What identifies the content of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// Pushed: the digest in its registry.
    Digest(Digest),
    /// In a container daemon only: its image ID.
    Id(ImageId),
    /// Named by the user (`deploy --images`, `--digest-source tag|none`) and used exactly so.
    AsNamed,
}

impl BuiltImage {
    /// Returns the reference that manifests are given: `name:tag@digest` when pushed,
    /// `name:<64 hex digits of the image ID>` when only a daemon has it, as Skaffold does
    /// (`pkg/skaffold/build/local/types.go`).
    pub fn deployed(&self) -> String {
        match &self.identity {
            Identity::Digest(digest) => {
                ImageRef { name: self.name.clone(), tag: self.tag.clone(), digest: Some(digest.clone()) }.to_string()
            }
            Identity::Id(id) => format!("{}:{}", self.name, id.hex()),
            Identity::AsNamed => self.tagged(),
        }
    }

    /// Returns `name:tag`, or the name alone without a tag.
    pub fn tagged(&self) -> String {
        ImageRef { name: self.name.clone(), tag: self.tag.clone(), digest: None }.to_string()
    }
}

/// A Kubernetes namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Namespace(pub String);

impl Namespace {
    /// Returns the namespace as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names an object in a cluster; the version of its API is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, as written in the manifest.
    pub kind: String,
    /// Namespace; none for a cluster-scoped object, or before the cluster was asked.
    pub namespace: Option<Namespace>,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// Returns what names this object of the Kubernetes API.
    pub fn of(object: &serde_json::Value) -> Self {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            group: object["apiVersion"].as_str().and_then(|v| v.split_once('/')).map(|(group, _)| group.to_owned()).unwrap_or_default(),
            kind: text(&object["kind"]),
            namespace: object["metadata"]["namespace"].as_str().map(|n| Namespace(n.to_owned())),
            name: text(&object["metadata"]["name"]),
        }
    }

    /// Returns what names a container of the container daemon: a kind of ours, of no group or namespace.
    pub fn container(name: &str) -> Self {
        Self { group: String::new(), kind: "Container".to_owned(), namespace: None, name: name.to_owned() }
    }

    /// Returns whether both name an object of the same kind and name, in whatever namespace.
    pub fn is_called_as(&self, other: &Self) -> bool {
        (&self.group, &self.kind, &self.name) == (&other.group, &other.kind, &other.name)
    }

    /// Returns what kubectl has to be told to find this object: `deployment/web -n shop`.
    pub fn for_kubectl(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.to_string(), |namespace| format!("{self} -n {namespace}"))
    }
}

impl fmt::Display for ObjectKey {
    /// `deployment/web`, or `deployment.apps/web` where the group is not one of Kubernetes' own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_lowercase();
        if self.group.contains('.') && !self.group.ends_with(".k8s.io") {
            write!(f, "{kind}.{}/{}", self.group, self.name)
        } else {
            write!(f, "{kind}/{}", self.name)
        }
    }
}

/// One object to apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The object; always a JSON object with `apiVersion`, `kind` and `metadata.name`.
    pub object: serde_json::Value,
    /// Where it was read: a file and document, a URL, or a command.
    pub source: String,
}

impl Manifest {
    /// Returns the object's `apiVersion`, or an empty text.
    pub fn api_version(&self) -> &str {
        self.object["apiVersion"].as_str().unwrap_or_default()
    }

    /// Returns what names the object.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.object)
    }
}

/// Rendered manifests, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ManifestSet {
    /// The objects.
    pub manifests: Vec<Manifest>,
}

impl ManifestSet {
    /// Returns the manifests of all `sets`, in their order.
    pub fn joined(sets: impl IntoIterator<Item = Self>) -> Self {
        Self { manifests: sets.into_iter().flat_map(|set| set.manifests).collect() }
    }
}

/// What a deploy left in the cluster and in the container daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// Every object of this release, with its namespace as the cluster has it.
    pub objects: Vec<ReleasedObject>,
    /// Every container of this release in the container daemon.
    pub containers: Vec<ReleasedContainer>,
}

/// One container of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedContainer {
    /// Its name.
    pub name: String,
    /// The ID that the daemon gave it: another one after each replacement.
    pub id: String,
    /// The image, as the configuration names it.
    pub image: String,
    /// The image, as it was deployed: for an artifact [`BuiltImage::deployed`].
    pub reference: String,
    /// The artifact that runs in it, if it is one.
    pub artifact: Option<ImageName>,
    /// Its ports on this machine.
    pub ports: Vec<PublishedPort>,
}

impl ReleasedContainer {
    /// Returns what names the container in events: of no group or namespace, for it is in no cluster.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::container(&self.name)
    }
}

/// A port of a container that the daemon publishes on its machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The port in the container.
    pub port: u16,
    /// The address of the machine.
    pub address: String,
    /// The port of the machine.
    pub local_port: u16,
}

/// One live object of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedObject {
    /// What names it.
    pub key: ObjectKey,
    /// API version that it was applied with: `apps/v1`.
    pub api_version: String,
    /// The UID that the cluster gave it.
    pub uid: String,
    /// `metadata.generation` after the apply: a status that observed less is old.
    pub generation: Option<i64>,
}
