//! The files that the editor has open, and those on the disk that they lead to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use devloop_config::Unsaved;
use gen_lsp_types as lsp;

use crate::document::Document;
use crate::outline::EntryId;
use crate::text::Text;
use crate::uri::path_of;
use crate::uri::uri_of;

/// A larger file is no configuration.
const MAX_FILE: u64 = 4 << 20;
/// So many files of one configuration are followed.
const MAX_FILES: usize = 1_000;
/// How far up a configuration that requires an open one is looked for.
const MAX_PARENTS: usize = 16;

/// What a file on disk was known by when it was read.
type Stamp = (SystemTime, u64);

/// All that a request can be about.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    open: BTreeMap<PathBuf, Arc<Document>>,
    /// Files that were read from disk.
    read: RefCell<BTreeMap<PathBuf, (Stamp, Arc<Document>)>>,
    /// The folders that the editor has open.
    pub(crate) folders: Vec<PathBuf>,
}

impl Workspace {
    pub(crate) fn open(&mut self, uri: lsp::Uri, version: i32, text: String) -> PathBuf {
        let path = self.path(&uri);
        let document = Document::new(path.clone(), uri, Some(version), Text::new(text));
        self.open.insert(path.clone(), Arc::new(document));
        path
    }

    /// Changes the text of an open document; one that is not open stays unknown.
    pub(crate) fn change(&mut self, uri: &lsp::Uri, version: i32, changes: Vec<lsp::TextDocumentContentChangeEvent>) {
        let path = self.path(uri);
        let Some(document) = self.open.get(&path) else { return };
        let mut text = document.text().clone();
        for change in changes {
            text = match change {
                lsp::TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => text.replaced(part.range, &part.text),
                lsp::TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => Text::new(whole.text),
            };
        }
        let changed = Document::new(path.clone(), document.uri.clone(), Some(version), text);
        self.open.insert(path, Arc::new(changed));
    }

    pub(crate) fn close(&mut self, uri: &lsp::Uri) {
        self.open.remove(&self.path(uri));
    }

    /// Returns the open document at an address.
    pub(crate) fn document(&self, uri: &lsp::Uri) -> Option<Arc<Document>> {
        self.open.get(&self.path(uri)).cloned()
    }

    /// Returns the documents that are open.
    pub(crate) fn all_open(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.open.values()
    }

    /// Returns the path of an address; one that is no file gets a path beside those that are.
    pub(crate) fn path(&self, uri: &lsp::Uri) -> PathBuf {
        path_of(uri).unwrap_or_else(|| {
            let name: String = uri.0.chars().map(|c| if c == '/' { '_' } else { c }).collect();
            self.folders.first().map_or_else(|| Path::new("/").join(&name), |folder| folder.join(&name))
        })
    }

    /// Returns the texts that stand for files.
    pub(crate) fn unsaved(&self) -> Unsaved {
        self.open.iter().map(|(path, document)| (path.clone(), Arc::clone(document.text().text()))).collect()
    }

    /// Returns the file at a path as the editor has it, else as the disk has it.
    pub(crate) fn get(&self, path: &Path) -> Option<Arc<Document>> {
        if let Some(document) = self.open.get(path) {
            return Some(Arc::clone(document));
        }
        let meta = path.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= MAX_FILE)?;
        let stamp = (meta.modified().ok()?, meta.len());
        let mut read = self.read.borrow_mut();
        if let Some((_, document)) = read.get(path).filter(|(known, _)| *known == stamp) {
            return Some(Arc::clone(document));
        }
        let text = std::fs::read_to_string(path).ok()?;
        let document = Arc::new(Document::new(path.to_owned(), uri_of(path), None, Text::new(text)));
        if read.len() >= MAX_FILES {
            read.clear();
        }
        read.insert(path.to_owned(), (stamp, Arc::clone(&document)));
        Some(document)
    }

    /// Returns the file that an entry of `requires` means: `item` is its dash.
    pub(crate) fn required(&self, document: &Document, item: EntryId) -> Option<PathBuf> {
        if document.outline.field(Some(item), document.index_of(Some(item), 0), "git").is_some() {
            return None;
        }
        let Some(path) = document.outline.text_of(item, "path") else { return Some(document.path.clone()) };
        devloop_config::configuration_at(document.dir(), &devloop_config::clean_path(&document.dir().join(path)))
    }

    /// Returns a configuration and all that it requires by path, itself first.
    pub(crate) fn requirements(&self, path: &Path) -> Vec<Arc<Document>> {
        let (mut seen, mut found) = (BTreeSet::from([path.to_owned()]), Vec::new());
        let mut next = VecDeque::from([path.to_owned()]);
        while let Some(path) = next.pop_front() {
            let Some(document) = self.get(&path) else { continue };
            for item in document.outline.at_paths(&["requires", "-"]) {
                if let Some(path) = self.required(&document, item)
                    && seen.len() < MAX_FILES
                    && seen.insert(path.clone())
                {
                    next.push_back(path);
                }
            }
            found.push(document);
        }
        found
    }

    /// Returns the configurations to look at so that all open ones are looked at, each as a part of the largest that requires it.
    pub(crate) fn roots(&self) -> BTreeSet<PathBuf> {
        let open: Vec<&Arc<Document>> = self.open.values().filter(|document| document.is_configuration()).collect();
        let mut candidates: BTreeSet<PathBuf> = open.iter().map(|document| document.path.clone()).collect();
        for document in &open {
            let above = document.dir().ancestors().skip(1).take(MAX_PARENTS);
            let is_inside = |dir: &&Path| self.folders.iter().any(|folder| dir.starts_with(folder));
            candidates.extend(
                above
                    .take_while(is_inside)
                    .filter_map(|dir| devloop_config::FILE_NAMES.iter().map(|name| dir.join(name)).find(|file| file.is_file())),
            );
        }
        let reached: BTreeMap<&PathBuf, BTreeSet<PathBuf>> =
            candidates.iter().map(|path| (path, self.requirements(path).iter().map(|document| document.path.clone()).collect())).collect();
        let reaches = |from: &PathBuf, to: &PathBuf| from != to && reached[from].contains(to);
        // Of a circle, the first of its files stands for all.
        let is_above = |from: &PathBuf, to: &PathBuf| reaches(from, to) && (!reaches(to, from) || from < to);
        let is_top = |path: &&PathBuf| !candidates.iter().any(|other| is_above(other, path));
        let has_open = |path: &&PathBuf| open.iter().any(|document| reached[*path].contains(&document.path));
        candidates.iter().filter(is_top).filter(has_open).cloned().collect()
    }

    /// Returns the files that names in a document may come from.
    pub(crate) fn related(&self, document: &Document) -> Vec<Arc<Document>> {
        let mut related = self.requirements(&document.path);
        for root in self.roots() {
            let all = self.requirements(&root);
            if all.iter().any(|other| other.path == document.path) {
                related.extend(all.into_iter().filter(|other| other.path != document.path));
            }
        }
        let mut seen = BTreeSet::new();
        related.retain(|document| seen.insert(document.path.clone()));
        related
    }
}

#[cfg(test)]
mod tests;
