//! What the thread that watches is told: changes by the operating system, requests by the session.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::channel;
use std::time::Instant;

use crate::WatchReport;
use crate::WatchSet;
use crate::change::Change;

/// More changes than this do not wait to be looked at: it is simpler to look at everything.
const MOST_WAITING: usize = 100_000;

/// A message to the thread that watches.
#[derive(Debug)]
pub(crate) enum Message {
    /// Something happened to a path.
    Change(Change),
    /// Something happened, but nobody knows what.
    Lost(Instant),
    /// Watch this from now on.
    Watch(Box<WatchSet>, SyncSender<WatchReport>),
    /// Look now.
    Look,
    /// End.
    Stop,
}

/// Where messages are put; never waits.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// Where messages are taken from.
pub(crate) struct Inbox {
    receiver: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// Returns both ends.
pub(crate) fn inbox() -> (Outbox, Inbox) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { sender, waiting: Arc::clone(&waiting) }, Inbox { receiver, waiting })
}

impl Outbox {
    /// Puts a request; returns whether anybody will read it.
    pub(crate) fn send(&self, message: Message) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(message).is_ok()
    }

    /// Puts changes, or, when too many wait already, that some were lost.
    pub(crate) fn changes(&self, changes: Vec<Change>) {
        for change in changes {
            match self.waiting.load(Ordering::Relaxed) {
                0..MOST_WAITING => self.send(Message::Change(change)),
                MOST_WAITING => self.send(Message::Lost(change.at)),
                _ => return,
            };
        }
    }

    /// Puts that changes were lost.
    pub(crate) fn lost(&self, at: Instant) {
        self.send(Message::Lost(at));
    }
}

impl Inbox {
    /// Returns the next message, or nothing if `until` comes first; it waits for ever without one.
    pub(crate) fn next(&self, until: Option<Instant>) -> Option<Message> {
        let message = match until {
            None => self.receiver.recv().unwrap_or(Message::Stop),
            Some(until) => match self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(Message::Stop),
            },
        };
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1)).ok();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ChangeKind;

    #[test]
    fn changes_that_nobody_looks_at_do_not_pile_up() {
        let (outbox, inbox) = inbox();
        let at = Instant::now();
        for index in 0..MOST_WAITING + 10 {
            outbox.changes(vec![Change { path: format!("/{index}").into(), kind: ChangeKind::Content, at }]);
        }
        let mut lost = 0;
        let mut changes = 0;
        while let Some(message) = inbox.next(Some(at)) {
            match message {
                Message::Change(_) => changes += 1,
                Message::Lost(_) => lost += 1,
                _ => unreachable!("nothing else was sent"),
            }
        }
        assert_eq!((changes, lost), (MOST_WAITING, 1));
        outbox.changes(vec![Change { path: "/x".into(), kind: ChangeKind::Content, at }]);
        assert!(matches!(inbox.next(Some(at)), Some(Message::Change(_))), "it goes on afterwards");
    }
}
