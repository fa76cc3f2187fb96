//! What stands where in a YAML text, read by indentation: also of a text that is half typed, which no parser takes.

mod flow;
mod lines;
mod spot;

use std::ops::Range;

use crate::text::Text;

pub(crate) use self::spot::Spot;

/// The entries of a text, in the order they are written.
#[derive(Debug)]
pub(crate) struct Outline {
    text: Text,
    entries: Vec<Entry>,
    /// Where each document starts.
    documents: Vec<usize>,
    /// Lines and parts in which nothing is an entry: comments and block scalars.
    opaque: Vec<Range<usize>>,
}

/// A field of a mapping or an item of a list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) parent: Option<EntryId>,
    pub(crate) children: Vec<EntryId>,
    pub(crate) kind: Kind,
    pub(crate) document: usize,
    /// How far it is indented, in bytes: a key, or the dash of an item.
    column: usize,
    /// The key without its quotes, or the dash.
    pub(crate) name: Range<usize>,
    /// What stands beside it on its line, without quotes; an empty range where nothing does.
    pub(crate) value: Range<usize>,
    /// Where the last thing in it ends.
    pub(crate) end: usize,
    /// Whether it stands between braces or brackets.
    is_flow: bool,
    /// From the brace or bracket that its value opens with, up to after the one that closes it.
    flow: Option<Range<usize>>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `key: value`.
    Field,
    /// A word that may become a key: there is no colon after it.
    Word,
    /// `- value`.
    Item,
}

/// The place of an entry in its outline.
pub(crate) type EntryId = usize;

impl Outline {
    pub(crate) fn of(text: Text) -> Self {
        lines::read(text)
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    pub(crate) fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id]
    }

    /// Returns all entries, in the order they are written.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.entries.iter().enumerate()
    }

    pub(crate) fn name(&self, id: EntryId) -> &str {
        &self.text.text()[self.entries[id].name.clone()]
    }

    pub(crate) fn value(&self, id: EntryId) -> &str {
        &self.text.text()[self.entries[id].value.clone()]
    }

    /// Returns the entries that stand in one, or those at the top of a document.
    pub(crate) fn children(&self, parent: Option<EntryId>, document: usize) -> Vec<EntryId> {
        let Some(parent) = parent else {
            return self.entries().filter(|(_, entry)| entry.parent.is_none() && entry.document == document).map(|(id, _)| id).collect();
        };
        self.entries[parent].children.clone()
    }

    /// Returns the field called `name` in an entry, or at the top of a document.
    pub(crate) fn field(&self, parent: Option<EntryId>, document: usize, name: &str) -> Option<EntryId> {
        self.children(parent, document).into_iter().find(|id| self.entries[*id].kind == Kind::Field && self.name(*id) == name)
    }

    /// Returns what is written beside the field called `name` in an entry.
    pub(crate) fn text_of(&self, parent: EntryId, name: &str) -> Option<&str> {
        let id = self.field(Some(parent), self.entries[parent].document, name)?;
        Some(self.value(id)).filter(|value| !value.is_empty())
    }

    /// Returns the entry and those that it stands in, innermost first.
    pub(crate) fn up(&self, id: EntryId) -> impl Iterator<Item = EntryId> {
        std::iter::successors(Some(id), |id| self.entries[*id].parent)
    }

    /// Returns the way from the top to an entry: names of fields, and none for an item.
    pub(crate) fn path(&self, id: EntryId) -> Vec<Option<&str>> {
        let mut path: Vec<_> = self.up(id).map(|id| (self.entries[id].kind != Kind::Item).then(|| self.name(id))).collect();
        path.reverse();
        path
    }

    /// Returns the fields that the way `to` leads to, where `-` is any item, from the top or from inside of a profile.
    pub(crate) fn at_paths(&self, to: &[&str]) -> Vec<EntryId> {
        let is_there =
            |path: &[Option<&str>]| path.len() == to.len() && path.iter().zip(to).all(|(part, wanted)| part.unwrap_or("-") == *wanted);
        // Most are left out by their own name, without looking at what they stand in.
        let is_called = |id: EntryId| match (self.entries[id].kind, to.last()) {
            (Kind::Item, Some(last)) => *last == "-",
            (Kind::Field, Some(last)) => self.name(id) == *last,
            _ => false,
        };
        let fits = |id: EntryId| match self.path(id).as_slice() {
            [Some("profiles"), None, rest @ ..] if is_there(rest) => true,
            path => is_there(path),
        };
        self.entries().map(|(id, _)| id).filter(|id| is_called(*id) && fits(*id)).collect()
    }

    /// Returns which document an offset is in.
    pub(crate) fn document_at(&self, offset: usize) -> usize {
        self.documents.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Returns how many documents there are.
    pub(crate) fn documents(&self) -> usize {
        self.documents.len()
    }

    fn is_opaque(&self, offset: usize) -> bool {
        self.opaque.iter().any(|range| range.start <= offset && offset <= range.end)
    }

    fn push(&mut self, entry: Entry) -> EntryId {
        let id = self.entries.len();
        if let Some(parent) = entry.parent {
            self.entries[parent].children.push(id);
        }
        let end = entry.end;
        self.entries.push(entry);
        self.extend(id, end);
        id
    }

    /// Lets an entry, and all that it stands in, reach up to `end`.
    fn extend(&mut self, id: EntryId, end: usize) {
        let mut next = Some(id);
        while let Some(id) = next {
            let entry = &mut self.entries[id];
            entry.end = entry.end.max(end);
            next = entry.parent;
        }
    }
}

#[cfg(test)]
mod tests;
