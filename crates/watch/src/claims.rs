//! Who wants to know about which entry of which directory.
//!
//! What is named (by the configuration, through links) and what is watched (a directory of the file system, by
//! its real path, once) differ: several names may lead to one directory, and one name may need several of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::Bound;
use std::path::Path;
use std::path::PathBuf;

/// All claims on directories.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    places: BTreeMap<PathBuf, Place>,
    owners: BTreeMap<PathBuf, Owner>,
}

/// A directory that is watched, by its real path, and what counts in it.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Every entry counts, under each of these names of the directory.
    whole: BTreeSet<PathBuf>,
    /// Only these entries count, as changes of these paths.
    single: HashMap<OsString, BTreeSet<PathBuf>>,
    /// When one of these entries appears, these paths may have come to exist.
    awaited: HashMap<OsString, BTreeSet<PathBuf>>,
}

/// What a path is wanted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its entries count.
    Directory,
    /// It counts by itself.
    File,
    /// It is a link in a directory whose entries count, and what it leads to counts.
    Link,
}

/// What an owner holds in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) place: PathBuf,
    pub(crate) part: Part,
}

/// The part of a directory that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Single(OsString),
    Awaited(OsString),
}

#[derive(Debug)]
struct Owner {
    role: Role,
    holds: Vec<Hold>,
    files: usize,
}

/// What a change of claims asks of whoever watches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) added: Vec<PathBuf>,
    pub(crate) removed: Vec<PathBuf>,
}

/// What was held in directories that are gone.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) places: Vec<PathBuf>,
    /// Who is gone with them.
    pub(crate) owners: BTreeSet<PathBuf>,
    /// Who waited there to come to exist.
    pub(crate) waiting: BTreeSet<PathBuf>,
}

impl Claims {
    /// Sets what `owner` holds, and returns the directories that are watched from now on and no more.
    pub(crate) fn set(&mut self, owner: &Path, role: Role, holds: Vec<Hold>) -> Difference {
        let before = self.owners.remove(owner);
        let files = before.as_ref().map_or(0, |before| before.files);
        let mut difference = Difference::default();
        for hold in &holds {
            let place = self.places.entry(hold.place.clone()).or_insert_with(|| {
                difference.added.push(hold.place.clone());
                Place::default()
            });
            place.add(owner, &hold.part);
        }
        // What is held still must not be let go for a moment.
        let dropped = before.into_iter().flat_map(|before| before.holds).filter(|hold| !holds.contains(hold));
        difference.removed = dropped.filter_map(|hold| self.let_go(owner, &hold)).collect();
        self.owners.insert(owner.to_owned(), Owner { role, holds, files });
        difference
    }

    /// Lets go of all that `owner` holds, and returns the directories that are not watched any more.
    pub(crate) fn release(&mut self, owner: &Path) -> Vec<PathBuf> {
        let holds = self.owners.remove(owner).map(|owner| owner.holds).unwrap_or_default();
        holds.iter().filter_map(|hold| self.let_go(owner, hold)).collect()
    }

    fn let_go(&mut self, owner: &Path, hold: &Hold) -> Option<PathBuf> {
        let place = self.places.get_mut(&hold.place)?;
        place.remove(owner, &hold.part);
        place.is_empty().then(|| self.places.remove(&hold.place))?;
        Some(hold.place.clone())
    }

    /// Forgets the directories at and below `path`, which are gone.
    pub(crate) fn lose(&mut self, path: &Path) -> Lost {
        let mut lost = Lost { places: at_or_below(&self.places, path).cloned().collect(), ..Lost::default() };
        for place in lost.places.iter().filter_map(|place| self.places.remove(place)) {
            lost.owners.extend(place.whole);
            lost.owners.extend(place.single.into_values().flatten());
            lost.waiting.extend(place.awaited.into_values().flatten());
        }
        for owner in lost.owners.iter().chain(&lost.waiting) {
            if let Some(owner) = self.owners.get_mut(owner) {
                owner.holds.retain(|hold| !hold.place.starts_with(path));
            }
        }
        lost
    }

    /// Remembers how many files `owner` has.
    pub(crate) fn count(&mut self, owner: &Path, files: usize) {
        if let Some(owner) = self.owners.get_mut(owner) {
            owner.files = files;
        }
    }

    /// Returns how many files count, as of when each directory was last listed.
    pub(crate) fn files(&self) -> usize {
        self.owners.values().map(|owner| owner.files).sum()
    }

    /// Returns what a path is wanted as, if it is.
    pub(crate) fn role(&self, owner: &Path) -> Option<Role> {
        self.owners.get(owner).map(|owner| owner.role)
    }

    /// Returns the real path of a directory whose every entry counts under this name.
    pub(crate) fn whole(&self, directory: &Path) -> Option<&Path> {
        let holds = &self.owners.get(directory)?.holds;
        holds.iter().find(|hold| hold.part == Part::Whole).map(|hold| hold.place.as_path())
    }

    /// Returns all owners at or below a path.
    pub(crate) fn owners_below(&self, path: &Path) -> Vec<PathBuf> {
        at_or_below(&self.owners, path).cloned().collect()
    }

