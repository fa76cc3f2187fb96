//! Logs of every container of a release, followed until the step is cancelled.
//!
//! Pods are found by owner, from the objects of the release down, so that pods of later replica sets are followed as
//! they come. Each container has one task that survives restarts of the container and of the connection.

mod container;
mod pods;
mod seen;

use std::collections::BTreeSet;
use std::collections::HashMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::Release;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use futures::stream::SelectAll;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::container::Follower;
use self::pods::ContainerState;
use self::pods::Family;
use self::pods::PodContainers;
use crate::AttachError;

/// What is followed.
#[derive(Debug, Clone, Default)]
pub struct LogSpec {
    /// The images of this session: their containers' lines carry the artifact's name, and a pod that runs one of them
    /// is followed even where its owner is not known.
    pub images: Vec<BuiltImage>,
    /// Lines before this time are old: those of pods that an earlier run left. None shows all.
    pub since: Option<String>,
}

/// Records the lines of all containers of the release, each once and in order, until the step is cancelled.
///
/// # Errors
/// When the pods cannot be watched.
pub async fn follow_logs(spec: &LogSpec, release: &Release, cluster: &Cluster, cx: &Cx) -> Result<(), AttachError> {
    let mut streams = watches(release, cluster, cx);
    let mut following =
        Following { spec, cluster, cx, family: Family::new(release, &spec.images), containers: HashMap::new(), tasks: JoinSet::new() };
    loop {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Ok(()),
            Some(ended) = following.tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            event = streams.next() => match event {
                Some((_, Ok(event))) => following.take(event),
                // Replica sets and jobs only tell whose a pod is; without them, images still do.
                Some((kind, Err(error))) if kind != "Pod" => tracing::debug!(kind, %error, "not watched"),
                Some((_, Err(KubeError::Cancelled))) => return Ok(()),
                Some((_, Err(error))) => return Err(AttachError::Watch(error)),
                // Nothing of the release lives in a namespace.
                None => {
                    cx.cancel.cancelled().await;
                    return Ok(());
                }
            },
        }
    }
}

type Streams = SelectAll<BoxStream<'static, (&'static str, Result<WatchEvent, KubeError>)>>;

fn watches(release: &Release, cluster: &Cluster, cx: &Cx) -> Streams {
    let namespaces: BTreeSet<&Namespace> = release.objects.iter().filter_map(|object| object.key.namespace.as_ref()).collect();
    let mut streams = SelectAll::new();
    for namespace in namespaces {
        for (version, kind) in [("apps/v1", "ReplicaSet"), ("batch/v1", "Job"), ("v1", "Pod")] {
            let resolved = built_in_kind(version, kind).expect("it is in the table");
            let stream = cluster.watch(&Selection::of(resolved, Some(namespace.clone())), cx);
            streams.push(stream.map(move |event| (kind, event)).boxed());
        }
    }
    streams
}

/// What is being followed now.
struct Following<'a> {
    spec: &'a LogSpec,
    cluster: &'a Cluster,
    cx: &'a Cx,
    family: Family,
    /// The last known state of each container, by the pod's UID and the container's name.
    containers: HashMap<(String, String), watch::Sender<ContainerState>>,
    tasks: JoinSet<()>,
}

impl Following<'_> {
    fn take(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Applied(object) => {
                for pod in self.family.take(&object) {
                    self.follow(&pod);
                }
            }
            WatchEvent::Deleted(object) => {
                if let Some(uid) = self.family.forget(&object) {
                    // A task that sees its sender gone reads to the end of the log, and ends.
                    self.containers.retain(|(pod, _), _| *pod != uid);
                }
            }
            WatchEvent::Listing | WatchEvent::Listed => {}
        }
    }

    fn follow(&mut self, pod: &PodContainers) {
        for (name, state) in &pod.containers {
            let key = (pod.uid.clone(), name.clone());
            if let Some(sender) = self.containers.get(&key) {
                sender.send_if_modified(|known| {
                    let changed = known != state;
                    known.clone_from(state);
                    changed
                });
                continue;
            }
            let (sender, receiver) = watch::channel(state.clone());
            let follower = Follower {
                cluster: self.cluster.clone(),
                cx: self.cx.clone(),
                namespace: pod.namespace.clone(),
                pod: pod.name.clone(),
                container: name.clone(),
                artifact: self.family.artifact(&state.image).cloned(),
                since: self.spec.since.clone(),
            };
            self.tasks.spawn(follower.run(receiver));
            self.containers.insert(key, sender);
        }
    }
}
