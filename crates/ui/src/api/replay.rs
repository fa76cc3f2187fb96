//! What was reported, kept within bounds, and readers that each go through it at their own pace.
//!
//! There is no queue per reader: a reader is a position. One that is too slow finds that its position is gone,
//! and is told how much it missed; the loop never waits for it.

mod ring;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use devloop_model::Event;
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use self::ring::Entry;
use self::ring::KINDS;
pub(crate) use self::ring::Kind;
pub(crate) use self::ring::LIMITS;
use self::ring::Limits;
use self::ring::Ring;
pub(crate) use self::ring::Version;
use crate::Snapshot;

/// How many entries a reader takes at once.
const BATCH: usize = 256;

/// Everything that is kept, and what is known at its two ends.
#[derive(Debug)]
struct Kept {
    rings: [Ring; KINDS],
    /// Before the first fact that is kept.
    base: Snapshot,
    /// After the last event.
    now: Snapshot,
}

/// The events of a session within bounds; shared by its reporter and all readers.
#[derive(Debug)]
pub(crate) struct Replay {
    kept: Mutex<Kept>,
    /// How many entries there were, so that readers can wait for more.
    count: watch::Sender<u64>,
}

impl Replay {
    pub(crate) fn new(limits: [Limits; KINDS]) -> Self {
        let kept = Kept { rings: limits.map(Ring::new), base: Snapshot::default(), now: Snapshot::default() };
        Self { kept: Mutex::new(kept), count: watch::Sender::new(0) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event.
    pub(crate) fn push(&self, event: &Event) {
        let mut kept = self.kept();
        kept.now.apply(event);
        kept.push(Entry::Event(Arc::new(event.clone())));
        drop(kept);
        self.count.send_modify(|count| *count += 1);
    }

    /// Keeps what a client handed in.
    pub(crate) fn hand(&self, version: Version, entry: Value) {
        let mut kept = self.kept();
        let after = kept.now.seq;
        kept.push(Entry::Handed { after, version, entry: Arc::new(entry) });
        drop(kept);
        self.count.send_modify(|count| *count += 1);
    }

    /// Returns what is known now.
    pub(crate) fn now(&self) -> Snapshot {
        self.kept().now.clone()
    }

    /// Returns the lines of pods that are kept, and a reader of those to come.
    pub(crate) fn pod_lines(self: &Arc<Self>) -> (Vec<Arc<Event>>, Reader) {
        let kept = self.kept();
        let ring = &kept.rings[Kind::PodLine as usize];
        let lines = ring.entries().filter_map(|entry| match entry {
            Entry::Event(event) => Some(Arc::clone(event)),
            Entry::Handed { .. } => None,
        });
        let mut reader = Reader::new(self, vec![Kind::PodLine]);
        reader.positions[Kind::PodLine as usize] = ring.end();
        (lines.collect(), reader)
    }

    /// Returns a reader of these kinds from the first entry on.
    pub(crate) fn read(self: &Arc<Self>, kinds: &[Kind]) -> Reader {
        Reader::new(self, kinds.to_vec())
    }

    /// Returns a reader of all events after event `seq`.
    pub(crate) fn read_after(self: &Arc<Self>, seq: u64) -> Reader {
        let kept = self.kept();
        let mut reader = Reader::new(self, vec![Kind::Fact, Kind::StepLine, Kind::PodLine]);
        let mut found = 0;
        for kind in &reader.kinds {
            let ring = &kept.rings[*kind as usize];
            let position = ring.after(seq);
            found += ring.end() - position;
            reader.positions[*kind as usize] = position;
        }
        // Events are numbered without gaps.
        reader.missed = kept.now.seq.saturating_sub(seq).saturating_sub(found);
        reader
    }
}

impl Kept {
    fn push(&mut self, entry: Entry) {
        let Self { rings, base, .. } = self;
        rings[entry.kind() as usize].push(entry, |gone| {
            if let (Kind::Fact, Entry::Event(event)) = (gone.kind(), &gone) {
                base.apply(event);
            }
        });
    }
}

/// What a reader gets at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// How many entries were gone before it could have them.
    pub(crate) missed: u64,
    /// What is known before the first entry, where the reader cannot know it from what it read.
    pub(crate) base: Option<Box<Snapshot>>,
    /// The entries, in the order of their events.
    pub(crate) entries: Vec<Entry>,
}

/// A position in what is kept.
#[derive(Debug)]
pub(crate) struct Reader {
    replay: Arc<Replay>,
    count: watch::Receiver<u64>,
    kinds: Vec<Kind>,
    positions: [u64; KINDS],
    missed: u64,
    began: bool,
}

impl Reader {
    fn new(replay: &Arc<Replay>, kinds: Vec<Kind>) -> Self {
        let count = replay.count.subscribe();
        Self { replay: Arc::clone(replay), count, kinds, positions: [0; KINDS], missed: 0, began: false }
    }

    /// Returns the next entries; none at all if there are no new ones now.
    pub(crate) fn take(&mut self) -> Batch {
        // Whatever comes from now on is seen as a change.
        self.count.borrow_and_update();
        let kept = self.replay.kept();
        let mut batch = Batch { missed: std::mem::take(&mut self.missed), ..Batch::default() };
        for kind in &self.kinds {
            let (ring, position) = (&kept.rings[*kind as usize], &mut self.positions[*kind as usize]);
            let gone = ring.first.saturating_sub(*position);
            if *kind == Kind::Fact && (gone > 0 || !self.began) {
                batch.base = Some(Box::new(kept.base.clone()));
            }
            batch.missed += gone;
            *position += gone;
        }
        self.began = true;
        while batch.entries.len() < BATCH {
            let next = |kind: &Kind| Some((*kind, kept.rings[*kind as usize].at(self.positions[*kind as usize])?));
            let Some((kind, entry)) = self.kinds.iter().filter_map(next).min_by_key(|(_, entry)| entry.seq()) else { break };
            batch.entries.push(entry.clone());
            self.positions[kind as usize] += 1;
        }
        batch
    }

    /// Waits until there may be new entries.
    pub(crate) async fn changed(&mut self) {
        if self.count.changed().await.is_err() {
            // The reader itself holds the sender's owner: this cannot be reached while it waits.
            std::future::pending::<()>().await;
        }
    }
}

impl Batch {
    /// Returns whether it has nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.missed == 0 && self.entries.is_empty()
    }
}
