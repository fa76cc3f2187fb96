//! The containers of what is live in the container daemon.

use std::collections::BTreeMap;
use std::sync::Arc;

use devloop_clients::docker::Container;
use devloop_clients::docker::ContainerAction;
use devloop_clients::docker::ContainerNews;
use devloop_clients::docker::ContainerStatus;
use devloop_clients::docker::Docker;
use devloop_model::Cx;
use devloop_model::ReleasedContainer;
use futures::StreamExt as _;
use tokio::sync::watch;

use super::ContainerKey;
use super::Shared;
use super::container::Running;
use super::keepers::Keepers;
use super::place::Place;
use crate::Live;
use crate::containers::LABEL;

/// What one attach keeps up to date.
pub(super) struct DaemonSession<'a> {
    shared: Arc<Shared>,
    keepers: Keepers,
    docker: &'a Docker,
    cx: &'a Cx,
    /// What is live, by ID, and how it runs.
    containers: BTreeMap<String, (ReleasedContainer, Option<Running>)>,
}

impl<'a> DaemonSession<'a> {
    pub(super) fn new(shared: Arc<Shared>, docker: &'a Docker, cx: &'a Cx) -> Self {
        Self { keepers: Keepers::new(Arc::clone(&shared), cx), shared, docker, cx, containers: BTreeMap::new() }
    }

    /// Keeps containers up to date until the step is cancelled, and ends all tasks.
    pub(super) async fn run(mut self, live: watch::Receiver<Arc<Live>>) {
        self.follow(live).await;
        self.keepers.end().await;
    }

    async fn follow(&mut self, mut live: watch::Receiver<Arc<Live>>) {
        let mut news = self.docker.container_news(LABEL, self.cx);
        let mut changes = self.shared.changed.subscribe();
        live.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = self.cx.cancel.cancelled() => return,
                () = self.keepers.ended() => {}
                Ok(()) = live.changed() => {
                    let now = Arc::clone(&live.borrow_and_update());
                    self.release(&now.release.containers).await;
                }
                Some(one) = news.next() => self.take(&one).await,
                // An image may have been built that runs already.
                Ok(()) = changes.changed() => self.containers.keys().cloned().collect::<Vec<_>>().iter().for_each(|id| self.tell(id)),
            }
        }
    }

    async fn release(&mut self, containers: &[ReleasedContainer]) {
        self.containers.retain(|id, _| containers.iter().any(|container| container.id == *id));
        let known = &self.containers;
        self.keepers.gone(|(id, _)| !known.contains_key(id));
        for container in containers {
            let running = self.containers.remove(&container.id).and_then(|(_, running)| running);
            self.containers.insert(container.id.clone(), (container.clone(), running));
            self.look(&container.id).await;
        }
    }

    async fn take(&mut self, news: &ContainerNews) {
        match news {
            ContainerNews::Happened(event) if event.action == ContainerAction::Health => {}
            ContainerNews::Happened(event) => self.look(&event.id).await,
            ContainerNews::Missed => {
                for id in self.containers.keys().cloned().collect::<Vec<_>>() {
                    self.look(&id).await;
                }
            }
        }
    }

    /// Asks how a container of what is live runs.
    async fn look(&mut self, id: &str) {
        let Some((container, running)) = self.containers.get_mut(id) else { return };
        match self.docker.container(id, self.cx).await {
            Ok(found) => *running = found.and_then(|found| run_of(&found, &container.reference)),
            // It is asked again once it is back.
            Err(error) => tracing::debug!(container = container.name, %error, "not known"),
        }
        self.tell(id);
    }

    /// Tells the task of a container how it runs.
    fn tell(&mut self, id: &str) {
        let Some((container, running)) = self.containers.get(id) else { return };
        let key: ContainerKey = (id.to_owned(), container.name.clone());
        match running {
            Some(running) => {
                let place = || Place::Daemon { name: container.name.clone(), id: id.to_owned(), docker: self.docker.clone() };
                self.keepers.runs(key, running, place);
            }
            None => self.keepers.stopped(|known| *known == key),
        }
    }
}

/// Returns how a container runs that was made from `image`; each start is another run.
fn run_of(container: &Container, image: &str) -> Option<Running> {
    let started = container.started.filter(|_| container.status == ContainerStatus::Running)?;
    Some(Running { image: image.to_owned(), id: started.to_string() })
}
