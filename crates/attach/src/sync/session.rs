//! The pods of what is live, and which of their containers run.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_clients::registry::Registry;
use devloop_model::Cx;
use devloop_model::Namespace;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use futures::stream::SelectAll;
use serde_json::Value;
use tokio::sync::watch;

use super::Shared;
use super::keepers::Keepers;
use super::place::Place;
use super::pods;
use super::pods::PodContainer;
use crate::AttachError;
use crate::Live;

type PodEvents = SelectAll<BoxStream<'static, (Namespace, Result<WatchEvent, KubeError>)>>;

/// What one attach keeps up to date.
pub(super) struct Session<'a> {
    shared: Arc<Shared>,
    keepers: Keepers,
    cluster: &'a Cluster,
    registry: &'a Registry,
    cx: &'a Cx,
    watched: BTreeSet<Namespace>,
    events: PodEvents,
    /// Containers that run, by pod.
    pods: HashMap<String, (Namespace, Vec<PodContainer>)>,
    /// Pods that a list that is under way has not named yet.
    stale: HashMap<Namespace, HashSet<String>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: Arc<Shared>, cluster: &'a Cluster, registry: &'a Registry, cx: &'a Cx) -> Self {
        Self {
            keepers: Keepers::new(Arc::clone(&shared), cx),
            shared,
            cluster,
            registry,
            cx,
            watched: BTreeSet::new(),
            events: SelectAll::new(),
            pods: HashMap::new(),
            stale: HashMap::new(),
        }
    }

    /// Keeps containers up to date until the step is cancelled, and ends all tasks.
    pub(super) async fn run(mut self, live: watch::Receiver<Arc<Live>>) -> Result<(), AttachError> {
        let result = self.follow(live).await;
        self.keepers.end().await;
        result
    }

    async fn follow(&mut self, mut live: watch::Receiver<Arc<Live>>) -> Result<(), AttachError> {
        let mut changes = self.shared.changed.subscribe();
        let mut live_ends = false;
        loop {
            let now = Arc::clone(&live.borrow_and_update());
            self.watch(&now);
            tokio::select! {
                biased;
                () = self.cx.cancel.cancelled() => return Ok(()),
                () = self.keepers.ended() => {}
                Some((namespace, event)) = self.events.next() => match event {
                    Ok(event) => self.take(&namespace, event),
                    Err(KubeError::Cancelled) => return Ok(()),
                    Err(error) => return Err(AttachError::Watch(error)),
                },
                changed = live.changed(), if !live_ends => live_ends = changed.is_err(),
                // An image may have been built that runs already.
                Ok(()) = changes.changed() => self.tell_all(),
            }
        }
    }

    fn watch(&mut self, live: &Live) {
        for namespace in live.release.objects.iter().filter_map(|object| object.key.namespace.as_ref()) {
            if !self.watched.insert(namespace.clone()) {
                continue;
            }
            self.shared.namespaces().push(namespace.as_str().to_owned());
            let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
            let stream = self.cluster.watch(&Selection::of(kind, Some(namespace.clone())), self.cx);
            let namespace = namespace.clone();
            self.events.push(stream.map(move |event| (namespace.clone(), event)).boxed());
        }
    }

    fn take(&mut self, namespace: &Namespace, event: WatchEvent) {
        let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        match event {
            WatchEvent::Applied(pod) => {
                let uid = uid(&pod);
                if let Some(stale) = self.stale.get_mut(namespace) {
                    stale.remove(&uid);
                }
                self.pods.insert(uid.clone(), (namespace.clone(), pods::running(&pod)));
                self.tell(&uid);
            }
            WatchEvent::Deleted(pod) => self.forget(&uid(&pod)),
            WatchEvent::Listing => {
                let here = self.pods.iter().filter(|(_, (known, _))| known == namespace).map(|(uid, _)| uid.clone()).collect();
                self.stale.insert(namespace.clone(), here);
            }
            WatchEvent::Listed => {
                for gone in self.stale.remove(namespace).unwrap_or_default() {
                    self.forget(&gone);
                }
            }
        }
    }

    fn forget(&mut self, uid: &str) {
        self.pods.remove(uid);
        self.keepers.gone(|(pod, _)| pod == uid);
    }

    fn tell_all(&mut self) {
        for uid in self.pods.keys().cloned().collect::<Vec<_>>() {
            self.tell(&uid);
        }
    }

    /// Tells the tasks of a pod what its containers do.
    fn tell(&mut self, uid: &str) {
        let Some((_, running)) = self.pods.get(uid) else { return };
        self.keepers.stopped(|(pod, name)| pod == uid && !running.iter().any(|one| one.container.container == *name));
        for PodContainer { uid, container, running, security } in running {
            let place = || Place::Pod {
                container: container.clone(),
                security: security.clone(),
                cluster: self.cluster.clone(),
                registry: self.registry.clone(),
            };
            self.keepers.runs((uid.clone(), container.container.clone()), running, place);
        }
    }
}
