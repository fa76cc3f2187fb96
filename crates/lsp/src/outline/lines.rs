//! Block style: one line after the other.

use std::ops::Range;

use super::Entry;
use super::EntryId;
use super::Kind;
use super::Outline;
use super::flow;
use crate::text::Text;

/// More entries than any skaffold.yaml has are not read.
const MAX_ENTRIES: usize = 50_000;

/// Returns the outline of a text.
pub(super) fn read(text: Text) -> Outline {
    let outline = Outline { text, entries: Vec::new(), documents: vec![0], opaque: Vec::new() };
    let mut reader = Reader { outline, open: Vec::new() };
    let mut at = 0;
    while at < reader.text().len() && reader.outline.entries.len() < MAX_ENTRIES {
        at = reader.line(at);
    }
    reader.outline
}

struct Reader {
    outline: Outline,
    /// The entries that the next line may stand in, outermost first.
    open: Vec<EntryId>,
}

impl Reader {
    fn text(&self) -> &str {
        self.outline.text.text()
    }

    /// Returns where the line that starts at or holds `at` ends.
    fn line_end(&self, at: usize) -> usize {
        self.text()[at..].find('\n').map_or(self.text().len(), |length| at + length)
    }

    /// Reads the line that starts at `start`, and returns where the next one does.
    fn line(&mut self, start: usize) -> usize {
        let end = self.line_end(start);
        let line = self.text()[start..end].trim_end();
        let (next, content) = (end + 1, line.trim_start_matches([' ', '\t']));
        let at = start + line.len() - content.len();
        if content.is_empty() {
            return next;
        }
        if content.starts_with('#') {
            self.outline.opaque.push(at + 1..end);
            return next;
        }
        let is_marker = |marker: &str| line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        if is_marker("---") || is_marker("...") {
            self.open.clear();
            let has_entries = self.outline.entries.iter().any(|entry| entry.document + 1 == self.outline.documents.len());
            if has_entries {
                self.outline.documents.push(next.min(self.text().len()));
            }
            return next;
        }
        let limit = start + line.len();
        self.content(start, at, limit, next)
    }

    /// Reads what a line has from `at` to `end`.
    fn content(&mut self, start: usize, mut at: usize, end: usize, next: usize) -> usize {
        let mut item = None;
        while self.is_dash(at, end) {
            self.close_for_item(at - start);
            item = Some(self.enter(Kind::Item, at - start, at..at + 1));
            at = self.after_blanks(at + 1, end);
        }
        if let Some((name, after)) = key(self.text(), at, end) {
            self.close_from(at - start);
            let id = self.enter(Kind::Field, at - start, name);
            return self.value(id, after, end, next);
        }
        if let Some(item) = item {
            return self.value(item, at, end, next);
        }
        self.close_from(at - start);
        let continues = self.open.last().is_some_and(|id| !self.outline.value(*id).is_empty());
        if !continues {
            let end = before_comment(self.text(), at, end);
            self.enter(Kind::Word, at - start, at..end);
            self.open.pop();
        }
        next
    }

    /// Reads what stands beside a key or a dash, and returns where the next line starts.
    fn value(&mut self, id: EntryId, at: usize, end: usize, next: usize) -> usize {
        let at = self.after_properties(at, end);
        let mut chars = self.text()[at..end].chars();
        match chars.next() {
            None | Some('#') => {
                if at < end {
                    self.outline.opaque.push(at + 1..end);
                }
                self.set_value(id, at..at);
            }
            Some('{' | '[') => {
                let limit = self.outline.entries[id].column;
                let after = flow::read(&mut self.outline, id, at, limit);
                self.outline.extend(id, after);
                return self.line_end(after.min(self.text().len())) + 1;
            }
            Some('|' | '>') => {
                self.set_value(id, at..at);
                return self.block_scalar(id, end, next);
            }
            Some(quote @ ('"' | '\'')) => {
                let close = closing_quote(self.text(), at + 1, end, quote);
                self.set_value(id, at + 1..close);
            }
            Some(_) => {
                let end = before_comment(self.text(), at, end);
                self.set_value(id, at..end);
            }
        }
        next
    }

