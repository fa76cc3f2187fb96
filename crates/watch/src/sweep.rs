//! Looking at files again and again, where nothing tells that they changed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use crate::change::Change;
use crate::change::ChangeKind;
use crate::claims::Claims;
use crate::claims::Place;

/// What the last look at every directory has seen.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    seen: HashMap<PathBuf, Seen>,
}

/// What was seen in a directory; nothing if it could not be read.
#[derive(Debug)]
struct Seen {
    whole: bool,
    entries: Option<HashMap<OsString, Stamp>>,
}

/// What changes with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    directory: bool,
    size: u64,
    mode: u32,
    /// Of modification and of status, seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl Sweep {
    /// Takes what is in a directory now as seen, where it was not looked at yet.
    pub(crate) fn watch(&mut self, path: &Path, place: &Place) {
        match self.seen.get_mut(path) {
            Some(seen) if seen.whole => {}
            Some(seen) if place.whole().is_empty() => seen.add(path, place),
            _ => drop(self.seen.insert(path.to_owned(), Seen::now(path, place))),
        }
    }

    /// Forgets a directory.
    pub(crate) fn unwatch(&mut self, path: &Path) {
        self.seen.remove(path);
    }

    /// Forgets an entry that was missing: the next of that name is a new one, even where the file system gives it the same number.
    pub(crate) fn forget(&mut self, path: &Path) {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { return };
        if let Some(entries) = self.seen.get_mut(parent).and_then(|seen| seen.entries.as_mut()) {
            entries.remove(name);
        }
    }

    /// Looks, and returns what is different from the last look.
    pub(crate) fn look(&mut self, claims: &Claims) -> Vec<Change> {
        let mut changes = Vec::new();
        // What is below a directory first: when that is gone, nobody holds anything there any more.
        for (path, place) in claims.places().iter().rev() {
            let now = Seen::now(path, place);
            if let Some(before) = self.seen.get(path) {
                before.compare(&now, path, &mut changes);
            }
            self.seen.insert(path.clone(), now);
        }
        changes
    }
}

impl Seen {
    fn now(path: &Path, place: &Place) -> Self {
        let whole = !place.whole().is_empty();
        let entries = if whole {
            std::fs::read_dir(path).ok().map(|entries| {
                entries.flatten().filter_map(|entry| Some((entry.file_name(), Stamp::new(&entry.metadata().ok()?)))).collect()
            })
        } else {
            path.is_dir().then(|| place.entries().filter_map(|name| Some((name.clone(), Stamp::of(&path.join(name))?))).collect())
        };
        Self { whole, entries }
    }

    /// Adds the entries that count since a moment ago.
    fn add(&mut self, path: &Path, place: &Place) {
        let Some(entries) = &mut self.entries else { return };
        for name in place.entries() {
            if let Some(stamp) = Stamp::of(&path.join(name)).filter(|_| !entries.contains_key(name)) {
                entries.insert(name.clone(), stamp);
            }
        }
    }

    fn compare(&self, now: &Self, path: &Path, changes: &mut Vec<Change>) {
        let at = Instant::now();
        let change = |path: PathBuf, kind: ChangeKind| Change { path, kind, at };
        let empty = HashMap::new();
        let (before, after) = (self.entries.as_ref().unwrap_or(&empty), now.entries.as_ref().unwrap_or(&empty));
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        changes.extend(gone.map(|name| change(path.join(name), ChangeKind::Gone)));
        for (name, stamp) in after {
            let kinds = before.get::<OsStr>(name).map_or(vec![ChangeKind::Appeared], |before| stamp.kinds(before));
            changes.extend(kinds.into_iter().map(|kind| change(path.join(name), kind)));
        }
        if self.entries.is_some() && now.entries.is_none() {
            changes.push(change(path.to_owned(), ChangeKind::Gone));
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        path.symlink_metadata().ok().map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        let directory = metadata.is_dir();
        // What a directory holds is seen in its entries; its own size and times say nothing more.
        let of_files = |value: i64| if directory { 0 } else { value };
        Self {
            inode: metadata.ino(),
            directory,
            size: if directory { 0 } else { metadata.size() },
            mode: metadata.mode(),
            times: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())]
                .map(|(seconds, nanoseconds)| (of_files(seconds), of_files(nanoseconds))),
        }
    }

    fn kinds(&self, before: &Self) -> Vec<ChangeKind> {
        match () {
            () if self == before => Vec::new(),
            () if (self.inode, self.directory) != (before.inode, before.directory) => vec![ChangeKind::Gone, ChangeKind::Appeared],
            () if self.size != before.size || self.times[0] != before.times[0] => vec![ChangeKind::Content],
            () => vec![ChangeKind::Attributes],
        }
    }
}
