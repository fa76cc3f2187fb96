//! Logs of every container of a session's releases, followed until the step is cancelled.
//!
//! Pods are found by owner, from the objects of the release down, so that pods of later replica sets are followed as
//! they come. Each container has one task that survives restarts of the container and of the connection.

mod container;
mod containers;
mod seen;

use std::collections::HashMap;
use std::collections::HashSet;

use devloop_clients::kube::Cluster;
use devloop_model::Cx;
use devloop_model::Namespace;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::container::Follower;
use self::containers::ContainerState;
pub(crate) use self::seen::Seen;
use crate::family::Family;
use crate::objects::Change;
use crate::objects::Objects;
use crate::objects::Scope;
use crate::objects::is_leaving;
use crate::objects::name;
use crate::objects::namespace;
use crate::objects::uid;

/// What is followed.
#[derive(Debug, Clone, Default)]
pub struct LogSpec {
    /// Lines before this time are old: those of pods that an earlier run left. None shows all.
    pub since: Option<String>,
}

/// What is being followed now.
pub(crate) struct Logs<'a> {
    spec: &'a LogSpec,
    cluster: &'a Cluster,
    cx: &'a Cx,
    ours: Ours,
    /// The last known state of each container, by the pod's UID and the container's name.
    containers: HashMap<(String, String), watch::Sender<ContainerState>>,
    tasks: JoinSet<()>,
}

impl<'a> Logs<'a> {
    /// Returns logs of nothing yet.
    pub(crate) fn new(spec: &'a LogSpec, cluster: &'a Cluster, cx: &'a Cx) -> Self {
        Self { spec, cluster, cx, ours: Ours::default(), containers: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Returns what has to be watched in the namespaces of a release.
    pub(crate) fn scopes(namespace: &Namespace) -> [Scope; 3] {
        ["ReplicaSet", "Job", "Pod"].map(|kind| Scope::new(namespace, kind))
    }

    /// Follows the pods among `changes` that belong to the family; what owns pods may make others known as ours.
    pub(crate) fn take(&mut self, changes: &[Change], family: &Family, objects: &Objects) {
        for change in changes {
            match change {
                Change::There(object) if object["kind"] == "Pod" => self.pod(object, family, objects),
                Change::There(object) => self.look_again(&namespace(object), family, objects),
                Change::Gone(object) => self.forget(object),
            }
        }
    }

    /// Follows the pods of a namespace that belong to the family by now.
    pub(crate) fn look_again(&mut self, namespace: &Namespace, family: &Family, objects: &Objects) {
        for pod in objects.all(namespace, "Pod") {
            self.pod(pod, family, objects);
        }
    }

    /// Waits until a log ends; never returns, for there will be others.
    pub(crate) async fn ended(&mut self) {
        loop {
            match self.tasks.join_next().await {
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn pod(&mut self, pod: &Value, family: &Family, objects: &Objects) {
        if !self.ours.has(pod, family, objects) {
            return;
        }
        for (container, state) in containers::states(pod) {
            self.follow(pod, container, state, family);
        }
    }

    fn follow(&mut self, pod: &Value, container: String, state: ContainerState, family: &Family) {
        let key = (uid(pod).to_owned(), container.clone());
        if let Some(sender) = self.containers.get(&key) {
            sender.send_if_modified(|known| {
                let changed = *known != state;
                *known = state;
                changed
            });
            return;
        }
        let artifact = family.artifact(&state.image).cloned();
        let (sender, receiver) = watch::channel(state);
        let follower = Follower {
            cluster: self.cluster.clone(),
            cx: self.cx.clone(),
            namespace: namespace(pod),
            pod: name(pod).to_owned(),
            container,
            artifact,
            since: self.spec.since.clone(),
        };
        self.tasks.spawn(follower.run(receiver));
        self.containers.insert(key, sender);
    }

    fn forget(&mut self, object: &Value) {
        let id = uid(object);
        if self.ours.forget(id) {
            // A task that sees its sender gone reads to the end of the log, and ends.
            self.containers.retain(|(pod, _), _| pod != id);
        }
    }
}

/// The pods that are followed, by UID: until they are gone, whatever becomes of their release.
#[derive(Debug, Default)]
struct Ours {
    pods: HashSet<String>,
    /// Pods that were on their way out when they were seen first: they belong to what was there before.
    left: HashSet<String>,
}

impl Ours {
    /// Returns whether a pod is followed, from now on if it belongs to the family.
    fn has(&mut self, pod: &Value, family: &Family, objects: &Objects) -> bool {
        let id = uid(pod);
        if self.pods.contains(id) {
            return true;
        }
        if self.left.contains(id) || !family.has(pod, objects) {
            return false;
        }
        let stays = !is_leaving(pod);
        let set = if stays { &mut self.pods } else { &mut self.left };
        set.insert(id.to_owned());
        stays
    }

    /// Forgets a pod; returns whether it was followed.
    fn forget(&mut self, uid: &str) -> bool {
        self.left.remove(uid);
        self.pods.remove(uid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::family::tests::live;
    use crate::objects::tests::object;
    use crate::objects::tests::objects;

    fn leaving(mut pod: Value) -> Value {
        pod["metadata"]["deletionTimestamp"] = json!("now");
        pod
    }

    #[test]
    fn pods_are_followed_once_they_are_known_as_ours_and_until_they_are_gone() {
        let (mut ours, objects) = (Ours::default(), objects(vec![object("ReplicaSet", "web-1", ("Deployment", "web"))]));
        let pod = object("Pod", "web-1-x", ("ReplicaSet", "web-1"));
        let none = Family::default();
        assert!(!ours.has(&pod, &none, &objects));
        assert!(ours.has(&pod, &Family::of(&live(&[("Deployment", "web")], &[])), &objects));
        assert!(ours.has(&leaving(pod.clone()), &none, &objects), "a later release does not have it any more");
        assert!(ours.forget("web-1-x"));
        assert!(!ours.has(&pod, &none, &objects));
    }

    #[test]
    fn a_pod_that_leaves_is_followed_only_if_it_was_before() {
        let (mut ours, objects) = (Ours::default(), objects(vec![]));
        let pod = object("Pod", "one", ("", ""));
        let family = Family::of(&live(&[("Pod", "one")], &[]));
        assert!(!ours.has(&leaving(pod.clone()), &family, &objects));
        assert!(!ours.has(&pod, &family, &objects));
        assert!(!ours.forget("one"));
    }
}
