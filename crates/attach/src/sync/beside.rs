//! The agent in a container of its own beside the one that it serves: for images without a shell, or without a place to put a
//! program.
//!
//! An ephemeral container that shares the processes of its target sees the target's files through `/proc/<pid>/root`. Its image holds
//! the agent alone, and is pushed to the repository of the artifact's image, from which the node pulls as it is.

use std::time::Duration;

use bytes::Bytes;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::kube::Detail;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_clients::registry::Blob;
use devloop_clients::registry::PushImage;
use devloop_clients::registry::PushLayer;
use devloop_clients::registry::Registry;
use devloop_clients::registry::digest_of;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Tag;
use futures::StreamExt as _;
use serde_json::Value;
use serde_json::json;

use super::agent;
use super::agent::Agent;
use super::channel::Closed;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// How long the container may take to start: its image is small.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The longest name of a container.
const LONGEST_NAME: usize = 63;

/// What starts agents beside containers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) container: &'a ContainerRef,
    /// The image, as the pod names it.
    pub(super) image: &'a str,
    /// `securityContext` of the container.
    pub(super) security: &'a Value,
    /// Whether as root that may look into other processes, instead of as the target's user.
    pub(super) as_root: bool,
    pub(super) cluster: &'a Cluster,
    pub(super) registry: &'a Registry,
    pub(super) cx: &'a Cx,
}

impl Beside<'_> {
    /// Returns an agent that serves the container from beside.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn start(&self) -> Result<Agent, Closed> {
        let ContainerRef { namespace, container, .. } = self.container;
        let reference = ImageRef::parse(self.image).map_err(|error| error.to_string())?;
        let target = self.registry.image(&reference, None, self.cx).await.map_err(|error| error.to_string())?;
        let architecture = target.config["architecture"].as_str().unwrap_or_default();
        if architecture != own_architecture() {
            return Err(format!("the image is for {architecture}, the agent for {}", own_architecture()).into());
        }
        let image = self.pushed(&reference.name).await?;
        let security = self.security(target.config["config"]["User"].as_str().unwrap_or_default());
        let pod = self.pod().await?;
        let name = if let Some(name) = existing(&pod, container, &image, &security) {
            name
        } else {
            let name = new_name(&pod, container);
            let spec = json!({ "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
                                   "targetContainerName": container, "securityContext": security });
            let added = self.cluster.add_ephemeral_container(namespace, &self.container.pod, &spec, self.cx).await;
            added.map_err(|error| told(&error))?;
            name
        };
        self.started(&name).await?;
        let helper = ContainerRef { container: name, ..self.container.clone() };
        let command = ["/agent", "target", container].map(str::to_owned);
        let exec = self.cluster.exec(&helper, &command, self.cx).await.map_err(|error| Closed::of(&error))?;
        Agent::greet(exec).await
    }

    /// Returns the agent's image, once the repository of the target's image has it.
    async fn pushed(&self, repository: &ImageName) -> Result<String, String> {
        let (image, tag) = agent_image();
        let digest = digest_of(&image.manifest);
        let reference = ImageRef::tagged(repository.clone(), tag);
        if self.registry.digest(&reference, self.cx).await.ok().flatten().as_ref() != Some(&digest) {
            self.registry.push(&reference, image, self.cx).await.map_err(|error| error.to_string())?;
        }
        Ok(ImageRef { tag: None, ..reference }.with_digest(digest).to_string())
    }

    /// What the target is allowed, so that whatever admits the target admits this; and its user, which its image may say.
    fn security(&self, image_user: &str) -> Value {
        let mut security = self.security.clone();
        if self.as_root {
            security["runAsUser"] = json!(0);
            security["runAsGroup"] = json!(0);
            security["runAsNonRoot"] = json!(false);
            security["capabilities"] = json!({ "add": ["SYS_PTRACE"] });
        } else {
            let (user, group) = image_user.split_once(':').unwrap_or((image_user, ""));
            for (field, value) in [("runAsUser", user), ("runAsGroup", group)] {
                if let Ok(number) = value.parse::<u32>()
                    && security[field].is_null()
                {
                    security[field] = json!(number);
                }
            }
        }
        security
    }

    fn watched(&self) -> Selection {
        let ContainerRef { namespace, pod, .. } = self.container;
        let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
        Selection::of(kind, Some(namespace.clone())).fields(format!("metadata.name={pod}"))
    }

    async fn pod(&self) -> Result<Value, String> {
        let pods = self.cluster.list(&self.watched(), Detail::Full, self.cx).await.map_err(|error| error.to_string())?;
        pods.into_iter().next().ok_or_else(|| "the pod is gone".to_owned())
    }

    /// Returns once the container runs, or why it does not.
    async fn started(&self, name: &str) -> Result<(), String> {
        let mut events = self.cluster.watch(&self.watched(), self.cx);
        let running = async {
            while let Some(event) = events.next().await {
                match event.map_err(|error| error.to_string())? {
                    WatchEvent::Applied(pod) => {
                        if let Some(started) = has_started(&pod, name) {
                            return started;
                        }
                    }
                    WatchEvent::Deleted(_) => return Err("the pod is gone".to_owned()),
                    WatchEvent::Listing | WatchEvent::Listed => {}
                }
            }
            Err("interrupted".to_owned())
        };
        let late = || Err(format!("it did not start within {} s", START_LIMIT.as_secs()));
        tokio::time::timeout(START_LIMIT, running).await.unwrap_or_else(|_| late())
    }
}

