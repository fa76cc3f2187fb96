//! A file system: what the layers of an image amount to.

use std::collections::BTreeMap;
use std::fmt;

use super::layer::Change;
use super::layer::Layer;
use super::layer::contents;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it is, and what is in it.
    pub kind: Kind,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// The `security.capability` attribute, in hexadecimal.
    pub capability: Option<String>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file; its text if that is short.
    File {
        /// Bytes.
        size: u64,
        /// Of its contents.
        sha256: String,
        /// Its contents, if they are short and text.
        text: Option<String>,
    },
    /// A symbolic link to this.
    Symlink(String),
    /// A named pipe.
    Fifo,
    /// A device of this major and minor number.
    Device((u32, u32)),
}

impl File {
    /// Returns a file that belongs to root.
    pub fn with_contents(bytes: &[u8], mode: u32) -> Self {
        Self { kind: contents(bytes), mode, uid: 0, gid: 0, capability: None }
    }

    /// Returns a directory that belongs to root.
    pub fn directory() -> Self {
        Self { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, capability: None }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => write!(f, "a directory"),
            Self::File { text: Some(text), .. } => write!(f, "{text:?}"),
            Self::File { size, sha256, .. } => write!(f, "{size} bytes of sha256:{}", &sha256[..12]),
            Self::Symlink(target) => write!(f, "a link to {target}"),
            Self::Fifo => write!(f, "a pipe"),
            Self::Device((major, minor)) => write!(f, "device {major}:{minor}"),
        }
    }
}

/// Files by path; a file of several names is there once.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    names: BTreeMap<String, usize>,
    files: Vec<File>,
}

impl Tree {
    /// Puts a layer on top.
    pub fn apply(&mut self, layer: &Layer) {
        // What is taken away is always of the layers below, wherever in the archive that is said.
        for change in &layer.0 {
            match change {
                Change::Remove(path) => self.remove(path),
                Change::Empty(directory) => self.remove_below(directory),
                Change::Add(..) | Change::Link(..) => {}
            }
        }
        for change in &layer.0 {
            match change {
                Change::Add(path, file) => self.insert(path, file.clone()),
                Change::Link(path, target) => self.link(path, target),
                Change::Remove(_) | Change::Empty(_) => {}
            }
        }
    }

    /// Puts a file at a path, in the place of what was there.
    pub fn insert(&mut self, path: &str, file: File) {
        self.files.push(file);
        self.name(path, self.files.len() - 1);
    }

    /// Gives the file at `target` one more name. Of a target that is not there, the link says so.
    pub fn link(&mut self, path: &str, target: &str) {
        match self.names.get(target) {
            Some(file) => self.name(path, *file),
            None => self.insert(path, File { kind: Kind::Symlink(format!("{target}, a hard link to nothing")), ..File::directory() }),
        }
    }

    /// Removes a path and what is below it.
    pub fn remove(&mut self, path: &str) {
        self.names.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, directory: &str) {
        let prefix = format!("{directory}/");
        self.names.retain(|path, _| !(directory.is_empty() || path.starts_with(&prefix)));
    }

    fn name(&mut self, path: &str, file: usize) {
        self.make_parents(path);
        if self.files[file].kind != Kind::Directory {
            self.remove_below(path);
        }
        self.names.insert(path.to_owned(), file);
    }

    /// Makes the directories that lead to a path, as whoever unpacks a layer does.
    fn make_parents(&mut self, path: &str) {
        let Some((parent, _)) = path.rsplit_once('/') else { return };
        if self.get(parent).is_none_or(|file| file.kind != Kind::Directory) {
            self.insert(parent, File::directory());
        }
    }

    /// Returns what is at a path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.names.get(path).map(|file| &self.files[*file])
    }

    /// Returns the paths below a directory, in order.
    pub(super) fn below(&self, directory: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{directory}/");
        self.names.range(prefix.clone()..).map(|(path, _)| path.as_str()).take_while(move |path| path.starts_with(&prefix))
    }

    /// Returns all paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Returns the first of a file's other names, if it has any.
    pub(super) fn other_name(&self, path: &str) -> Option<&str> {
        let file = self.names.get(path)?;
        self.names.iter().find(|(name, other)| *other == file && *name != path).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(layers: &[&[Change]]) -> String {
        let mut tree = Tree::default();
        for layer in layers {
            tree.apply(&Layer(layer.to_vec()));
        }
        tree.paths().collect::<Vec<_>>().join(" ")
    }

    fn file(path: &str) -> Change {
        Change::Add(path.to_owned(), File::with_contents(path.as_bytes(), 0o644))
    }

    fn directory(path: &str) -> Change {
        Change::Add(path.to_owned(), File::directory())
    }

    #[test]
    fn a_whiteout_hides_what_is_below_it_and_nothing_of_its_own_layer() {
        let base = [directory("a"), file("a/1"), file("a/2"), file("b")];
        assert_eq!(tree(&[&base, &[Change::Remove("a/1".to_owned())]]), "a a/2 b");
        assert_eq!(tree(&[&base, &[Change::Remove("a".to_owned())]]), "b");
        assert_eq!(tree(&[&base, &[file("a/3"), Change::Empty("a".to_owned())]]), "a a/3 b");
        assert_eq!(tree(&[&base, &[file("a/1"), Change::Remove("a/1".to_owned())]]), "a a/1 a/2 b");
    }

    #[test]
    fn a_directory_stays_when_it_comes_again_and_goes_when_a_file_takes_its_place() {
        let base = [directory("a"), file("a/1")];
        assert_eq!(tree(&[&base, &[directory("a")]]), "a a/1");
        assert_eq!(tree(&[&base, &[file("a")]]), "a");
        assert_eq!(tree(&[&[file("a")], &[file("a/b/c")]]), "a a/b a/b/c");
    }

    #[test]
    fn names_of_one_file_are_known_until_one_is_replaced() {
        let mut tree = Tree::default();
        tree.apply(&Layer(vec![file("a"), Change::Link("b".to_owned(), "a".to_owned())]));
        assert_eq!(tree.other_name("a"), Some("b"));
        tree.apply(&Layer(vec![file("b")]));
        assert_eq!(tree.other_name("a"), None);
    }
}
