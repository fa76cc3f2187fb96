//! Which pods belong to a release, and what their containers do; no I/O.

use std::collections::HashMap;
use std::collections::HashSet;

use devloop_model::BuiltImage;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::Release;
use serde_json::Value;

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerState {
    /// The image, as the pod names it.
    pub(super) image: String,
    /// How often it was restarted.
    pub(super) restarts: i64,
    /// Whether it runs.
    pub(super) running: bool,
    /// Whether there is a log: it runs, or did.
    pub(super) started: bool,
}

/// A pod of the release.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodContainers {
    pub(super) uid: String,
    pub(super) namespace: Namespace,
    pub(super) name: String,
    /// Containers by name, init containers first.
    pub(super) containers: Vec<(String, ContainerState)>,
}

/// The objects of a release and what descends from them.
#[derive(Debug)]
pub(super) struct Family {
    roots: HashSet<String>,
    /// The owner of each replica set and job.
    owners: HashMap<String, String>,
    /// Pods whose owner is not known to be one of ours yet; a watch of pods may be ahead of that of replica sets.
    unclear: HashMap<String, Value>,
    ours: HashSet<String>,
    artifacts: HashMap<String, ImageName>,
}

impl Family {
    /// Returns the family of a release that runs these images.
    pub(super) fn new(release: &Release, images: &[BuiltImage]) -> Self {
        Self {
            roots: release.objects.iter().map(|object| object.uid.clone()).collect(),
            owners: HashMap::new(),
            unclear: HashMap::new(),
            ours: HashSet::new(),
            artifacts: images.iter().map(|image| (image.deployed(), image.artifact.clone())).collect(),
        }
    }

    /// Returns the artifact that an image was built from.
    pub(super) fn artifact(&self, image: &str) -> Option<&ImageName> {
        self.artifacts.get(image)
    }

    /// Takes in the state of a replica set, job or pod; returns the pods that it makes known as ours, or that changed.
    pub(super) fn take(&mut self, object: &Value) -> Vec<PodContainers> {
        let metadata = &object["metadata"];
        let Some(uid) = metadata["uid"].as_str() else { return Vec::new() };
        if object["kind"] == "Pod" {
            return self.take_pod(uid, object).into_iter().collect();
        }
        match owner(metadata) {
            Some(owner) if self.owners.get(uid).is_none_or(|known| known != owner) => {
                self.owners.insert(uid.to_owned(), owner.to_owned());
            }
            _ => return Vec::new(),
        }
        let waiting: Vec<Value> = self.unclear.values().filter(|pod| owner_is(&pod["metadata"], uid)).cloned().collect();
        waiting.iter().filter_map(|pod| self.take_pod(pod["metadata"]["uid"].as_str()?, pod)).collect()
    }

