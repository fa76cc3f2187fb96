//! A document as a tree and as types, so that a fault found in the types is shown at its place in the tree.

use devloop_model::Diagnostic;
use devloop_model::Location;

use crate::ModuleDocument;
use crate::Span;
use crate::schema::Config;
use crate::schema::trail::Trail;

/// One document, upgraded, with its profiles and defaults worked in.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) module: ModuleDocument,
    pub(crate) config: Config,
}

impl Loaded {
    /// Returns the place of the value at a JSON pointer, or of what is nearest above it.
    pub(crate) fn span(&self, pointer: &str) -> &Span {
        let mut pointer = pointer;
        loop {
            if let Some(node) = self.module.document.pointer(pointer) {
                return &node.span;
            }
            pointer = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// Returns the place of the key that a JSON pointer ends with, or of what is nearest above it.
    pub(crate) fn key_span(&self, pointer: &str) -> &Span {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let entry = self.module.document.pointer(parent).and_then(|parent| parent.entry(key));
        entry.map_or_else(|| self.span(parent), |(key, _)| &key.span)
    }

    /// Returns the place of the value at a JSON pointer, as a diagnostic shows it.
    pub(crate) fn location(&self, pointer: &str) -> Location {
        self.span(pointer).location(None)
    }

    /// Returns an error at the value of a JSON pointer.
    pub(crate) fn error(&self, code: &'static str, pointer: &str, what: impl Into<String>) -> Diagnostic {
        self.span(pointer).error(code, what)
    }

    /// Returns what the user calls the value at a JSON pointer: `` `docker` of artifact `web` ``.
    pub(crate) fn subject(&self, pointer: &str) -> String {
        Trail::to(&self.module.document, pointer).subject()
    }
}

/// Returns a JSON pointer to `key` in what `pointer` leads to.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
