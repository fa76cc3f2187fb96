//! What is watched now, and what a change means for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use devloop_model::WatchMode;

use crate::WatchReport;
use crate::WatchSet;
use crate::change::Change;
use crate::change::ChangeKind;
use crate::claims::Claims;
use crate::claims::Hold;
use crate::claims::Part;
use crate::claims::Role;
use crate::ignore::is_ephemeral;
use crate::links;
use crate::listing::Listing;
use crate::watches::MOST_ATTEMPTS;
use crate::watches::Watches;

/// How old the last write may be when a file that was open for writing is closed: what is written through memory is told by nothing else.
const RECENT: Duration = Duration::from_secs(2);

/// What is watched.
pub(crate) struct Watched {
    set: WatchSet,
    claims: Claims,
    watches: Watches,
}

impl Watched {
    pub(crate) fn new(watches: Watches) -> Self {
        Self { set: WatchSet::default(), claims: Claims::default(), watches }
    }

    /// Watches `set` instead of what was watched, and returns what has changed since `since` in directories that are new in it.
    ///
    /// Between the moment at which the session listed such a directory and this one nobody watched it.
    pub(crate) fn replace(&mut self, set: WatchSet, since: Option<SystemTime>) -> Vec<PathBuf> {
        let before = std::mem::replace(&mut self.set, set);
        self.release_unwanted(&before);
        let mut found = Vec::new();
        let added = |listing: &Listing| since.map(|since| listing.since(since)).unwrap_or_default();
        for tree in self.set.trees_since(&before) {
            self.claim_tree(&tree, &mut |listing| found.extend(added(listing)));
        }
        for directory in difference(&self.set.directories, &before.directories) {
            found.extend(self.claim_directory(&directory).as_ref().map(added).unwrap_or_default());
        }
        for file in difference(&self.set.files, &before.files) {
            self.claim(&file, Role::File, &links::of_file);
            self.claims.count(&file, 1);
        }
        found
    }

    /// Watches everything anew, for when changes were lost.
    pub(crate) fn renew(&mut self) {
        let set = self.set.clone();
        self.replace(WatchSet::default(), None);
        self.replace(set, None);
    }

    /// Returns what there is to say of what is watched; a warning is said once.
    pub(crate) fn report(&mut self, asked: WatchMode) -> WatchReport {
        let mode = if asked == WatchMode::Notify && self.is_looked_at() { WatchMode::Polling } else { asked };
        let warnings = self.watches.take_warnings(&self.claims);
        WatchReport { mode, directories: self.claims.places().len(), files: self.claims.files(), warnings }
    }

