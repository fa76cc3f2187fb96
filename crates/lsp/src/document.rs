//! One file: its text and what stands where in it.

use std::path::Path;
use std::path::PathBuf;

use gen_lsp_types as lsp;

use crate::outline::EntryId;
use crate::outline::Outline;
use crate::schema::Schema;
use crate::text::Text;

/// A file, as an editor or the disk has it.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it is; a document that was never saved has a path that does not exist.
    pub(crate) path: PathBuf,
    pub(crate) uri: lsp::Uri,
    /// The version of the editor's, where it is open there.
    pub(crate) version: Option<i32>,
    pub(crate) outline: Outline,
}

impl Document {
    pub(crate) fn new(path: PathBuf, uri: lsp::Uri, version: Option<i32>, text: Text) -> Self {
        Self { path, uri, version, outline: Outline::of(text) }
    }

    pub(crate) fn text(&self) -> &Text {
        self.outline.text()
    }

    /// Returns the directory that its paths start from.
    pub(crate) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Returns whether this is a configuration: by its name, or because it says so.
    pub(crate) fn is_configuration(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let is_named = devloop_config::FILE_NAMES.contains(&&*name);
        is_named
            || (0..self.outline.documents()).any(|document| {
                self.api_version(document).is_some_and(|version| version.starts_with("skaffold/") || version.starts_with("devloop/"))
            })
    }

    fn api_version(&self, document: usize) -> Option<&str> {
        self.outline.field(None, document, "apiVersion").map(|id| self.outline.value(id))
    }

    /// Returns the schema that one of its documents is written for.
    pub(crate) fn schema(&self, document: usize) -> Schema {
        Schema::of(self.api_version(document).unwrap_or_default())
    }

    /// Returns the document of the file that an entry, or else an offset, is in.
    pub(crate) fn index_of(&self, entry: Option<EntryId>, offset: usize) -> usize {
        entry.map_or_else(|| self.outline.document_at(offset), |id| self.outline.entry(id).document)
    }

    /// Returns where an entry's value stands, or its name where it has none.
    pub(crate) fn location(&self, id: EntryId) -> lsp::Location {
        let entry = self.outline.entry(id);
        let range = if entry.value.is_empty() { &entry.name } else { &entry.value };
        lsp::Location { uri: self.uri.clone(), range: self.text().range(range.clone()) }
    }
}
