//! Flow style: what stands between braces and brackets, over any number of lines.

use std::ops::Range;

use super::Entry;
use super::EntryId;
use super::Kind;
use super::Outline;
use super::lines::closing_quote;

/// Deeper nesting is not read.
const MAX_DEPTH: usize = 100;

/// Reads the collection that opens at `at` and belongs to `owner`; returns where it ends, or where it must have been meant to:
/// before a line that is indented no more than `limit` and starts a key of its own.
pub(super) fn read(outline: &mut Outline, owner: EntryId, at: usize, limit: usize) -> usize {
    Reader { outline, limit }.collection(owner, at, 0).unwrap_or_else(|stop| stop)
}

struct Reader<'o> {
    outline: &'o mut Outline,
    limit: usize,
}

/// Where reading goes on, or where it stops for good.
type Step = Result<usize, usize>;

impl Reader<'_> {
    fn text(&self) -> &str {
        self.outline.text.text()
    }

    fn collection(&mut self, owner: EntryId, at: usize, depth: usize) -> Step {
        if depth >= MAX_DEPTH {
            return Err(at);
        }
        let end = self.entries(owner, at, depth);
        self.outline.entries[owner].flow = Some(at..end.unwrap_or_else(|stop| stop));
        end
    }

    fn entries(&mut self, owner: EntryId, at: usize, depth: usize) -> Step {
        let is_map = self.text()[at..].starts_with('{');
        let mut at = at + 1;
        loop {
            at = self.blanks(at)?;
            match self.text()[at..].chars().next() {
                None => return Err(at),
                Some('}' | ']') => return Ok(at + 1),
                Some(',') => at += 1,
                Some(_) if is_map => at = self.field(owner, at, depth)?,
                Some(_) => {
                    let id = self.enter(owner, Kind::Item, at..at);
                    at = self.value(id, at, depth)?;
                }
            }
        }
    }

    fn field(&mut self, owner: EntryId, at: usize, depth: usize) -> Step {
        let (name, after) = self.scalar(at, true);
        let colon = self.blanks(after)?;
        if !self.text()[colon..].starts_with(':') {
            self.enter(owner, Kind::Word, name);
            return Ok(self.beyond(at, after));
        }
        let id = self.enter(owner, Kind::Field, name);
        let at = self.blanks(colon + 1)?;
        if self.text()[at..].starts_with([',', '}', ']']) {
            return Ok(at);
        }
        self.value(id, at, depth)
    }

    fn value(&mut self, id: EntryId, at: usize, depth: usize) -> Step {
        if self.text()[at..].starts_with(['{', '[']) {
            let end = self.collection(id, at, depth + 1);
            self.outline.extend(id, end.unwrap_or_else(|stop| stop));
            return end;
        }
        let (value, after) = self.scalar(at, false);
        self.outline.extend(id, after);
        self.outline.entries[id].value = value;
        Ok(self.beyond(at, after))
    }

    /// Returns `after`, or the place after the one byte at `at` where nothing was read.
    fn beyond(&self, at: usize, after: usize) -> usize {
        if after > at { after } else { (at + 1).min(self.text().len()) }
    }

    /// Returns a scalar without its quotes, and where it ends; a plain key ends before its colon.
    fn scalar(&self, at: usize, is_key: bool) -> (Range<usize>, usize) {
        let text = self.text();
        let line = text[at..].find('\n').map_or(text.len(), |length| at + length);
        if let Some(quote) = text[at..].chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let close = closing_quote(text, at + 1, line, quote);
            return (at + 1..close, (close + 1).min(line));
        }
        let ends = |(length, c): &(usize, char)| match c {
            ',' | '{' | '}' | '[' | ']' => true,
            ':' => is_key && text[at + length + 1..].chars().next().is_none_or(|next| next.is_whitespace() || ",}]".contains(next)),
            '#' => *length > 0 && text[..at + length].ends_with(' '),
            _ => false,
        };
        let end = text[at..line].char_indices().find(ends).map_or(line, |(length, _)| at + length);
        let trimmed = at + text[at..end].trim_end().len();
        (at..trimmed, end)
    }

    /// Passes over blanks, comments and ends of lines, up to a line that is no part of this any more.
    fn blanks(&self, mut at: usize) -> Step {
        let text = self.text();
        while let Some(c) = text[at..].chars().next() {
            match c {
                '\n' => {
                    let line = text[at + 1..].split('\n').next().unwrap_or_default().trim_end();
                    let content = line.trim_start_matches(' ');
                    let is_outside =
                        line.len() - content.len() <= self.limit && !content.is_empty() && !content.starts_with(['}', ']', '#']);
                    if is_outside {
                        return Err(at);
                    }
                    at += 1;
                }
                '#' => at = text[at..].find('\n').map_or(text.len(), |length| at + length),
                c if c.is_whitespace() => at += c.len_utf8(),
                _ => break,
            }
        }
        Ok(at)
    }

    fn enter(&mut self, owner: EntryId, kind: Kind, name: Range<usize>) -> EntryId {
        self.outline.push(Entry {
            parent: Some(owner),
            children: Vec::new(),
            kind,
            document: self.outline.entries[owner].document,
            column: self.outline.entries[owner].column,
            end: name.end,
            value: name.end..name.end,
            name,
            is_flow: true,
            flow: None,
        })
    }
}
