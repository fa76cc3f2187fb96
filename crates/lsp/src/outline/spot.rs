//! What could be written where the cursor stands.

use std::ops::Range;

use super::EntryId;
use super::Kind;
use super::Outline;

/// A place for something; `typed` is what stands there so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A key in an entry, or at the top of the document.
    Key {
        parent: Option<EntryId>,
        typed: Range<usize>,
        /// The entry that is being typed.
        own: Option<EntryId>,
    },
    /// The value of an entry.
    Value { of: EntryId, typed: Range<usize> },
    /// An item of the list that an entry has, with its dash.
    Dashed { list: EntryId, typed: Range<usize> },
    /// An item of the list that an entry has between brackets.
    Item { list: EntryId, typed: Range<usize> },
}

impl Outline {
    /// Returns what could be written at an offset.
    pub(crate) fn spots(&self, offset: usize) -> Vec<Spot> {
        if self.is_opaque(offset) {
            return Vec::new();
        }
        let beside = self.beside(offset);
        if !beside.is_empty() {
            return beside;
        }
        match self.flow_around(offset).filter(|owner| !self.is_outdented(*owner, offset)) {
            Some(owner) => self.in_flow(owner, offset),
            None => self.on_new_line(offset),
        }
    }

    /// Returns the entry whose name, or else whose value, an offset is in.
    pub(crate) fn entry_at(&self, offset: usize) -> Option<EntryId> {
        let holds = |range: &Range<usize>| range.start <= offset && offset <= range.end;
        let named = self.entries().find(|(_, entry)| entry.kind != Kind::Item && holds(&entry.name));
        named.or_else(|| self.entries().find(|(_, entry)| !entry.value.is_empty() && holds(&entry.value))).map(|(id, _)| id)
    }

    /// Returns the spots in or after an entry that is on the line already.
    fn beside(&self, offset: usize) -> Vec<Spot> {
        if let Some(id) = self.entry_at(offset) {
            let entry = &self.entries[id];
            if entry.name.start <= offset && offset <= entry.name.end && entry.kind != Kind::Item {
                return vec![Spot::Key { parent: entry.parent, typed: entry.name.clone(), own: Some(id) }];
            }
            return self.value_spots(id, entry.value.clone());
        }
        let line = self.text.line(self.text.line_of(offset));
        let is_before = |(id, entry): (EntryId, &super::Entry)| {
            let is_near = line.start <= entry.name.start && entry.name.end <= offset && entry.value.is_empty() && entry.flow.is_none();
            (is_near && self.is_only_punctuation(entry.name.end, offset, entry.kind)).then_some(id)
        };
        self.entries().filter_map(is_before).last().map_or_else(Vec::new, |id| self.value_spots(id, offset..offset))
    }

    fn value_spots(&self, id: EntryId, typed: Range<usize>) -> Vec<Spot> {
        let entry = &self.entries[id];
        let mut spots = vec![Spot::Value { of: id, typed: typed.clone() }];
        let is_quoted = self.text.text()[..typed.start].ends_with(['"', '\'']);
        if entry.kind == Kind::Item && !entry.is_flow && !is_quoted {
            spots.push(Spot::Key { parent: Some(id), typed, own: None });
        }
        spots
    }

    /// Returns whether nothing but a colon and blanks is between a name and an offset.
    fn is_only_punctuation(&self, from: usize, offset: usize, kind: Kind) -> bool {
        let between = self.text.text()[from..offset].trim_matches(['"', '\'']);
        match kind {
            Kind::Field => between.trim_start().strip_prefix(':').is_some_and(|rest| rest.trim().is_empty()),
            Kind::Item => between.trim().is_empty(),
            Kind::Word => false,
        }
    }

    /// Returns the innermost entry whose braces or brackets an offset is in.
    fn flow_around(&self, offset: usize) -> Option<EntryId> {
        let closes = |end: usize| self.text.text()[..end].ends_with(['}', ']']);
        let holds = |flow: &Range<usize>| flow.start < offset && (offset < flow.end || (offset == flow.end && !closes(flow.end)));
        self.entries().filter(|(_, entry)| entry.flow.as_ref().is_some_and(holds)).last().map(|(id, _)| id)
    }

    /// Returns whether a line without text is indented as if the collection before it had been closed.
    fn is_outdented(&self, owner: EntryId, offset: usize) -> bool {
        let line = self.text.line(self.text.line_of(offset));
        let is_later = self.entries[owner].flow.as_ref().is_some_and(|flow| flow.start < line.start);
        is_later && offset - line.start <= self.entries[owner].column && self.text.text()[line].trim().is_empty()
    }

    fn in_flow(&self, owner: EntryId, offset: usize) -> Vec<Spot> {
        let start = self.entries[owner].flow.as_ref().map_or(offset, |flow| flow.start);
        let before = self.text.text()[start..offset].trim_end();
        if !before.ends_with([',', '{', '[']) {
            return Vec::new();
        }
        let typed = offset..offset;
        if self.text.text()[start..].starts_with('{') {
            vec![Spot::Key { parent: Some(owner), typed, own: None }]
        } else {
            vec![Spot::Item { list: owner, typed }]
        }
    }

    /// Returns the spots on a line that has nothing yet, by how far the cursor is indented.
    fn on_new_line(&self, offset: usize) -> Vec<Spot> {
        let line = self.text.line(self.text.line_of(offset));
        if !self.text.text()[line.clone()].trim().is_empty() {
            return Vec::new();
        }
        let (column, document, typed) = (offset - line.start, self.document_at(offset), offset..offset);
        let is_above = |entry: &super::Entry| entry.name.start < line.start && entry.document == document && !entry.is_flow;
        let last = self.entries().filter(|(_, entry)| is_above(entry)).last();
        let mut list =
            last.filter(|(_, entry)| entry.kind == Kind::Field && entry.column == column && self.is_bare(entry)).map(|(id, _)| id);
        let mut spots = Vec::new();
        let mut parent = None;
        for id in last.into_iter().flat_map(|(id, _)| self.up(id)) {
            let entry = &self.entries[id];
            if entry.kind == Kind::Word {
                continue;
            }
            if entry.column < column {
                if !entry.value.is_empty() || entry.flow.is_some() {
                    return Vec::new();
                }
                parent = Some(id);
                break;
            }
            if entry.kind == Kind::Item && entry.column == column {
                list = entry.parent;
            }
        }
        spots.push(Spot::Key { parent, typed: typed.clone(), own: None });
        if let Some(list) = list.filter(|list| Some(*list) != parent) {
            spots.push(Spot::Dashed { list, typed });
        }
        spots
    }

    /// Returns whether an entry has nothing at all yet.
    fn is_bare(&self, entry: &super::Entry) -> bool {
        entry.value.is_empty() && entry.children.is_empty() && entry.flow.is_none()
    }
}
