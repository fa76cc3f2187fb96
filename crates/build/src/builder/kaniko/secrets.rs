//! Secrets of a pod: those that exist are used, others are made from files for this build alone.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::KubeError;
use devloop_model::ClusterBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use serde_json::Value;
use serde_json::json;

use crate::BuildError;

/// The key that Skaffold gives a Google service account key.
const PULL_SECRET_KEY: &str = "kaniko-secret";
/// The file that kaniko looks for.
const DOCKER_CONFIG_KEY: &str = "config.json";
/// The same in a secret of Kubernetes' own kind.
const KUBERNETES_DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";

/// A secret that a pod mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) name: String,
    /// What of it counts.
    pub(super) key: String,
}

/// The secrets of one pod.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) pull: Option<Mounted>,
    pub(super) docker_config: Option<Mounted>,
}

/// What one is in skaffold.yaml.
struct Wanted<'a> {
    name: &'a str,
    path: Option<&'a Path>,
    is_random: bool,
    /// The field that names the file.
    field: &'static str,
    /// What counts in it: the first key that is there; in one that is made, the first.
    keys: Vec<String>,
}

/// Where secrets are looked for and made.
pub(super) struct Shelf<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) namespace: &'a Namespace,
    /// What they are deleted with.
    pub(super) owner: Option<&'a Value>,
    /// The end of the names of those that are made: builds that run at once have each their own.
    pub(super) suffix: &'a str,
}

impl Shelf<'_> {
    /// Returns the secrets that the configuration names.
    ///
    /// # Errors
    /// When one does not exist and there is no file to make it from, the file cannot be read, or the cluster refuses.
    pub(super) async fn provide(&self, build: &ClusterBuild, cx: &Cx) -> Result<Secrets, BuildError> {
        let mut secrets = Secrets::default();
        if let Some(pull) = &build.pull_secret {
            let file_name = pull.path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            let wanted = Wanted {
                name: &pull.name,
                path: pull.path.as_deref(),
                is_random: pull.is_random,
                field: "build.cluster.pullSecretPath",
                keys: std::iter::once(PULL_SECRET_KEY.to_owned()).chain(file_name).collect(),
            };
            secrets.pull = Some(self.one(&wanted, cx).await?);
        }
        if let Some(config) = &build.docker_config {
            let wanted = Wanted {
                name: &config.name,
                path: config.path.as_deref(),
                is_random: config.is_random,
                field: "build.cluster.dockerConfig.path",
                keys: [DOCKER_CONFIG_KEY, KUBERNETES_DOCKER_CONFIG_KEY].map(str::to_owned).to_vec(),
            };
            secrets.docker_config = Some(self.one(&wanted, cx).await?);
        }
        Ok(secrets)
    }

    /// Deletes what was made for this build.
    pub(super) async fn clear(&self, build: &ClusterBuild, cx: &Cx) {
        let pull = build.pull_secret.as_ref().filter(|pull| pull.path.is_some()).map(|pull| &pull.name);
        let config = build.docker_config.as_ref().filter(|config| config.path.is_some()).map(|config| &config.name);
        for name in pull.into_iter().chain(config) {
            if let Err(error) = self.cluster.delete("v1", &key(self.namespace, &self.own(name)), &DeleteOptions::default(), cx).await {
                tracing::debug!(%error, "secret not deleted");
            }
        }
    }

    /// Returns the name of a secret that is made for this build.
    fn own(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    async fn one(&self, wanted: &Wanted<'_>, cx: &Cx) -> Result<Mounted, BuildError> {
        let is_made_anyway = wanted.is_random && wanted.path.is_some();
        let key = key(self.namespace, wanted.name);
        let existing = if is_made_anyway { Ok(None) } else { self.cluster.get("v1", &key, cx).await };
        match (existing, wanted.path) {
            (Ok(Some(secret)), _) => Ok(Mounted { name: wanted.name.to_owned(), key: wanted.key_in(&secret) }),
            (Ok(None) | Err(KubeError::Forbidden { .. }), Some(path)) => self.make(wanted, path, cx).await,
            // Who may not look may still mount it.
            (Err(KubeError::Forbidden { .. }), None) => Ok(Mounted { name: wanted.name.to_owned(), key: wanted.keys[0].clone() }),
            (Ok(None), None) => {
                let what = format!("there is no secret `{}` in namespace `{}`", wanted.name, self.namespace);
                let help = format!("create it with the key `{}`, or name a file with `{}`", wanted.keys[0], wanted.field);
                Err(Diagnostic::error("build/kaniko-secret", what).help(help).into())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn make(&self, wanted: &Wanted<'_>, path: &Path, cx: &Cx) -> Result<Mounted, BuildError> {
        let content = std::fs::read(path).map_err(|error| {
            let what = format!("there is no secret `{}`, and the file to make it from cannot be read: `{}`", wanted.name, path.display());
            let help = format!("set `{}` to a file, relative to skaffold.yaml, or create the secret", wanted.field);
            Diagnostic::error("build/kaniko-secret", what).because(error.to_string()).help(help)
        })?;
        let name = self.own(wanted.name);
        let mut secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {"skaffold-kaniko": "skaffold-kaniko", "app.kubernetes.io/managed-by": "devloop"},
            },
            "data": {&wanted.keys[0]: BASE64_STANDARD.encode(content)},
        });
        if let Some(owner) = self.owner {
            secret["metadata"]["ownerReferences"] = json!([owner]);
        }
        self.cluster.apply_over(&secret, None, ApplyOptions::default(), cx).await?;
        Ok(Mounted { name, key: wanted.keys[0].clone() })
    }
}

impl Wanted<'_> {
    /// Returns which key of an existing secret counts: one of the usual ones, else the only one.
    fn key_in(&self, secret: &Value) -> String {
        let keys: BTreeSet<&String> = secret["data"].as_object().into_iter().flat_map(|data| data.keys()).collect();
        let usual = self.keys.iter().find(|key| keys.contains(key));
        let only = keys.first().copied().filter(|_| keys.len() == 1);
        usual.or(only).unwrap_or(&self.keys[0]).clone()
    }
}

fn key(namespace: &Namespace, name: &str) -> ObjectKey {
    ObjectKey { group: String::new(), kind: "Secret".to_owned(), namespace: Some(namespace.clone()), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_existing_secret_is_one_that_it_has() {
        let keys = ["kaniko-secret", "key.json"].map(str::to_owned).to_vec();
        let wanted = Wanted { name: "kaniko-secret", path: None, is_random: false, field: "f", keys };
        let of = |data: Value| wanted.key_in(&json!({"data": data}));
        assert_eq!(of(json!({"key.json": "", "kaniko-secret": ""})), "kaniko-secret");
        assert_eq!(of(json!({"other": "", "key.json": ""})), "key.json");
        assert_eq!(of(json!({"other": ""})), "other");
        assert_eq!(of(json!({"other": "", "another": ""})), "kaniko-secret");
        assert_eq!(of(Value::Null), "kaniko-secret");
    }
}