/// Returns an error with its cause, which is where the API server says what it does not admit.
fn told(error: &KubeError) -> String {
    let Diagnostic { what, why, .. } = error.diagnostic();
    std::iter::once(what).chain(why).collect::<Vec<_>>().join(": ")
}

/// Returns whether the container runs, or why it never will; none while that is open.
fn has_started(pod: &Value, name: &str) -> Option<Result<(), String>> {
    let statuses = pod["status"]["ephemeralContainerStatuses"].as_array()?;
    let state = &statuses.iter().find(|status| status["name"] == name)?["state"];
    if state["running"].is_object() {
        return Some(Ok(()));
    }
    let reason =
        |state: &Value| format!("{}: {}", state["reason"].as_str().unwrap_or_default(), state["message"].as_str().unwrap_or_default());
    if state["terminated"].is_object() {
        return Some(Err(reason(&state["terminated"])));
    }
    let waits = state["waiting"]["reason"].as_str().unwrap_or_default();
    let hopeless =
        ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError", "CreateContainerConfigError", "RunContainerError"];
    hopeless.contains(&waits).then(|| Err(reason(&state["waiting"])))
}

/// Returns the agent's container that runs beside the target already, from before a connection was lost or a session killed.
fn existing(pod: &Value, target: &str, image: &str, security: &Value) -> Option<String> {
    let fits = |spec: &&Value| {
        let own = spec["securityContext"].as_object().cloned().unwrap_or_default();
        spec["targetContainerName"] == target && spec["image"] == image && Value::Object(own) == *security
    };
    let specs = pod["spec"]["ephemeralContainers"].as_array()?;
    let name = |spec: &Value| spec["name"].as_str().map(str::to_owned);
    specs.iter().filter(fits).filter_map(name).find(|name| has_started(pod, name).is_some_and(|started| started.is_ok()))
}

/// A container that ended cannot be started again: each new one takes a new name.
fn new_name(pod: &Value, target: &str) -> String {
    let number = pod["spec"]["ephemeralContainers"].as_array().map_or(0, Vec::len) + 1;
    let (prefix, suffix) = ("devloop-sync-", format!("-{number}"));
    let target: String = target.chars().take(LONGEST_NAME - prefix.len() - suffix.len()).collect();
    format!("{prefix}{target}{suffix}")
}

fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Returns the image that holds the agent alone, always the same, and a tag that tells it from those of other versions.
fn agent_image() -> (PushImage, Tag) {
    let layer = agent::archive("agent");
    let layer_digest = digest_of(&layer);
    let config = json!({ "architecture": own_architecture(), "os": "linux", "config": { "Entrypoint": ["/agent", "wait"] },
                         "rootfs": { "type": "layers", "diff_ids": [layer_digest] } });
    let config: Bytes = config.to_string().into();
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(&config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len() }] });
    let tag = Tag::parse(&format!("devloop-agent-{}", &layer_digest.hex()[..12])).expect("it is one");
    let layers = vec![PushLayer { digest: layer_digest, size: layer.len() as u64, blob: Blob::Bytes(layer) }];
    (PushImage { manifest: manifest.to_string().into(), media_type: MANIFEST.to_owned(), config, layers }, tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_always_the_same() {
        assert_eq!(agent_image().0.manifest, agent_image().0.manifest);
    }

    #[test]
    fn a_container_that_runs_is_used_again() {
        let security = json!({"runAsUser": 5});
        let spec =
            |name: &str, target: &str| json!({"name": name, "image": "a@1", "targetContainerName": target, "securityContext": security});
        let pod = json!({
            "spec": {"ephemeralContainers": [spec("ended", "app"), spec("other", "db"), spec("runs", "app")]},
            "status": {"ephemeralContainerStatuses": [
                {"name": "ended", "state": {"terminated": {"reason": "Error", "message": "gone"}}},
                {"name": "other", "state": {"running": {}}}, {"name": "runs", "state": {"running": {}}}]}});
        assert_eq!(existing(&pod, "app", "a@1", &security).as_deref(), Some("runs"));
        assert_eq!(existing(&pod, "app", "a@2", &security), None);
        assert_eq!(existing(&pod, "app", "a@1", &json!({"runAsUser": 0})), None);
        assert_eq!(new_name(&pod, "app"), "devloop-sync-app-4");
        assert_eq!(new_name(&pod, &"x".repeat(63)).len(), LONGEST_NAME);
        assert_eq!(has_started(&pod, "ended"), Some(Err("Error: gone".into())));
        assert_eq!(has_started(&pod, "waits"), None);
    }
}
