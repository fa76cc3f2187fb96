//! One container, kept up to date over its restarts and those of the connection.

use std::sync::Arc;
use std::time::Duration;

use devloop_agent::protocol::Failure;
use devloop_clients::hooks::Phase;
use devloop_model::Artifact;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::Hook;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::channel::Channel;
use super::channel::Connector;
use super::destinations::is_emptied;
use super::hooks;
use super::ledger::Lacking;
use super::ledger::Mark;
use super::place::Place;

/// How long a batch is sent again and again whose connection is lost, or does not come about.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How many files a failure names.
const NAMED: usize = 5;

/// A run of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// The image, as the configuration of the container names it.
    pub(super) image: String,
    /// What tells this run from the one before.
    pub(super) id: String,
}

/// How far a container is.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Whether it runs.
    pub(super) running: bool,
    /// What it has.
    pub(super) done: Mark,
    /// What it could not be given, and why.
    pub(super) failed: Option<(Mark, Diagnostic)>,
}

/// What became of one attempt to send a batch.
enum Tried {
    /// The container has it.
    Done,
    /// A way with more rights was opened, for the next attempt.
    OpenedAnother,
    /// There was no connection, and why.
    Lost(String),
}

/// Keeps one container up to date.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) connector: Connector,
    pub(super) artifact: Arc<Artifact>,
    pub(super) progress: watch::Sender<Progress>,
    /// Whether a hook runs in the container.
    pub(super) in_hook: bool,
}

impl Keeper {
    /// Keeps the container up to date until its pod is gone; `states` has it while it runs.
    pub(super) async fn run(mut self, mut states: watch::Receiver<Option<Running>>) {
        loop {
            let Ok(running) = states.wait_for(Option::is_some).await.map(|state| state.clone()) else { return };
            let Some(running) = running else { continue };
            let ended = async {
                // Its sender is dropped with the pod.
                drop(states.wait_for(|state| state.as_ref().map(|now| &now.id) != Some(&running.id)).await.map(|_| ()));
            };
            tokio::select! {
                biased;
                () = ended => {}
                () = self.keep(&running) => {}
            }
            self.progress.send_modify(|progress| progress.running = false);
        }
    }

    /// Keeps one run of the container up to date; returns never, but is dropped when the run ends.
    async fn keep(&mut self, running: &Running) {
        // A hook that ended the container would end it for ever if it ran again for what it has lost by that.
        let hooks_end_it = std::mem::take(&mut self.in_hook);
        let mut changes = self.shared.changed.subscribe();
        let mut round = changes.borrow_and_update().round;
        let (mut channel, mut opens_early) = (None, true);
        self.progress.send_replace(Progress { running: true, ..Progress::default() });
        let mut is_new = true;
        loop {
            let now = *changes.borrow_and_update();
            if now.round != round {
                round = now.round;
                self.progress.send_modify(|progress| (progress.done, progress.failed) = (Mark::default(), None));
            }
            let with_hooks = !(is_new && hooks_end_it);
            self.catch_up(running, &mut channel, is_new, with_hooks).await;
            is_new = false;
            if opens_early {
                self.open_early(running, &mut channel).await;
            }
            tokio::select! {
                _ = changes.changed() => {}
                // What ends a connection may end the next: it waits for a need.
                () = lost(&mut channel) => (channel, opens_early) = (None, false),
            }
        }
    }

    /// Gives the container what it lacks, if anything, and says so.
    async fn catch_up(&mut self, running: &Running, channel: &mut Option<Channel>, is_new: bool, with_hooks: bool) {
        let Progress { done, failed, .. } = self.progress.borrow().clone();
        let lacking = self.shared.ledger().lacking(&self.artifact.image, &running.image, done);
        if failed.is_some_and(|(mark, _)| lacking.newest <= mark) {
            return;
        }
        let result = if lacking.changes.is_empty() { Ok(()) } else { self.give(running, channel, &lacking, with_hooks).await };
        match result {
            Ok(()) => {
                if is_new && !lacking.changes.is_empty() {
                    self.say_replayed(&lacking);
                }
                self.progress.send_modify(|progress| (progress.done, progress.failed) = (lacking.mark, None));
            }
            Err(why) => {
                tracing::debug!(container = %self.connector.place, %why, "not synced");
                if is_new {
                    // Nobody waits for it: a container that lacks something has to be told of.
                    self.connector.cx.warn(Diagnostic { severity: devloop_model::Severity::Warning, ..why.clone() });
                }
                self.progress.send_modify(|progress| progress.failed = Some((lacking.mark, why)));
            }
        }
    }