    /// Passes over the lines of a block scalar: they are blank, or indented more than what they belong to.
    fn block_scalar(&mut self, id: EntryId, end: usize, mut next: usize) -> usize {
        let mut last = end;
        while next < self.text().len() {
            let end = self.line_end(next);
            let line = &self.text()[next..end];
            let indent = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() && indent <= self.outline.entries[id].column {
                break;
            }
            last = end;
            next = end + 1;
        }
        self.outline.opaque.push(end..last);
        self.outline.extend(id, last);
        next
    }

    fn is_dash(&self, at: usize, end: usize) -> bool {
        let rest = &self.text()[at..end];
        rest.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    }

    fn after_blanks(&self, at: usize, end: usize) -> usize {
        let rest = &self.text()[at..end];
        at + rest.len() - rest.trim_start_matches([' ', '\t']).len()
    }

    /// Passes over an anchor and a tag.
    fn after_properties(&self, at: usize, end: usize) -> usize {
        let mut at = self.after_blanks(at, end);
        while self.text()[at..end].starts_with(['&', '!']) {
            let word = self.text()[at..end].find([' ', '\t']).unwrap_or(end - at);
            at = self.after_blanks(at + word, end);
        }
        at
    }

    fn enter(&mut self, kind: Kind, column: usize, name: Range<usize>) -> EntryId {
        let id = self.outline.push(Entry {
            parent: self.open.last().copied(),
            children: Vec::new(),
            kind,
            document: self.outline.documents.len() - 1,
            column,
            end: name.end,
            value: name.end..name.end,
            name,
            is_flow: false,
            flow: None,
        });
        self.open.push(id);
        id
    }

    fn set_value(&mut self, id: EntryId, value: Range<usize>) {
        self.outline.extend(id, value.end);
        self.outline.entries[id].value = value;
    }

    /// Closes what a key at `column` does not stand in.
    fn close_from(&mut self, column: usize) {
        while self.open.last().is_some_and(|id| self.outline.entries[*id].column >= column) {
            self.open.pop();
        }
    }

    /// Closes what an item at `column` does not stand in: a list may be indented as much as its key.
    fn close_for_item(&mut self, column: usize) {
        while let Some(id) = self.open.last() {
            let entry = &self.outline.entries[*id];
            let holds = entry.column == column && entry.kind == Kind::Field && entry.value.is_empty();
            if entry.column < column || holds {
                break;
            }
            self.open.pop();
        }
    }
}

/// Returns the key that stands at `at`, without quotes, and where its colon ends.
fn key(text: &str, at: usize, end: usize) -> Option<(Range<usize>, usize)> {
    let rest = &text[at..end];
    let ends_key = |colon: usize| text[colon + 1..end].chars().next().is_none_or(|c| c == ' ' || c == '\t');
    if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let close = closing_quote(text, at + 1, end, quote);
        let after = text.get(close + 1..end)?;
        let colon = close + 1 + (after.len() - after.trim_start().len());
        return (text[colon..end].starts_with(':') && ends_key(colon)).then_some((at + 1..close, colon + 1));
    }
    if rest.starts_with(['{', '[', '|', '>', '#']) {
        return None;
    }
    let limit = before_comment(text, at, end);
    let colon = text[at..limit].match_indices(':').map(|(length, _)| at + length).find(|colon| ends_key(*colon))?;
    let name = text[at..colon].trim_end();
    (!name.is_empty()).then(|| (at..at + name.len(), colon + 1))
}

/// Returns where the quote that opens before `at` is closed, or `end`.
pub(super) fn closing_quote(text: &str, at: usize, end: usize, quote: char) -> usize {
    let mut chars = text[at..end].char_indices().peekable();
    while let Some((length, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            _ if c == quote => return at + length,
            _ => {}
        }
    }
    end
}

/// Returns where what starts at `at` ends, without a comment and the blanks before it.
fn before_comment(text: &str, at: usize, end: usize) -> usize {
    let end = text[at..end].find(" #").map_or(end, |length| at + length);
    at + text[at..end].trim_end().len()
}