    /// Returns all owners in this role.
    pub(crate) fn owners_in(&self, role: Role) -> Vec<PathBuf> {
        self.owners.iter().filter(|(_, owner)| owner.role == role).map(|(path, _)| path.clone()).collect()
    }

    /// Returns the directory of this real path, if it is watched.
    pub(crate) fn place(&self, path: &Path) -> Option<&Place> {
        self.places.get(path)
    }

    /// Returns every directory that is watched.
    pub(crate) fn places(&self) -> &BTreeMap<PathBuf, Place> {
        &self.places
    }
}

/// Returns the keys that are `path` or below it: paths are ordered by their components, so these are neighbours.
fn at_or_below<'a, V>(map: &'a BTreeMap<PathBuf, V>, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    map.range::<Path, _>((Bound::Included(path), Bound::Unbounded)).map(|(key, _)| key).take_while(move |key| key.starts_with(path))
}

impl Place {
    /// Returns the names of the directory under which every entry counts.
    pub(crate) fn whole(&self) -> &BTreeSet<PathBuf> {
        &self.whole
    }

    /// Returns what a change of this entry is a change of, where only some entries count.
    pub(crate) fn single(&self, name: &OsStr) -> impl Iterator<Item = &PathBuf> {
        self.single.get(name).into_iter().flatten()
    }

    /// Returns what may have come to exist with this entry.
    pub(crate) fn awaited(&self, name: &OsStr) -> impl Iterator<Item = &PathBuf> {
        self.awaited.get(name).into_iter().flatten()
    }

    /// Returns the entries that are looked at where not all of them are.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &OsString> {
        self.single.keys().chain(self.awaited.keys())
    }

    fn add(&mut self, owner: &Path, part: &Part) {
        match part {
            Part::Whole => self.whole.insert(owner.to_owned()),
            Part::Single(name) => self.single.entry(name.clone()).or_default().insert(owner.to_owned()),
            Part::Awaited(name) => self.awaited.entry(name.clone()).or_default().insert(owner.to_owned()),
        };
    }

    fn remove(&mut self, owner: &Path, part: &Part) {
        let (map, name) = match part {
            Part::Whole => {
                self.whole.remove(owner);
                return;
            }
            Part::Single(name) => (&mut self.single, name),
            Part::Awaited(name) => (&mut self.awaited, name),
        };
        if let Some(owners) = map.get_mut(name) {
            owners.remove(owner);
            if owners.is_empty() {
                map.remove(name);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.single.is_empty() && self.awaited.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(place: &str) -> Hold {
        Hold { place: place.into(), part: Part::Whole }
    }

    fn single(place: &str, name: &str) -> Hold {
        Hold { place: place.into(), part: Part::Single(name.into()) }
    }

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_directory_is_watched_once_and_for_as_long_as_anybody_holds_it() {
        let mut claims = Claims::default();
        let added = |difference: Difference| difference.added;
        assert_eq!(added(claims.set(Path::new("/a"), Role::Directory, vec![whole("/a")])), paths(&["/a"]));
        assert_eq!(added(claims.set(Path::new("/link"), Role::Directory, vec![whole("/a")])), paths(&[]));
        assert_eq!(added(claims.set(Path::new("/a/x"), Role::Link, vec![single("/b", "x")])), paths(&["/b"]));
        assert_eq!(claims.release(Path::new("/a")), paths(&[]));
        assert_eq!(claims.release(Path::new("/a/x")), paths(&["/b"]));
        assert_eq!(claims.release(Path::new("/link")), paths(&["/a"]));
        assert_eq!(claims.places().len(), 0);
    }

    #[test]
    fn what_is_held_before_and_after_is_never_let_go() {
        let mut claims = Claims::default();
        let owner = Path::new("/a/x");
        claims.set(owner, Role::Link, vec![single("/b", "x"), single("/c", "x")]);
        let difference = claims.set(owner, Role::Link, vec![single("/b", "x"), single("/d", "y")]);
        assert_eq!(difference, Difference { added: paths(&["/d"]), removed: paths(&["/c"]) });
    }

    #[test]
    fn a_lost_directory_takes_those_below_it_along_but_not_its_neighbours() {
        let mut claims = Claims::default();
        for directory in ["/a", "/a/b", "/a/b/c", "/a/b-2", "/a.b"] {
            claims.set(Path::new(directory), Role::Directory, vec![whole(directory)]);
        }
        claims.set(Path::new("/a/b/d/e"), Role::File, vec![Hold { place: "/a/b".into(), part: Part::Awaited("d".into()) }]);
        let lost = claims.lose(Path::new("/a/b"));
        assert_eq!(lost.places, paths(&["/a/b", "/a/b/c"]));
        assert_eq!(lost.owners.into_iter().collect::<Vec<_>>(), lost.places);
        assert_eq!(lost.waiting.into_iter().collect::<Vec<_>>(), paths(&["/a/b/d/e"]));
        assert_eq!(claims.whole(Path::new("/a/b")), None);
        assert_eq!(claims.whole(Path::new("/a/b-2")), Some(Path::new("/a/b-2")));
        assert_eq!(claims.owners_below(Path::new("/a/b")), paths(&["/a/b", "/a/b/c", "/a/b/d/e"]), "they are wanted still");
    }
}