    fn say_replayed(&self, lacking: &Lacking) {
        let copied = lacking.changes.iter().filter(|change| change.source.is_some()).count();
        self.connector.cx.emit(EventKind::FilesSynced {
            artifact: self.artifact.image.clone(),
            copied,
            deleted: lacking.changes.iter().filter(|change| change.source.is_none() && !is_emptied(&change.destination)).count(),
            containers: 1,
            replayed: true,
        });
    }

    async fn give(
        &mut self,
        running: &Running,
        channel: &mut Option<Channel>,
        lacking: &Lacking,
        with_hooks: bool,
    ) -> Result<(), Diagnostic> {
        let artifact = Arc::clone(&self.artifact);
        let spec = artifact.sync.as_ref().filter(|_| with_hooks);
        self.hooks(hooks::BEFORE, spec.map_or(&[], |spec| &spec.hooks.before)).await?;
        self.transfer(running, channel, lacking).await?;
        self.hooks(hooks::AFTER, spec.map_or(&[], |spec| &spec.hooks.after)).await
    }

    async fn hooks(&mut self, phase: Phase, hooks: &[Hook]) -> Result<(), Diagnostic> {
        self.in_hook = true;
        let result = hooks::in_container(hooks, phase, self.connector.place.target(), &self.connector.cx).await;
        if result.is_err() {
            // Its end may be that of the container, which is about to be told.
            tokio::time::sleep(FIRST_PAUSE).await;
        }
        self.in_hook = false;
        result
    }

    /// Sends the changes, again where the connection is lost, and by another way where the first may not write.
    async fn transfer(&self, running: &Running, channel: &mut Option<Channel>, lacking: &Lacking) -> Result<(), Diagnostic> {
        let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let why = match self.try_transfer(running, channel, lacking).await? {
                Tried::Done => return Ok(()),
                Tried::OpenedAnother => continue,
                Tried::Lost(why) => why,
            };
            if start.elapsed() > PATIENCE {
                return Err(no_way(&self.connector.place, &[why]));
            }
            tracing::debug!(container = %self.connector.place, why, "tried again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn try_transfer(&self, running: &Running, channel: &mut Option<Channel>, lacking: &Lacking) -> Result<Tried, Diagnostic> {
        let mut open = if let Some(open) = channel.take() {
            open
        } else {
            match self.connector.open(running, self.connector.first(&running.image)).await {
                Ok(open) => open,
                Err((true, reasons)) => return Ok(Tried::Lost(reasons.join("; "))),
                Err((false, reasons)) => return Err(no_way(&self.connector.place, &reasons)),
            }
        };
        let failures = match self.connector.apply(&mut open, running, &lacking.changes).await {
            Ok(failures) => failures,
            Err(why) => return Ok(Tried::Lost(why)),
        };
        if failures.is_empty() {
            *channel = Some(open);
            return Ok(Tried::Done);
        }
        let not_written = not_written(&self.connector.place, &failures);
        let next =
            open.route.with_more_rights().filter(|_| failures.iter().all(|failure| failure.denied)).ok_or_else(|| not_written.clone())?;
        *channel = Some(self.connector.try_route(running, next).await.map_err(|_| not_written)?);
        Ok(Tried::OpenedAnother)
    }

    /// Opens the way before it is needed, so that the first save is as fast as the others; but puts no container beside another
    /// before there is a need.
    async fn open_early(&self, running: &Running, channel: &mut Option<Channel>) {
        let route = self.connector.first(&running.image);
        let has_failed = self.progress.borrow().failed.is_some();
        if channel.is_none() && self.connector.place.opens_early(route) && !has_failed {
            *channel = self.connector.try_route(running, route).await.ok();
        }
    }
}

async fn lost(channel: &mut Option<Channel>) {
    match channel {
        Some(channel) => channel.lost().await,
        None => std::future::pending().await,
    }
}

fn no_way(place: &Place, reasons: &[String]) -> Diagnostic {
    let error = Diagnostic::error("attach/sync", format!("files cannot be brought into {place}"));
    reasons.iter().fold(error, Diagnostic::because).help(place.help())
}

fn not_written(place: &Place, failures: &[Failure]) -> Diagnostic {
    let mut error = Diagnostic::error("attach/sync", format!("files cannot be written in {place}"));
    error.why = failures.iter().take(NAMED).map(|failure| format!("{}: {}", failure.path, failure.why)).collect();
    if failures.len() > NAMED {
        error.why.push(format!("and {} more", failures.len() - NAMED));
    }
    if failures.iter().any(|failure| failure.denied) {
        return error.help("let the container's user write there, for example with `COPY --chown`, and without a root that is read-only");
    }
    error
}
