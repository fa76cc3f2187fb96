//! The thread that watches: it sleeps until something happens.

use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use devloop_model::WatchMode;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::Batch;
use crate::WatchReport;
use crate::WatchSet;
use crate::WatchSettings;
use crate::debounce::Debounce;
use crate::git_lock;
use crate::inbox::Inbox;
use crate::inbox::Message;
use crate::source::Directories;
use crate::source::Refused;
use crate::watched::Watched;
use crate::watches::Watches;

/// How long a burst that nobody takes waits until it is offered again.
const RETRY: Duration = Duration::from_millis(100);

/// How soon after git it is looked whether it is done.
const GIT_PAUSE: Duration = Duration::from_millis(20);

/// Looking more often than this is nothing but looking.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// How far the clock of a file system may be behind: it moves with the kernel's tick.
const CLOCK_STEP: Duration = Duration::from_millis(10);

pub(crate) struct Worker {
    settings: WatchSettings,
    inbox: Inbox,
    batches: Sender<Batch>,
    watched: Watched,
    debounce: Debounce,
    next_look: Option<Instant>,
    offer_again: Option<Instant>,
    /// Whether git held its lock when a burst was looked at last.
    was_held: bool,
    /// When the last batch was given, which is when the session began to list what is there.
    given: Option<SystemTime>,
}

impl Worker {
    /// Returns a worker on what the system tells, if that was asked for; if it does not, files are looked at.
    pub(crate) fn new(
        settings: WatchSettings,
        inbox: Inbox,
        batches: Sender<Batch>,
        told: Option<Result<Box<dyn Directories>, Refused>>,
    ) -> Self {
        let watched = Watched::new(Watches::new(told));
        let debounce = Debounce::default();
        Self { settings, inbox, batches, watched, debounce, next_look: None, offer_again: None, was_held: false, given: None }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        loop {
            let message = self.inbox.next(self.next_time());
            let is_idle = message.is_none();
            match message {
                Some(Message::Stop) => return,
                Some(Message::Watch(set, reply)) => {
                    let report = self.watch(*set);
                    // Whoever asked is gone: so is the session.
                    reply.send(report).ok();
                }
                Some(Message::Change(change)) => {
                    let paths = self.watched.on(&change);
                    self.note(paths, change.at);
                }
                Some(Message::Lost(at)) => self.debounce.note_rescan(at),
                Some(Message::Look) => {
                    self.look();
                    self.give();
                }
                None => {}
            }
            self.on_time(Instant::now(), is_idle);
        }
    }

    /// Returns when there is something to do though no message comes.
    fn next_time(&self) -> Option<Instant> {
        [self.burst_end(), self.next_look].into_iter().flatten().min()
    }

    fn burst_end(&self) -> Option<Instant> {
        self.offer_again.or_else(|| self.debounce.deadline())
    }

    /// Does what is due; a burst of which more waits to be looked at is not over, however long ago that happened.
    fn on_time(&mut self, now: Instant, is_idle: bool) {
        if self.next_look.is_some_and(|at| at <= now) {
            self.look();
        }
        let is_overdue = self.debounce.is_overdue(now);
        if self.burst_end().is_some_and(|end| end <= now) && (is_idle || is_overdue) {
            let is_held = self.debounce.path().is_some_and(|path| git_lock::is_held(path, SystemTime::now()));
            // What git wrote last may not be told yet when its lock is gone.
            if is_held || std::mem::replace(&mut self.was_held, false) {
                self.was_held = is_held;
                self.offer_again = Some(now + GIT_PAUSE);
                return;
            }
            // Where nobody tells that the burst goes on, that is looked for.
            if !(self.polls() && !is_overdue && self.look()) {
                self.give();
            }
        }
    }

    fn watch(&mut self, set: WatchSet) -> WatchReport {
        let since = self.given.map(|given| given - CLOCK_STEP);
        let found = self.watched.replace(set, since);
        if since.is_none() {
            // Nobody has relied on anything yet.
            self.watched.take_missed();
        }
        self.note(found, Instant::now());
        self.given.get_or_insert_with(SystemTime::now);
        self.plan_look();
        self.watched.report(self.settings.mode)
    }

    /// Looks at all files; returns whether anything changed.
    fn look(&mut self) -> bool {
        let at = Instant::now();
        let paths = self.watched.look();
        let changed = !paths.is_empty();
        self.note(paths, at);
        self.plan_look();
        changed
    }

    fn polls(&self) -> bool {
        self.watched.is_looked_at() && self.settings.mode != WatchMode::Manual
    }

    fn plan_look(&mut self) {
        self.next_look = self.polls().then(|| Instant::now() + self.settings.poll_interval.max(SHORTEST_INTERVAL));
    }

    fn note(&mut self, paths: Vec<PathBuf>, at: Instant) {
        for path in paths {
            self.debounce.note(path, at);
        }
        if self.given.is_some() && self.watched.take_missed() {
            self.debounce.note_rescan(at);
            self.plan_look();
        }
    }

    /// Gives the burst to the session, or keeps it for a little while if that has not taken what it has.
    fn give(&mut self) {
        if self.debounce.deadline().is_none() {
            return;
        }
        match self.batches.try_reserve() {
            Ok(place) => {
                if self.debounce.is_rescan() {
                    self.watched.renew();
                }
                self.offer_again = None;
                self.given = Some(SystemTime::now());
                if let Some(batch) = self.debounce.take() {
                    place.send(batch);
                }
            }
            Err(TrySendError::Full(())) => self.offer_again = Some(Instant::now() + RETRY),
            Err(TrySendError::Closed(())) => drop(self.debounce.take()),
        }
    }
}
