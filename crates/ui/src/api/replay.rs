//! What was reported, kept within bounds, and readers that each go through it at their own pace.
//!
//! There is no queue per reader: a reader is a position. One that is too slow finds that its position is gone,
//! and is told how much it missed; the loop never waits for it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use devloop_model::Event;
use devloop_model::EventKind;
use serde_json::Value;
use tokio::sync::watch;

use crate::Snapshot;

/// How many entries a reader takes at once.
const BATCH: usize = 256;

/// What one ring keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

/// Which ring an entry is kept in: lines must not push out facts, nor pods' lines those of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fact,
    StepLine,
    PodLine,
    Handed,
}

const KINDS: usize = 4;

/// The bounds of each [`Kind`], in its order: 7 MiB at most.
pub(crate) const LIMITS: [Limits; KINDS] = [
    Limits { entries: 8192, bytes: 2 << 20 },
    Limits { entries: 8192, bytes: 2 << 20 },
    Limits { entries: 16384, bytes: 3 << 20 },
    Limits { entries: 256, bytes: 256 << 10 },
];

/// Which of Skaffold's event APIs something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// One kept entry.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// An event of the session.
    Event(Arc<Event>),
    /// An event that a client handed in for the others.
    Handed { after: u64, version: Version, entry: Arc<Value> },
}

impl Entry {
    /// Returns the number of the event, or of the one before it.
    fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Handed { after, .. } => *after,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Event(event) => match event.fact {
                EventKind::PodLog { .. } => Kind::PodLine,
                EventKind::StepLog { .. } | EventKind::StepProgress { .. } => Kind::StepLine,
                _ => Kind::Fact,
            },
            Self::Handed { .. } => Kind::Handed,
        }
    }

    /// Returns about how much memory it takes: its text, and what stands around it.
    fn bytes(&self) -> usize {
        let mut counter = Counter(0);
        let counted = match self {
            Self::Event(event) => serde_json::to_writer(&mut counter, event.as_ref()),
            Self::Handed { entry, .. } => serde_json::to_writer(&mut counter, entry.as_ref()),
        };
        counted.expect("counting cannot fail");
        counter.0 + size_of::<Event>()
    }
}

/// Counts what is written into it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The last entries of one kind; each has an index that never changes.
#[derive(Debug)]
struct Ring {
    limits: Limits,
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
    /// The index of the first entry that is kept: how many are gone.
    first: u64,
}

impl Ring {
    fn new(limits: Limits) -> Self {
        Self { limits, entries: VecDeque::new(), bytes: 0, first: 0 }
    }

    /// Keeps an entry, and hands those that have to go to `gone`.
    fn push(&mut self, entry: Entry, mut gone: impl FnMut(Entry)) {
        let bytes = entry.bytes();
        self.entries.push_back((entry, bytes));
        self.bytes += bytes;
        while self.entries.len() > self.limits.entries || (self.bytes > self.limits.bytes && self.entries.len() > 1) {
            let Some((entry, bytes)) = self.entries.pop_front() else { break };
            self.bytes -= bytes;
            self.first += 1;
            gone(entry);
        }
    }

    fn at(&self, index: u64) -> Option<&Entry> {
        let offset = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(offset).map(|(entry, _)| entry)
    }

    /// Returns the index of the first kept entry after event `seq`.
    fn after(&self, seq: u64) -> u64 {
        self.first + self.entries.partition_point(|(entry, _)| entry.seq() <= seq) as u64
    }
}

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
        let lines = ring.entries.iter().filter_map(|(entry, _)| match entry {
            Entry::Event(event) => Some(Arc::clone(event)),
            Entry::Handed { .. } => None,
        });
        let mut reader = Reader::new(self, vec![Kind::PodLine]);
        reader.positions[Kind::PodLine as usize] = ring.first + ring.entries.len() as u64;
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
            found += ring.first + ring.entries.len() as u64 - position;
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

#[cfg(test)]
mod tests {
    use devloop_model::Namespace;

