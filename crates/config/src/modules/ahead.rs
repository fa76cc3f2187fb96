//! Files and repositories that modules require, read and fetched before they are asked for: all that are known at once, on all cores.
//!
//! Nothing is decided here: what nobody asks for later is as if it had not been read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use devloop_model::Diagnostic;

use super::FetchRepo;
use super::GitSource;
use super::absolute;
use super::clean;
use super::file_at;
use super::leaves;
use super::name_of;
use super::parent;
use super::requirement::Place;
use super::requirement::Requirement;
use crate::Node;
use crate::Source;
use crate::load;
use crate::parse_documents;

/// The documents of a file with what was noticed in them, or what is wrong with it.
pub(crate) type Parsed = Result<(Vec<Node>, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Returns the text of a file, named as the user would write it.
pub(crate) type ReadSource<'a> = &'a (dyn Fn(&Path) -> Result<Arc<Source>, Diagnostic> + Sync);

/// How many repositories are fetched at once: they wait for the network.
const FETCHES: usize = 8;

/// What was read and fetched already.
pub(crate) struct Ahead<'a> {
    fetch: &'a dyn FetchRepo,
    /// By absolute path; each is taken once.
    files: Mutex<BTreeMap<PathBuf, Parsed>>,
    repos: BTreeMap<GitSource, Result<PathBuf, Diagnostic>>,
    /// The documents of files with faults, by path: what they require may have faults as well.
    faulty: BTreeMap<PathBuf, Vec<Node>>,
}

/// What is looked into next.
struct Next {
    /// The file, as the user would write it.
    file: PathBuf,
    /// The work tree that it is in.
    tree: Option<PathBuf>,
    /// Names of modules to take from it; empty for all.
    names: Vec<String>,
}

impl<'a> Ahead<'a> {
    /// Returns what the documents of `root` require, and what that requires in turn.
    pub(crate) fn read(root: (&Path, &[Node]), cwd: &Path, read: ReadSource<'_>, fetch: &'a dyn FetchRepo) -> Self {
        let mut ahead = Self { fetch, files: Mutex::default(), repos: BTreeMap::new(), faulty: BTreeMap::new() };
        let mut scanned = BTreeSet::new();
        let mut wave = vec![Next { file: root.0.to_owned(), tree: None, names: Vec::new() }];
        let root_key = absolute(cwd, root.0);
        while !wave.is_empty() {
            let mut required = Vec::new();
            for next in &wave {
                let key = absolute(cwd, &next.file);
                if !scanned.insert((key.clone(), next.names.clone())) {
                    continue;
                }
                let files = ahead.files();
                let faulty = ahead.faulty.get(&key).map(Vec::as_slice);
                let documents = if key == root_key { Some(root.1) } else { documents(&files, &key).or(faulty) };
                required.extend(
                    documents
                        .unwrap_or_default()
                        .iter()
                        .filter(|document| next.takes(document))
                        .flat_map(|document| next.requires(document)),
                );
            }
            ahead.fetch_all(&required);
            wave = required.into_iter().filter_map(|(from, place, names)| ahead.locate(&from, place, names, cwd)).collect();
            ahead.parse_all(&wave, &root_key, cwd, read);
        }
        ahead
    }

    /// Returns the documents of a file, if it was read and nobody took them yet.
    pub(crate) fn take(&self, key: &Path) -> Option<Parsed> {
        self.files().remove(key)
    }

    /// Returns what is wrong with files that nobody took: those that a file with faults requires.
    pub(crate) fn faults(&self) -> Vec<Diagnostic> {
        self.files().values().filter_map(|parsed| parsed.as_ref().err()).flatten().cloned().collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Parsed>> {
        // Nothing is left half done in it.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch_all(&mut self, required: &[(Origin, Place, Vec<String>)]) {
        let sources = required.iter().filter_map(|(_, place, _)| if let Place::Git { source, .. } = place { Some(source) } else { None });
        let new: BTreeSet<&GitSource> = sources.filter(|source| !self.repos.contains_key(source)).collect();
        let new: Vec<&GitSource> = new.into_iter().collect();
        let fetched = on_threads(FETCHES, new.len(), &|index| self.fetch.fetch(new[index]));
        self.repos.extend(new.into_iter().cloned().zip(fetched));
    }

    fn locate(&self, from: &Origin, place: Place, names: Vec<String>, cwd: &Path) -> Option<Next> {
        let (path, tree) = match place {
            Place::SameFile => return Some(Next { file: from.file.clone(), tree: from.tree.clone(), names }),
            Place::Path(path) => (clean(&parent(&from.file).join(path)), from.tree.clone()),
            Place::Git { source, path } => {
                let tree = self.repos.get(&source)?.as_ref().ok()?;
                (clean(&tree.join(path)), Some(tree.clone()))
            }
        };
        if tree.as_ref().is_some_and(|tree| leaves(cwd, tree, &path)) {
            return None;
        }
        Some(Next { file: file_at(cwd, &path)?, tree, names })
    }

    fn parse_all(&mut self, wave: &[Next], root: &Path, cwd: &Path, read: ReadSource<'_>) {
        let mut new: BTreeMap<PathBuf, &Path> = BTreeMap::new();
        for next in wave {
            let key = absolute(cwd, &next.file);
            if key != root && !self.files().contains_key(&key) {
                new.entry(key).or_insert(&next.file);
            }
        }
        let files: Vec<&Path> = new.values().copied().collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let parsed = on_threads(cores, files.len(), &|index| {
            let source = read(files[index]).map_err(|error| (vec![error], Vec::new()))?;
            load::documents(&source).map_err(|faults| (faults, parse_documents(&source).unwrap_or_default()))
        });
        for (key, parsed) in new.into_keys().zip(parsed) {
            let parsed = parsed.map_err(|(faults, documents)| {
                self.faulty.insert(key.clone(), documents);
                faults
            });
            self.files().insert(key, parsed);
        }
    }
}

impl FetchRepo for Ahead<'_> {
    fn fetch(&self, repo: &GitSource) -> Result<PathBuf, Diagnostic> {
        self.repos.get(repo).cloned().unwrap_or_else(|| self.fetch.fetch(repo))
    }
}

/// Where a requirement stands.
struct Origin {
    file: PathBuf,
    tree: Option<PathBuf>,
}

impl Next {
    fn takes(&self, document: &Node) -> bool {
        self.names.is_empty() || name_of(document).is_some_and(|name| self.names.contains(&name))
    }

    fn requires(&self, document: &Node) -> Vec<(Origin, Place, Vec<String>)> {
        let entries = document.get("requires").and_then(Node::as_list).unwrap_or_default();
        let read = entries.iter().filter_map(|entry| Requirement::read(entry).ok());
        read.map(|entry| (Origin { file: self.file.clone(), tree: self.tree.clone() }, entry.place, entry.names)).collect()
    }
}

fn documents<'a>(files: &'a BTreeMap<PathBuf, Parsed>, key: &Path) -> Option<&'a [Node]> {
    files.get(key)?.as_ref().ok().map(|(documents, _)| documents.as_slice())
}

/// Returns what `work` makes of each index below `count`, on up to `threads` threads; one alone is done here.
fn on_threads<T: Send>(threads: usize, count: usize, work: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let threads = threads.min(count);
    if threads <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let indexes = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|index| *index < count);
        indexes.map(|index| (index, work(index))).collect::<Vec<_>>()
    };
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