    /// Returns whether everything must be looked at to see what changed.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.watches.is_looked_at()
    }

    /// Returns whether changes were missed since this was asked last, for which no path can be named.
    pub(crate) fn take_missed(&mut self) -> bool {
        self.watches.take_missed()
    }

    /// Looks at everything, and returns what changed.
    pub(crate) fn look(&mut self) -> Vec<PathBuf> {
        let changes = self.watches.look(&self.claims);
        changes.iter().flat_map(|change| self.on(change)).collect()
    }

    /// Returns the paths that a change is a change of, none if it does not count, having adapted what is watched to it.
    pub(crate) fn on(&mut self, change: &Change) -> Vec<PathBuf> {
        let mut names = self.names(&change.path);
        if !names.is_empty() && !counts(change) {
            names.clear();
        }
        let mut affected = BTreeSet::new();
        if change.kind == ChangeKind::Gone && self.claims.place(&change.path).is_some() {
            affected = self.lose(&change.path, &mut names);
        }
        if matches!(change.kind, ChangeKind::Gone | ChangeKind::Appeared) {
            affected.extend(names.iter().flat_map(|name| self.claims.owners_below(name)));
            affected.extend(self.awaited(&change.path));
            for owner in affected {
                self.revisit(&owner, &mut names);
            }
        }
        if change.kind == ChangeKind::Appeared {
            for name in names.clone() {
                if !self.discover(&name, &mut names) {
                    self.watches.forget(&change.path);
                }
            }
        }
        names
    }

    /// Returns what a path of the file system is called by whoever wants to know about it.
    fn names(&self, path: &Path) -> Vec<PathBuf> {
        let Some((place, name)) = path.parent().and_then(|parent| self.claims.place(parent)).zip(path.file_name()) else {
            return Vec::new();
        };
        let mut names: Vec<PathBuf> = Vec::new();
        if !name.to_str().is_some_and(is_ephemeral) {
            let entries = place.whole().iter().map(|directory| directory.join(name));
            names.extend(entries.filter(|entry| !self.set.is_pruned(entry)));
        }
        names.extend(place.single(name).cloned());
        names
    }

    fn awaited(&self, path: &Path) -> Vec<PathBuf> {
        let place = path.parent().and_then(|parent| self.claims.place(parent));
        place.zip(path.file_name()).map(|(place, name)| place.awaited(name).cloned().collect()).unwrap_or_default()
    }

    /// Forgets a watched directory that is gone, or is another one now; adds to `gone` who is gone with it, and returns who needs another.
    fn lose(&mut self, path: &Path, gone: &mut Vec<PathBuf>) -> BTreeSet<PathBuf> {
        let lost = self.claims.lose(path);
        self.watches.remove(&lost.places);
        for owner in &lost.owners {
            // A directory stands for all that is below it.
            if !gone.iter().any(|above| owner.starts_with(above)) {
                gone.push(owner.clone());
            }
        }
        lost.owners.into_iter().chain(lost.waiting).collect()
    }

    /// Finds out anew what `owner` needs; adds to `found` what came back with it.
    fn revisit(&mut self, owner: &Path, found: &mut Vec<PathBuf>) {
        match self.claims.role(owner) {
            Some(Role::Directory) if self.is_wanted(owner) => {
                let Some(listing) = self.claim_directory(owner) else { return };
                found.push(owner.to_owned());
                found.extend(listing.all());
                for below in listing.directories.iter().filter(|below| self.set.in_tree(below)).collect::<Vec<_>>() {
                    self.claim_tree(below, &mut |listing| found.extend(listing.all()));
                }
            }
            Some(role @ Role::File) => self.claim(owner, role, &links::of_file),
            Some(role @ Role::Link) if owner.is_symlink() => self.claim(owner, role, &links::of_link),
            Some(Role::Directory | Role::Link) => self.release(owner),
            None => return,
        }
        if self.claims.role(owner).is_some_and(|role| role != Role::Directory) && owner.exists() {
            found.push(owner.to_owned());
        }
    }

    /// Looks at what a new entry brings: a directory of a tree with all that is in it, or a link; returns whether it is still there.
    fn discover(&mut self, name: &Path, found: &mut Vec<PathBuf>) -> bool {
        let Ok(metadata) = name.symlink_metadata() else { return false };
        if metadata.is_symlink() && self.claims.role(name).is_none() {
            self.claim(name, Role::Link, &links::of_link);
        }
        if metadata.is_dir() && self.set.in_tree(name) {
            self.claim_tree(name, &mut |listing| found.extend(listing.all()));
        }
        true
    }

    /// Watches a directory and those below it that count.
    fn claim_tree(&mut self, top: &Path, found: &mut dyn FnMut(&Listing)) {
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            let known = |claims: &Claims| claims.whole(&directory).map(|_| Listing::of(&directory));
            let Some(listing) = self.claim_directory(&directory).or_else(|| known(&self.claims)) else { continue };
            found(&listing);
            waiting.extend(listing.directories.into_iter().filter(|below| self.set.in_tree(below)));
        }
    }

    /// Watches a directory for as long as it is wanted, whether it exists or not; returns what is in it if it is newly watched.
    fn claim_directory(&mut self, directory: &Path) -> Option<Listing> {
        let before = self.claims.whole(directory).map(Path::to_owned);
        self.claim(directory, Role::Directory, &|directory| vec![links::of_directory(directory)]);
        if self.claims.whole(directory).is_none_or(|place| before.as_deref() == Some(place)) {
            return None;
        }
        let listing = Listing::of(directory);
        for link in &listing.links {
            if self.claims.role(link).is_none() {
                self.claim(link, Role::Link, &links::of_link);
            }
        }
        self.claims.count(directory, listing.files.len());
        Some(listing)
    }

    /// Holds what `find` says that `owner` needs, until that is the same after it is watched as it was before.
    fn claim(&mut self, owner: &Path, role: Role, find: &dyn Fn(&Path) -> Vec<Hold>) {
        let mut needs = find(owner);
        for _ in 0..MOST_ATTEMPTS {
            let difference = self.claims.set(owner, role, needs.clone());
            let is_new = !difference.added.is_empty() || needs.iter().any(|hold| matches!(hold.part, Part::Awaited(_)));
            self.watches.remove(&difference.removed);
            self.watches.add(difference.added, &self.claims);
            self.watches.look_first(&needs, &self.claims);
            let now = if is_new { find(owner) } else { return };
            if now == needs {
                return;
            }
            needs = now;
        }
    }

    fn release(&mut self, owner: &Path) {
        let removed = self.claims.release(owner);
        self.watches.remove(&removed);
    }

    /// Releases what was wanted `before` and is not any more.
    fn release_unwanted(&mut self, before: &WatchSet) {
        let mut directories = self.claims.owners_in(Role::Directory);
        directories.retain(|directory| !self.is_wanted(directory));
        let files = difference(&before.files, &self.set.files);
        directories.iter().chain(&files).for_each(|owner| self.release(owner));
        let in_whole = |claims: &Claims, file: &Path| file.parent().is_some_and(|parent| claims.whole(parent).is_some());
        for link in self.claims.owners_in(Role::Link) {
            if !in_whole(&self.claims, &link) {
                self.release(&link);
            }
        }
        // A file that counted by itself may be a link in a directory whose entries count.
        for file in files {
            if file.is_symlink() && in_whole(&self.claims, &file) {
                self.claim(&file, Role::Link, &links::of_link);
            }
        }
    }

    fn is_wanted(&self, directory: &Path) -> bool {
        self.set.directories.contains(directory)
            || (self.set.in_tree(directory) && (self.set.trees.contains(directory) || is_real_directory(directory)))
    }
}

fn difference(one: &BTreeSet<PathBuf>, other: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    one.difference(other).cloned().collect()
}

fn is_real_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// Returns whether a change is one at all: not of a directory's own times, nor of a file that was only open.
fn counts(change: &Change) -> bool {
    match change.kind {
        ChangeKind::Attributes => !change.path.is_dir(),
        ChangeKind::Closed => change.path.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_recent),
        ChangeKind::Content | ChangeKind::Appeared | ChangeKind::Gone => true,
    }
}

fn is_recent(modified: SystemTime) -> bool {
    SystemTime::now().duration_since(modified).unwrap_or_default() < RECENT
}
