//! The builder pod as Kubernetes is told of it.
//!
//! It is a Job, so that the cluster itself removes what has ended: a builder that nobody used for a while, or one that was killed.

use std::time::Duration;

use devloop_clients::kube::target::LocalRegistry;
use devloop_model::ClusterBuild;
use devloop_model::Namespace;
use devloop_model::Platform;
use serde_json::Value;
use serde_json::json;

/// On every builder of devloop.
pub(super) const BUILDER_LABEL: &str = "devloop.dev/builder";
/// Whose it is.
const USER_LABEL: &str = "devloop.dev/builder-user";
/// The container.
pub(super) const CONTAINER: &str = "builder";
/// Where a builder pod keeps everything: a volume, as the upper directory of an overlay cannot be on an overlay.
pub const ROOT: &str = "/var/lib/devloop-builder";
/// A volume of the configuration that takes the place of the pod's own for the cache.
const CACHE_VOLUME: &str = "builder-cache";
/// How long an ended builder stays, so that it can be looked at.
const KEPT: Duration = Duration::from_mins(1);

/// What a builder is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec<'a> {
    pub(super) image: &'a str,
    pub(super) namespace: &'a Namespace,
    pub(super) user: &'a str,
    pub(super) platform: Option<&'a Platform>,
    pub(super) cluster: &'a ClusterBuild,
    pub(super) insecure: &'a [String],
    pub(super) registry: Option<&'a LocalRegistry>,
    pub(super) idle: Duration,
    /// Whether seccomp and `AppArmor` are switched off, where the namespace's defaults forbid user namespaces.
    pub(super) unconfined: bool,
}

impl Spec<'_> {
    /// Returns the name of the Job.
    pub(super) fn name(&self) -> String {
        self.job()["metadata"]["name"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the Job. Its name says all that it is made of: other settings are another builder, and the same are the same.
    pub(super) fn job(&self) -> Value {
        let template = self.template();
        let digest = blake3::hash(template.to_string().as_bytes()).to_hex();
        let labels = json!({ BUILDER_LABEL: "buildkit", USER_LABEL: self.user });
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": format!("devloop-builder-{}-{}", self.user, &digest[..8]),
                "namespace": self.namespace.as_str(),
                "labels": labels,
            },
            "spec": { "backoffLimit": 0, "ttlSecondsAfterFinished": KEPT.as_secs(), "template": template },
        })
    }

    fn template(&self) -> Value {
        let cluster = self.cluster;
        let mut labels = json!({ BUILDER_LABEL: "buildkit", USER_LABEL: self.user });
        for (name, value) in &cluster.labels {
            labels[name] = value.as_str().into();
        }
        let mut container = json!({
            "name": CONTAINER,
            "image": self.image,
            "command": self.command(),
            "env": self.env(),
            "volumeMounts": [{ "name": CACHE_VOLUME, "mountPath": ROOT }],
            "terminationMessagePolicy": "FallbackToLogsOnError",
        });
        if let Some(resources) = &cluster.resources {
            container["resources"] = resources.clone();
        }
        let mut volumes = cluster.volumes.clone();
        if !volumes.iter().any(|volume| volume["name"] == CACHE_VOLUME) {
            volumes.push(json!({ "name": CACHE_VOLUME, "emptyDir": {} }));
        }
        let mut pod = json!({
            "restartPolicy": "Never",
            "enableServiceLinks": false,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 5,
            "containers": [container],
            "volumes": volumes,
        });
        if let Some(account) = &cluster.service_account {
            pod["serviceAccountName"] = account.as_str().into();
        }
        if !cluster.tolerations.is_empty() {
            pod["tolerations"] = cluster.tolerations.clone().into();
        }
        let mut node = json!(cluster.node_selector);
        if let Some(platform) = self.platform {
            node["kubernetes.io/os"] = platform.os().into();
            node["kubernetes.io/arch"] = platform.arch().into();
        }
        if node.as_object().is_some_and(|node| !node.is_empty()) {
            pod["nodeSelector"] = node;
        }
        if self.unconfined {
            let kind = json!({ "type": "Unconfined" });
            pod["securityContext"] = json!({ "seccompProfile": kind, "appArmorProfile": kind });
        }
        json!({ "metadata": { "labels": labels, "annotations": cluster.annotations }, "spec": pod })
    }

    fn command(&self) -> Vec<String> {
        let mut command: Vec<String> = ["/bin/devloop", "builder", "launch"].map(str::to_owned).into();
        command.push(format!("--idle={}s", self.idle.as_secs()));
        command.extend(self.insecure.iter().map(|registry| format!("--insecure-registry={registry}")));
        command.extend(self.registry.and_then(relay).map(|relay| format!("--relay={relay}")));
        command
    }

    fn env(&self) -> Vec<Value> {
        let proxies = [("HTTP_PROXY", &self.cluster.http_proxy), ("HTTPS_PROXY", &self.cluster.https_proxy)];
        proxies.into_iter().filter_map(|(name, value)| Some(json!({ "name": name, "value": value.as_ref()? }))).collect()
    }
}

/// Returns how a registry of this machine's loopback is reached by the same name in a pod: `5000=10.0.0.1:5000`.
fn relay(registry: &LocalRegistry) -> Option<String> {
    let (host, port) = registry.host.rsplit_once(':')?;
    let inside = registry.from_pods.as_ref()?;
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    is_loopback.then(|| if inside.contains(':') { format!("{port}={inside}") } else { format!("{port}={inside}:80") })
}

/// Returns a name of a person as a part of names of objects.
pub(super) fn user_in_names(user: &str) -> String {
    let clean: String = user.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let clean = clean.trim_matches('-');
    if clean.is_empty() { "somebody".to_owned() } else { clean.chars().take(20).collect::<String>().trim_end_matches('-').to_owned() }
}

#[cfg(test)]
mod tests;
