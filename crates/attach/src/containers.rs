//! Containers of the container daemon: their logs, and their ports, which the daemon publishes by itself.

mod log;
mod port;

use std::collections::BTreeMap;
use std::sync::Arc;

use devloop_clients::docker::ContainerAction;
use devloop_clients::docker::ContainerNews;
use devloop_clients::docker::Docker;
use devloop_model::Cx;
use devloop_model::ForwardSource;
use devloop_model::Namespace;
use devloop_model::PublishedPort;
use devloop_model::ReleasedContainer;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::log::Follower;
use self::port::Port;
use crate::AttachSpec;
use crate::Live;

/// The label of every container that is deployed.
pub(crate) const LABEL: &str = "devloop.dev/inventory";

/// Follows the logs of containers and tells how their ports are, until the step is cancelled. What goes wrong with one of them is told
/// by an event, and ends nothing.
pub async fn attach_containers(mut specs: watch::Receiver<AttachSpec>, mut live: watch::Receiver<Arc<Live>>, docker: &Docker, cx: &Cx) {
    let mut news = docker.container_news(LABEL, cx);
    let mut attached = Attached::new(docker, cx);
    live.mark_changed();
    loop {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => break,
            Some(ended) = attached.tasks.join_next() => attached.ended(ended),
            Ok(()) = live.changed() => {
                let spec = specs.borrow_and_update().clone();
                let now = Arc::clone(&live.borrow_and_update());
                attached.release(&now.release.containers, &spec);
            }
            Some(one) = news.next() => attached.take(&one),
        }
    }
    attached.close();
}

/// What is attached now.
struct Attached<'a> {
    docker: &'a Docker,
    cx: &'a Cx,
    /// How often each container was started since it is known, by ID; its log ends with the sender.
    starts: BTreeMap<String, watch::Sender<u64>>,
    ports: BTreeMap<ForwardSource, Port>,
    /// Each ends with the source of the port that it asked, and the address that answered.
    tasks: JoinSet<Option<(ForwardSource, String)>>,
}

impl<'a> Attached<'a> {
    fn new(docker: &'a Docker, cx: &'a Cx) -> Self {
        Self { docker, cx, starts: BTreeMap::new(), ports: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Takes in what is live now.
    fn release(&mut self, containers: &[ReleasedContainer], spec: &AttachSpec) {
        for container in containers {
            if let Some(logs) = spec.logs.as_ref().filter(|_| !self.starts.contains_key(&container.id)) {
                let (sender, starts) = watch::channel(0);
                let follower = Follower::new(container, logs.since.as_deref(), self.docker, self.cx);
                self.tasks.spawn(async move {
                    follower.run(starts).await;
                    None
                });
                self.starts.insert(container.id.clone(), sender);
            }
        }
        let wanted: BTreeMap<ForwardSource, (&ReleasedContainer, &PublishedPort)> = containers
            .iter()
            .flat_map(|container| container.ports.iter().map(move |port| (source(container, port), (container, port))))
            .collect();
        let gone: Vec<ForwardSource> = self.ports.keys().filter(|source| !wanted.contains_key(source)).cloned().collect();
        for source in gone {
            if let Some(port) = self.ports.remove(&source) {
                port.closed(&source, self.cx);
            }
        }
        for (source, (container, published)) in wanted {
            let port = self.ports.entry(source.clone()).or_default();
            if port.serves(&source, container, published, self.cx) {
                self.tasks.spawn(port.question(source));
            }
        }
    }

    /// Takes in what happened to a container.
    fn take(&mut self, news: &ContainerNews) {
        let ContainerNews::Happened(event) = news else {
            self.starts.values().for_each(|starts| starts.send_modify(|count| *count += 1));
            return;
        };
        match event.action {
            ContainerAction::Started => {
                if let Some(starts) = self.starts.get(&event.id) {
                    starts.send_modify(|count| *count += 1);
                }
                for (source, port) in self.ports.iter_mut().filter(|(_, port)| port.is_of(&event.id)) {
                    if port.back(source, self.cx) {
                        self.tasks.spawn(port.question(source.clone()));
                    }
                }
            }
            ContainerAction::Ended => {
                for (source, port) in self.ports.iter_mut().filter(|(_, port)| port.is_of(&event.id)) {
                    port.away(source, self.cx);
                }
            }
            // The log of one that is gone is read to its end.
            ContainerAction::Removed => drop(self.starts.remove(&event.id)),
            ContainerAction::Health => {}
        }
    }

    fn ended(&mut self, ended: Result<Option<(ForwardSource, String)>, tokio::task::JoinError>) {
        match ended {
            Ok(Some((source, url))) => {
                if let Some(port) = self.ports.get_mut(&source) {
                    port.answered(source, url, self.cx);
                }
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Ok(None) | Err(_) => {}
        }
    }

    fn close(self) {
        for (source, port) in self.ports {
            port.closed(&source, self.cx);
        }
    }
}

/// Returns what names a port of a container, over its replacements.
fn source(container: &ReleasedContainer, port: &PublishedPort) -> ForwardSource {
    ForwardSource {
        kind: "container".to_owned(),
        name: container.name.clone(),
        namespace: Namespace(String::new()),
        port: port.port.to_string(),
    }
}
