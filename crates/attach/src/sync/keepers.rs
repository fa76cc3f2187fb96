//! The tasks that keep containers up to date: one for each that runs a synced image.

use std::collections::HashMap;
use std::sync::Arc;

use devloop_model::Cx;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ContainerKey;
use super::Member;
use super::Shared;
use super::channel::Connector;
use super::container::Keeper;
use super::container::Progress;
use super::container::Running;
use super::place::Place;

/// The containers of one attach.
#[derive(Debug)]
pub(super) struct Keepers {
    shared: Arc<Shared>,
    cx: Cx,
    /// What each container's task is told.
    states: HashMap<ContainerKey, watch::Sender<Option<Running>>>,
    tasks: JoinSet<()>,
}

impl Keepers {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Self {
        Self { shared, cx: cx.clone(), states: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Takes in that a container runs; one that runs a synced image for the first time gets a task.
    pub(super) fn runs(&mut self, key: ContainerKey, running: &Running, place: impl FnOnce() -> Place) {
        if let Some(state) = self.states.get(&key) {
            state.send_if_modified(|known| {
                let differs = known.as_ref() != Some(running);
                *known = Some(running.clone());
                differs
            });
            return;
        }
        let Some(artifact) = self.shared.ledger().artifact_of(&running.image).cloned() else { return };
        let (state, states) = watch::channel(Some(running.clone()));
        // It runs from the start, so that a sync right after does not pass it by.
        let (sender, progress) = watch::channel(Progress { running: true, ..Progress::default() });
        let member = Member { artifact: artifact.image.clone(), progress };
        let connector = Connector { place: place(), cx: self.cx.clone(), known: Arc::clone(&self.shared.routes) };
        let keeper = Keeper { shared: Arc::clone(&self.shared), connector, artifact, progress: sender, in_hook: false };
        self.tasks.spawn(keeper.run(states));
        self.states.insert(key.clone(), state);
        self.shared.containers().insert(key, member);
    }

    /// Takes in that those of these containers do not run now.
    pub(super) fn stopped(&self, those: impl Fn(&ContainerKey) -> bool) {
        for (_, state) in self.states.iter().filter(|(key, _)| those(key)) {
            state.send_replace(None);
        }
    }

    /// Takes in that those of these containers are gone.
    pub(super) fn gone(&mut self, those: impl Fn(&ContainerKey) -> bool) {
        let shared = Arc::clone(&self.shared);
        let mut members = shared.containers();
        self.states.retain(|key, _| {
            let is_gone = those(key);
            if is_gone {
                members.remove(key);
            }
            !is_gone
        });
    }

    /// Returns when a task has ended; panics if it did.
    pub(super) async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    /// Ends all tasks.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Drop for Keepers {
    fn drop(&mut self) {
        // Nobody waits for a container that nobody keeps.
        self.gone(|_| true);
    }
}
