//! The pod around kaniko, with Skaffold's names (`pkg/skaffold/build/cluster/pod.go`).

use std::time::Duration;

use devloop_model::ClusterBuild;
use devloop_model::KanikoBuild;
use devloop_model::Namespace;
use devloop_model::Platform;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::arguments::CACHE;
use super::arguments::CONTEXT;
use super::secrets::Mounted;

/// The container that waits for the context.
pub(super) const INIT_CONTAINER: &str = "kaniko-init-container";
/// The container that builds.
pub(super) const CONTAINER: &str = "kaniko";
/// Where parts of the context are kept on their way.
pub(super) const TEMPORARY: &str = "/tmp";
/// Ends once the context is complete; not every `sleep` knows less than a second.
const WAIT: &str = "while [ ! -f /tmp/complete ]; do sleep 0.1 2>/dev/null || sleep 1; done";
/// The label that Skaffold's pods have.
const LABEL: &str = "skaffold-kaniko";
const CONTEXT_VOLUME: &str = "kaniko-emptydir";
const PULL_SECRET_VOLUME: &str = "kaniko-secret";
const DOCKER_CONFIG_VOLUME: &str = "docker-cfg";
const DOCKER_CONFIG: &str = "/kaniko/.docker";
const CACHE_VOLUME: &str = "kaniko-cache";
/// What the pod of a session that is gone gets beyond the time of its build.
const GRACE: Duration = Duration::from_mins(1);

/// What a pod is made from.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    pub(super) spec: &'a KanikoBuild,
    pub(super) cluster: &'a ClusterBuild,
    pub(super) name: &'a str,
    pub(super) namespace: &'a Namespace,
    /// What it is deleted with: an `OwnerReference`.
    pub(super) owner: Option<&'a Value>,
    /// What it builds for.
    pub(super) platform: Option<&'a Platform>,
    pub(super) arguments: &'a [String],
    pub(super) environment: Vec<Value>,
    pub(super) pull_secret: Option<&'a Mounted>,
    pub(super) docker_config: Option<&'a Mounted>,
}

impl Pod<'_> {
    /// Returns the object.
    pub(super) fn object(&self) -> Value {
        let Self { spec, cluster, .. } = self;
        let resources = cluster.resources.clone().unwrap_or_else(|| json!({}));
        let context = json!({"name": CONTEXT_VOLUME, "mountPath": CONTEXT});
        let mounts = |own: Vec<Value>| -> Vec<Value> {
            std::iter::once(context.clone()).chain(own).chain(spec.volume_mounts.iter().cloned()).collect()
        };
        let init = json!({
            "name": INIT_CONTAINER,
            "image": spec.init_image.as_deref().unwrap_or(KanikoBuild::INIT_IMAGE),
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", WAIT],
            "volumeMounts": mounts(Vec::new()),
            "resources": resources,
        });
        let kaniko = json!({
            "name": CONTAINER,
            "image": spec.image.as_deref().unwrap_or(KanikoBuild::IMAGE),
            "imagePullPolicy": "IfNotPresent",
            "args": self.arguments,
            "env": self.environment,
            "volumeMounts": mounts(self.own_mounts()),
            "resources": resources,
            "terminationMessagePath": spec.digest_file,
        });
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": self.metadata(),
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": (cluster.timeout + GRACE).as_secs(),
                "initContainers": [init],
                "containers": [kaniko],
                "volumes": self.volumes(),
            },
        });
        for (field, value) in self.optional() {
            pod["spec"][field] = value;
        }
        pod
    }

    fn metadata(&self) -> Value {
        let mut labels = Map::from_iter([(LABEL.to_owned(), json!(LABEL)), ("app.kubernetes.io/managed-by".to_owned(), json!("devloop"))]);
        labels.extend(self.cluster.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        let mut metadata = json!({"name": self.name, "namespace": self.namespace, "labels": labels});
        if !self.cluster.annotations.is_empty() {
            metadata["annotations"] = json!(self.cluster.annotations);
        }
        if let Some(owner) = self.owner {
            metadata["ownerReferences"] = json!([owner]);
        }
        metadata
    }

    fn optional(&self) -> Vec<(&'static str, Value)> {
        let Self { spec, cluster, .. } = self;
        let mut node_selector = cluster.node_selector.clone();
        if let Some(platform) = self.platform {
            // Kaniko builds for what it runs on.
            for (label, value) in [("kubernetes.io/os", platform.os()), ("kubernetes.io/arch", platform.arch())] {
                node_selector.entry(label.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        let fields = [
            ("serviceAccountName", cluster.service_account.as_ref().map(|name| json!(name))),
            ("securityContext", cluster.run_as_user.map(|user| json!({"runAsUser": user}))),
            ("tolerations", (!cluster.tolerations.is_empty()).then(|| json!(cluster.tolerations))),
            ("nodeSelector", (!node_selector.is_empty()).then(|| json!(node_selector))),
            ("imagePullSecrets", spec.image_pull_secret.as_ref().map(|name| json!([{"name": name}]))),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }

    fn own_mounts(&self) -> Vec<Value> {
        let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
        let pull_secret = self.cluster.pull_secret.as_ref().filter(|_| self.pull_secret.is_some());
        let has_cache = self.cache_directory().is_some();
        let mounts = [
            pull_secret.map(|secret| mount(PULL_SECRET_VOLUME, &secret.mount_path)),
            has_cache.then(|| mount(CACHE_VOLUME, CACHE)),
            self.docker_config.map(|_| mount(DOCKER_CONFIG_VOLUME, DOCKER_CONFIG)),
        ];
        mounts.into_iter().flatten().collect()
    }

    fn volumes(&self) -> Vec<Value> {
        let own = [
            Some(json!({"name": CONTEXT_VOLUME, "emptyDir": {}})),
            self.pull_secret.map(|secret| json!({"name": PULL_SECRET_VOLUME, "secret": {"secretName": secret.name}})),
            self.cache_directory().map(|path| json!({"name": CACHE_VOLUME, "hostPath": {"path": path}})),
            self.docker_config.map(|secret| {
                // Kubernetes' own kind of such a secret calls the file otherwise.
                let items = json!([{"key": secret.key, "path": "config.json"}]);
                json!({"name": DOCKER_CONFIG_VOLUME, "secret": {"secretName": secret.name, "items": items}})
            }),
        ];
        own.into_iter().flatten().chain(self.cluster.volumes.iter().cloned()).collect()
    }

    fn cache_directory(&self) -> Option<&str> {
        self.spec.cache.as_ref()?.host_path.as_deref()
    }
}

#[cfg(test)]
mod tests;