    fn take_pod(&mut self, uid: &str, pod: &Value) -> Option<PodContainers> {
        if !self.ours.contains(uid) {
            // What is on its way out when we come belongs to what was there before.
            let leaves = pod["metadata"]["deletionTimestamp"].is_string();
            if leaves || !(self.descends(uid, &pod["metadata"]) || self.runs_ours(pod)) {
                self.remember_unclear(uid, pod);
                return None;
            }
            self.unclear.remove(uid);
            self.ours.insert(uid.to_owned());
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(PodContainers {
            uid: uid.to_owned(),
            namespace: Namespace(text(&pod["metadata"]["namespace"])),
            name: text(&pod["metadata"]["name"]),
            containers: containers(pod),
        })
    }

    /// Keeps a pod whose replica set or job was not seen yet.
    fn remember_unclear(&mut self, uid: &str, pod: &Value) {
        match owner(&pod["metadata"]) {
            Some(owner) if !self.owners.contains_key(owner) && !pod["metadata"]["deletionTimestamp"].is_string() => {
                self.unclear.insert(uid.to_owned(), pod.clone());
            }
            _ => drop(self.unclear.remove(uid)),
        }
    }

    fn descends(&self, uid: &str, metadata: &Value) -> bool {
        let mut next = Some(uid);
        let mut up = owner(metadata);
        // Pod, job or replica set, and what they are made by: three levels; a cycle must not hold us.
        for _ in 0..4 {
            if next.is_some_and(|uid| self.roots.contains(uid)) {
                return true;
            }
            next = up;
            up = next.and_then(|uid| self.owners.get(uid)).map(String::as_str);
        }
        false
    }

    fn runs_ours(&self, pod: &Value) -> bool {
        specs(pod).any(|spec| spec["image"].as_str().is_some_and(|image| self.artifacts.contains_key(image)))
    }

    /// Forgets an object that is gone; returns its UID if it was a pod of ours.
    pub(super) fn forget(&mut self, object: &Value) -> Option<String> {
        let uid = object["metadata"]["uid"].as_str()?;
        self.owners.remove(uid);
        self.unclear.remove(uid);
        self.ours.remove(uid).then(|| uid.to_owned())
    }
}

fn owner(metadata: &Value) -> Option<&str> {
    metadata["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)?["uid"].as_str()
}

fn owner_is(metadata: &Value, uid: &str) -> bool {
    owner(metadata) == Some(uid)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn specs(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"], "initContainers").iter().chain(list(&pod["spec"], "containers"))
}

fn containers(pod: &Value) -> Vec<(String, ContainerState)> {
    let statuses: Vec<&Value> =
        list(&pod["status"], "initContainerStatuses").iter().chain(list(&pod["status"], "containerStatuses")).collect();
    let state = |spec: &Value| {
        let name = spec["name"].as_str()?;
        let status = statuses.iter().find(|status| status["name"] == name).copied().unwrap_or(&Value::Null);
        let (now, before) = (&status["state"], &status["lastState"]);
        let state = ContainerState {
            image: spec["image"].as_str().unwrap_or_default().to_owned(),
            restarts: status["restartCount"].as_i64().unwrap_or_default(),
            running: now["running"].is_object(),
            started: now["running"].is_object() || has_run(&now["terminated"]) || has_run(&before["terminated"]),
        };
        Some((name.to_owned(), state))
    };
    specs(pod).filter_map(state).collect()
}

/// A container that could not be created is "terminated" too, but has no log.
fn has_run(terminated: &Value) -> bool {
    terminated["containerID"].as_str().is_some_and(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use devloop_model::ObjectKey;
    use devloop_model::ReleasedObject;
    use serde_json::json;

    use super::*;

    fn family(uid: &str) -> Family {
        let key =
            ObjectKey { group: "apps".into(), kind: "Deployment".into(), namespace: Some(Namespace("shop".into())), name: "web".into() };
        let object = ReleasedObject { key, api_version: "apps/v1".into(), uid: uid.into(), generation: None };
        Family::new(&Release { objects: vec![object] }, &[])
    }

    fn pod(uid: &str, owner: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": uid, "namespace": "shop", "uid": uid, "ownerReferences": [{"controller": true, "uid": owner}]},
               "spec": {"initContainers": [{"name": "init", "image": "i"}], "containers": [{"name": "c", "image": "x"}]},
               "status": {"initContainerStatuses": [{"name": "init", "restartCount": 0, "state": {"terminated": {"containerID": "containerd://1"}}}],
                          "containerStatuses": [{"name": "c", "restartCount": 2, "state": {"running": {}}}]}})
    }

    fn set(uid: &str, owner: &str) -> Value {
        json!({"kind": "ReplicaSet", "metadata": {"uid": uid, "ownerReferences": [{"controller": true, "uid": owner}]}})
    }

    #[test]
    fn pods_are_found_by_owner_whatever_comes_first() {
        let mut family = family("d");
        assert_eq!(family.take(&pod("p1", "rs")), []);
        assert_eq!(family.take(&set("other", "somebody")), []);
        let found = family.take(&set("rs", "d"));
        assert_eq!(found[0].name, "p1");
        let container = |restarts, running, image: &str| ContainerState { image: image.into(), restarts, running, started: true };
        assert_eq!(found[0].containers, [("init".to_owned(), container(0, false, "i")), ("c".to_owned(), container(2, true, "x"))]);
        assert_eq!(family.take(&pod("p2", "rs"))[0].name, "p2");
        assert_eq!(family.take(&pod("p3", "other")), []);
        assert_eq!((family.forget(&pod("p2", "rs")), family.forget(&pod("p3", "other"))), (Some("p2".to_owned()), None));
    }

    #[test]
    fn a_pod_may_be_an_object_of_the_release_itself() {
        assert_eq!(family("p").take(&pod("p", "")).len(), 1);
    }

    #[test]
    fn a_pod_that_leaves_is_followed_only_if_it_was_before() {
        let mut family = family("d");
        family.take(&set("rs", "d"));
        let mut leaving = pod("p1", "rs");
        leaving["metadata"]["deletionTimestamp"] = json!("now");
        assert_eq!(family.take(&leaving), []);
        family.take(&pod("p1", "rs"));
        assert_eq!(family.take(&leaving).len(), 1);
    }
}
