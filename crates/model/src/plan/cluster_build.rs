//! Builds in the cluster: where their pods run, and what kaniko is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::DockerBuild;
use crate::Namespace;
use crate::Template;

/// `build.cluster`: the pods that images are built in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClusterBuild {
    /// Image of the builder pod; none means that of the settings.
    pub builder_image: Option<String>,
    /// Their namespace; none means that of the Kubernetes context.
    pub namespace: Option<Namespace>,
    /// How long a build may take.
    pub timeout: Duration,
    /// `HTTP_PROXY` of the pods.
    pub http_proxy: Option<String>,
    /// `HTTPS_PROXY` of the pods.
    pub https_proxy: Option<String>,
    /// A Google service account key that the pods get.
    pub pull_secret: Option<PullSecret>,
    /// A docker `config.json` that the pods get.
    pub docker_config: Option<DockerConfigSecret>,
    /// Service account of the pods.
    pub service_account: Option<String>,
    /// Tolerations of the pods, in Kubernetes' words.
    pub tolerations: Vec<Value>,
    /// Node selector of the pods.
    pub node_selector: BTreeMap<String, String>,
    /// Annotations of the pods.
    pub annotations: BTreeMap<String, String>,
    /// Labels of the pods.
    pub labels: BTreeMap<String, String>,
    /// User that the pods run as.
    pub run_as_user: Option<i64>,
    /// What the building container may use: Kubernetes' `ResourceRequirements`.
    pub resources: Option<Value>,
    /// How many builds run at once; 0 is all.
    pub concurrency: usize,
    /// Volumes of the pods, in Kubernetes' words.
    pub volumes: Vec<Value>,
}

/// A Google service account key in a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Name of the secret.
    pub name: String,
    /// The file that the secret is made of where it does not exist; it is deleted afterwards then.
    pub path: Option<PathBuf>,
    /// Where it is mounted.
    pub mount_path: String,
    /// Whether the name gets a random end.
    pub is_random: bool,
}

/// A docker `config.json` in a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfigSecret {
    /// Name of the secret.
    pub name: String,
    /// The file that the secret is made of where it does not exist; it is deleted afterwards then.
    pub path: Option<PathBuf>,
    /// Whether the name gets a random end.
    pub is_random: bool,
}

/// `artifacts[].kaniko`. Fields are named as in skaffold.yaml; those that kaniko is only handed keep their texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KanikoBuild {
    /// What the Dockerfile is built with: `dockerfile`, `target` and `buildArgs`; the rest is as if not configured.
    pub dockerfile: DockerBuild,
    /// Image of kaniko; none where the configuration names none.
    pub image: Option<String>,
    /// Image of the container that waits for the context; none where the configuration names none.
    pub init_image: Option<String>,
    /// Secret to pull kaniko's image with.
    pub image_pull_secret: Option<String>,
    /// More names to push to, as they are.
    pub destinations: Vec<Template>,
    /// Where kaniko writes the digest, from where Kubernetes reads it.
    pub digest_file: String,
    /// Flags that are set: kaniko's own names, without dashes, with a value or none.
    pub flags: Vec<(String, Option<String>)>,
    /// Labels of the image; a value of none is empty.
    pub labels: BTreeMap<String, Option<Template>>,
    /// Certificates of registries, as files of the container; a value of none is kaniko's to judge.
    pub registry_certificates: BTreeMap<String, Option<Template>>,
    /// Cached layers.
    pub cache: Option<KanikoCache>,
    /// Environment of the container: Kubernetes' `EnvVar`s, whose values are templates.
    pub env: Vec<KanikoEnv>,
    /// Volume mounts of the container, in Kubernetes' words.
    pub volume_mounts: Vec<Value>,
    /// How often sending a part of the context is tried.
    pub copy_attempts: u32,
    /// How long sending the context may take.
    pub copy_timeout: Duration,
    /// How strongly the context is compressed, 0 to 9.
    pub compression_level: u32,
    /// The first field that only kaniko understands, as it is written; none where any builder of Dockerfiles will do.
    pub only_kaniko: Option<String>,
}

impl KanikoBuild {
    /// Image of kaniko where the configuration names none.
    pub const IMAGE: &str = "gcr.io/kaniko-project/executor:latest";
    /// Image of the container that waits for the context where the configuration names none.
    pub const INIT_IMAGE: &str = "gcr.io/k8s-skaffold/skaffold-helpers/busybox";
    /// Returns whether nothing but kaniko will do: an image of its own, or a field that only kaniko understands.
    pub fn asks_for_kaniko(&self) -> bool {
        self.image.is_some() || self.only_kaniko.is_some()
    }

    /// Where kaniko writes the digest where the configuration does not say.
    pub const DIGEST_FILE: &str = "/dev/termination-log";
}

/// A variable of the kaniko container.
#[derive(Debug, Clone, PartialEq)]
pub struct KanikoEnv {
    /// Its name.
    pub name: String,
    /// Its value, if it is a text.
    pub value: Option<Template>,
    /// Where else its value is: Kubernetes' `EnvVarSource`.
    pub value_from: Option<Value>,
}

/// `artifacts[].kaniko.cache`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KanikoCache {
    /// Repository of cached layers; none lets kaniko choose.
    pub repo: Option<String>,
    /// A directory of the node with base images, mounted at `/cache`.
    pub host_path: Option<String>,
    /// How long cached layers are used, in Go's words: `336h`.
    pub ttl: Option<String>,
    /// Whether COPY is cached.
    pub copy_layers: bool,
    /// Whether RUN is cached.
    pub run_layers: bool,
}