    use super::*;
    use crate::console::sample::event;
    use crate::console::sample::log_line;

    const SMALL: [Limits; KINDS] = [Limits { entries: 3, bytes: 1 << 20 }; KINDS];

    fn pod_line(seq: u64, line: &str) -> Event {
        let (namespace, pod, container) = (Namespace("default".into()), "web-1".into(), "app".into());
        event(seq, EventKind::PodLog { namespace, pod, container, artifact: None, line: line.into() })
    }

    fn pushed(limits: [Limits; KINDS], events: &[Event]) -> Arc<Replay> {
        let replay = Arc::new(Replay::new(limits));
        for event in events {
            replay.push(event);
        }
        replay
    }

    fn seqs(batch: &Batch) -> Vec<u64> {
        batch.entries.iter().map(Entry::seq).collect()
    }

    #[test]
    fn a_reader_gets_what_is_kept_in_order_and_how_much_is_gone() {
        let mut events: Vec<Event> = (1..=10).map(|seq| pod_line(seq, "x")).collect();
        events[0] = event(1, EventKind::TaggingStarted);
        events[4] = event(5, EventKind::CacheCheckStarted);
        events[5] = log_line(6, "building");
        let replay = pushed(SMALL, &events);
        let mut reader = replay.read_after(0);
        let batch = reader.take();
        assert_eq!((batch.missed, seqs(&batch)), (4, vec![1, 5, 6, 8, 9, 10]));
        assert!(reader.take().is_empty());
        let later = replay.read_after(5).take();
        assert_eq!((later.missed, seqs(&later)), (1, vec![6, 8, 9, 10]), "7 is gone");
        assert_eq!(replay.read_after(99).take().missed, 0);
    }

    #[test]
    fn a_reader_that_falls_behind_is_told() {
        let replay = pushed(SMALL, &[pod_line(1, "x")]);
        let mut reader = replay.read_after(0);
        assert_eq!(seqs(&reader.take()), [1]);
        (2..=9).for_each(|seq| replay.push(&pod_line(seq, "x")));
        let batch = reader.take();
        assert_eq!((batch.missed, seqs(&batch)), (5, vec![7, 8, 9]));
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let limits = [Limits { entries: 1000, bytes: 100_000 }; KINDS];
        let line = "x".repeat(10_000);
        let replay = pushed(limits, &(1..=100).map(|seq| pod_line(seq, &line)).collect::<Vec<_>>());
        let kept = replay.kept();
        let ring = &kept.rings[Kind::PodLine as usize];
        assert!(ring.bytes <= 100_000 && (5..10).contains(&ring.entries.len()), "{} bytes in {} entries", ring.bytes, ring.entries.len());
        assert_eq!(ring.first as usize + ring.entries.len(), 100);
    }

    #[test]
    fn one_entry_larger_than_all_is_still_kept() {
        let limits = [Limits { entries: 10, bytes: 10 }; KINDS];
        assert_eq!(seqs(&pushed(limits, &[pod_line(1, "a"), pod_line(2, "b")]).read_after(0).take()), [2]);
    }

    #[test]
    fn facts_that_are_gone_are_still_known() {
        let started = EventKind::SessionStarted { version: "1".into(), command: "dev".into() };
        let mut events = vec![event(1, started)];
        events.extend((2..=6).map(|seq| event(seq, EventKind::TaggingStarted)));
        let replay = pushed(SMALL, &events);
        let batch = replay.read(&[Kind::Fact]).take();
        assert_eq!((batch.missed, batch.base.unwrap().command.as_str()), (3, "dev"));
        assert_eq!(replay.now().command, "dev");
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_next_entry() {
        let replay = pushed(SMALL, &[]);
        let mut reader = replay.read_after(0);
        assert!(reader.take().is_empty());
        replay.push(&pod_line(1, "x"));
        reader.changed().await;
        assert_eq!(seqs(&reader.take()), [1]);
    }
}
