//! The last entries of one kind, within bounds.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use devloop_model::Event;
use devloop_model::EventKind;
use serde_json::Value;

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

pub(crate) const KINDS: usize = 4;

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
    pub(crate) fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Handed { after, .. } => *after,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
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
pub(crate) struct Ring {
    limits: Limits,
    entries: VecDeque<(Entry, usize)>,
    pub(crate) bytes: usize,
    /// The index of the first entry that is kept: how many are gone.
    pub(crate) first: u64,
}

impl Ring {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, entries: VecDeque::new(), bytes: 0, first: 0 }
    }

    /// Keeps an entry, and hands those that have to go to `gone`.
    pub(crate) fn push(&mut self, entry: Entry, mut gone: impl FnMut(Entry)) {
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

    pub(crate) fn at(&self, index: u64) -> Option<&Entry> {
        let offset = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(offset).map(|(entry, _)| entry)
    }

    /// Returns the index of the first kept entry after event `seq`.
    pub(crate) fn after(&self, seq: u64) -> u64 {
        self.first + self.entries.partition_point(|(entry, _)| entry.seq() <= seq) as u64
    }

    /// Returns the index that the next entry gets.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }
}
