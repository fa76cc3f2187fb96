//! The text of a document that was upgraded: what is as it was stays as it is written, and what moved takes its comments along.

use saphyr_parser::ScalarStyle;

use super::anew;
use super::layout::Form;
use super::layout::Piece;
use super::layout::Slot;
use super::origin::Origins;
use super::parts::Part;
use super::same;
use super::write::Style;
use super::write::shift;
use super::write::shift_lines;
use crate::Key;
use crate::Node;
use crate::Value;

/// What becomes of an alias whose value was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aliases {
    /// It stays, as the value that it names is changed in the same way.
    Kept,
    /// What it names is written in its place.
    WrittenOut,
}

/// Makes the text of one document.
pub(super) struct Composer<'a> {
    pub(super) text: &'a str,
    pub(super) aliases: Aliases,
    pub(super) origins: Origins<'a>,
    style: Style,
}

impl<'a> Composer<'a> {
    /// Returns what makes the text of `new` from that of `old`, which is written as `piece` in `text`.
    pub(super) fn new(text: &'a str, piece: &'a Piece, old: &'a Node, new: &'a Node, aliases: Aliases) -> Self {
        Self { text, aliases, origins: Origins::new(piece, old, new), style: Style::of(piece) }
    }

    /// Returns the text of `new` in the place of `piece`, its first line without indentation and the others `delta` columns further
    /// to the right; of a block with what stands behind its last value. Nothing where it takes another form.
    pub(super) fn changed(&self, piece: &Piece, old: &Node, new: &Node, delta: isize) -> Option<String> {
        match (&piece.form, &new.value) {
            (Form::Alias(_), _) => (self.aliases == Aliases::Kept || same(old, new)).then(|| self.written(piece, delta)),
            (Form::Map(_), Value::Map(_)) | (Form::List(_), Value::List(_)) if piece.is_flow => self.flow(piece, old, new, delta),
            (Form::Map(_), Value::Map(_)) | (Form::List(_), Value::List(_)) => self.block(piece, old, new, delta),
            (Form::Scalar(_), _) if same(old, new) => Some(self.written(piece, delta)),
            _ => None,
        }
    }

    fn written(&self, piece: &Piece, delta: isize) -> String {
        shift(&self.text[piece.start..piece.end], delta)
    }

    fn block(&self, piece: &Piece, old: &Node, new: &Node, delta: isize) -> Option<String> {
        let parts = Part::all(piece, old, new, self.aliases);
        if parts.iter().all(|part| part.index().is_none()) {
            return None;
        }
        let column = piece.column.checked_add_signed(delta)?;
        let (mut lines, mut next) = (String::new(), 0);
        for (number, part) in parts.iter().enumerate() {
            match part {
                Part::Slot { index, key, value } => {
                    for before in next.min(*index)..*index {
                        // A comment that belonged to nothing stays, whatever becomes of what was below it.
                        let gap = self.above(piece, before).0;
                        lines.push_str(&if gap.contains('#') { shift_lines(gap, delta) } else { String::new() });
                    }
                    next = index + 1;
                    let (gap, lead) = self.above(piece, *index);
                    lines.push_str(&shift_lines(gap, delta));
                    lines.push_str(&shift_lines(lead, delta));
                    lines.push_str(&" ".repeat(column));
                    lines.push_str(&self.slot(piece, *index, *key, *value, old, delta)?);
                }
                Part::New { key, value } => {
                    let beside = parts[number..].iter().chain(&parts[..number]).find_map(Part::index);
                    let is_roomy = key.is_some() && beside.is_some_and(|beside| self.above(piece, beside).0.starts_with('\n'));
                    lines.push_str(if is_roomy { "\n" } else { "" });
                    lines.push_str(&self.new_slot(*key, value, column));
                }
            }
            lines.push('\n');
        }
        Some(lines.trim_start_matches([' ', '\n']).trim_end_matches('\n').to_owned())
    }

    /// Returns what stands between a slot and the one before: what is nobody's, and the comments of the slot itself.
    fn above(&self, piece: &Piece, index: usize) -> (&'a str, &'a str) {
        let slot = &piece.slots()[index];
        let line = self.line_start(slot.start);
        let Some(before) = index.checked_sub(1).filter(|_| self.is_first_on_line(slot)) else { return ("", "") };
        let from = (self.line_end(piece.slots()[before].value.end) + 1).min(line);
        let own = self.comments_above(slot, from);
        (&self.text[from..own], &self.text[own..line])
    }

    /// Returns where the comments begin that stand directly above a slot, as far to the right as it.
    fn comments_above(&self, slot: &Slot, from: usize) -> usize {
        let line = self.line_start(slot.start);
        let mut own = line;
        while own > from {
            let above = self.line_start(own - 1);
            let written = &self.text[above..own];
            let blanks = written.len() - written.trim_start_matches(' ').len();
            if above < from || !written[blanks..].starts_with('#') || blanks != slot.start - line {
                break;
            }
            own = above;
        }
        own
    }

    /// Returns an entry or item as it is written, with what changed in it.
    fn slot(&self, piece: &Piece, index: usize, key: Option<&Key>, value: Option<&Node>, old: &Node, delta: isize) -> Option<String> {
        let slot = &piece.slots()[index];
        let (mark, column) = (self.mark(slot, key), self.column(slot).checked_add_signed(delta)?);
        match (value, held(slot, index, old)) {
            (Some(new), Some(old)) => Some(self.with_value(slot, mark, (old, new), delta, column)),
            _ => Some(match self.origins.pair(&slot.value).filter(|_| self.aliases == Aliases::Kept) {
                Some(pair) => self.with_value(slot, mark, pair, delta, column),
                None => mark + &shift(&self.text[slot.mark_end..self.line_end(slot.value.end)], delta),
            }),
        }
    }

    /// Returns a key with its colon, or a dash.
    pub(super) fn mark(&self, slot: &Slot, key: Option<&Key>) -> String {
        match (key, &slot.key) {
            (Some(key), Some((_, name))) if key.text != *name => anew::quoted(&key.text) + ":",
            _ => self.text[slot.start..slot.mark_end].to_owned(),
        }
    }

    fn with_value(&self, slot: &Slot, mark: String, (old, new): (&Node, &Node), delta: isize, column: usize) -> String {
        let piece = &slot.value;
        let beside = if piece.is_block() { slot.mark_end } else { piece.end };
        let tail = self.text[beside..self.line_end(beside)].trim_end();
        if let Some(text) = self.changed(piece, old, new, delta) {
            // A block has what stands beside its last value.
            return mark + &shift(&self.between(slot, old, new), delta) + &text + if piece.is_block() { "" } else { tail };
        }
        // Behind a dash stands the first entry, else a comment.
        let tail = if tail.trim_start().starts_with('#') { tail } else { "" };
        let is_dash = slot.key.is_none();
        let written = match piece.form {
            Form::Alias(_) => self.elsewhere(new, column, is_dash),
            Form::Scalar(style) => in_quotes(style, new).unwrap_or_else(|| self.fresh(new, column, is_dash)),
            Form::Map(_) | Form::List(_) => self.fresh(new, column, is_dash),
        };
        if written.starts_with('\n') { mark + tail + &written } else { mark + " " + &written + tail }
    }

    /// Returns what stands between a key or dash and its value, without the comments of a first entry that is gone.
    fn between(&self, slot: &Slot, old: &Node, new: &Node) -> String {
        let written = &self.text[slot.mark_end..slot.value.start];
        let first = slot.value.slots().first().filter(|first| slot.value.is_block() && self.is_first_on_line(first));
        let Some(first) = first else { return written.to_owned() };
        if Part::all(&slot.value, old, new, self.aliases).iter().any(|part| part.index() == Some(0)) {
            return written.to_owned();
        }
        let own = self.comments_above(first, self.line_end(slot.mark_end) + 1);
        self.text[slot.mark_end..own].to_owned() + &" ".repeat(slot.value.column)
    }

    /// Returns an entry or item that was not here.
    fn new_slot(&self, key: Option<&Key>, value: &Node, column: usize) -> String {
        let indent = " ".repeat(column);
        let Some(key) = key else { return item(&indent, &self.elsewhere(value, column, true)) };
        if let Some((piece, index, old)) = self.origins.slot(&key.span).filter(|(piece, ..)| !piece.is_flow) {
            let slot = &piece.slots()[index];
            let delta = column.cast_signed() - self.column(slot).cast_signed();
            if self.changed(&slot.value, old, value, delta).is_some() {
                let own = if self.is_first_on_line(slot) { self.comments_above(slot, 0) } else { self.line_start(slot.start) };
                let lead = shift_lines(&self.text[own..self.line_start(slot.start)], delta);
                return lead + &indent + &self.with_value(slot, self.mark(slot, Some(key)), (old, value), delta, column);
            }
        }
        let written = self.elsewhere(value, column, false);
        let gap = if written.starts_with('\n') { "" } else { " " };
        format!("{indent}{}:{gap}{written}", anew::quoted(&key.text))
    }

    /// Returns a value, by the text that it was read from, below a key or behind a dash in `column`.
    fn elsewhere(&self, new: &Node, column: usize, is_dash: bool) -> String {
        let Some((piece, old)) = self.origins.value(new) else { return self.fresh(new, column, is_dash) };
        let inner = self.style.inner(new, column, is_dash);
        let text = if piece.is_block() {
            let (indent, delta) = (" ".repeat(inner), inner.cast_signed() - piece.column.cast_signed());
            let lead = self.lead_of_first(piece, old, new);
            let text = self.changed(piece, old, new, delta).map(|text| shift_lines(lead, delta) + &indent + &text);
            text.map(|text| if is_dash { text.trim_start().to_owned() } else { format!("\n{text}") })
        } else {
            self.changed(piece, old, new, 0).filter(|text| !text.contains('\n') && !text.is_empty())
        };
        text.unwrap_or_else(|| self.fresh(new, column, is_dash))
    }

    /// Returns the comments above the first entry or item of a block, if that comes first in `new` as well.
    fn lead_of_first(&self, piece: &Piece, old: &Node, new: &Node) -> &'a str {
        let parts = Part::all(piece, old, new, self.aliases);
        let is_kept = parts.first().is_some_and(|part| part.index() == Some(0));
        let first = piece.slots().first().filter(|first| is_kept && self.is_first_on_line(first));
        first.map_or("", |first| &self.text[self.comments_above(first, 0)..self.line_start(first.start)])
    }

    /// Returns a value as new text; what is in it may be old.
    pub(super) fn fresh(&self, new: &Node, column: usize, is_dash: bool) -> String {
        let inner = self.style.inner(new, column, is_dash);
        let parts: Vec<String> = match &new.value {
            Value::Map(entries) => entries.iter().map(|(key, value)| self.new_slot(Some(key), value, inner)).collect(),
            Value::List(items) => items.iter().map(|item| self.new_slot(None, item, inner)).collect(),
            _ => Vec::new(),
        };
        match parts.join("\n") {
            text if text.is_empty() => anew::inline(new),
            text if is_dash => text.trim_start().to_owned(),
            text => format!("\n{text}"),
        }
    }

    fn is_first_on_line(&self, slot: &Slot) -> bool {
        self.text[self.line_start(slot.start)..slot.start].trim().is_empty()
    }

    fn column(&self, slot: &Slot) -> usize {
        self.text[self.line_start(slot.start)..slot.start].chars().count()
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline)
    }
}

/// Returns an item of a list; comments that its text starts with stand above the dash.
fn item(indent: &str, text: &str) -> String {
    let (mut lead, mut rest) = (String::new(), text);
    while let Some((comment, more)) = rest.split_once('\n').filter(|(line, _)| line.trim_start().starts_with('#')) {
        lead.extend([indent, comment.trim_start(), "\n"]);
        rest = more;
    }
    format!("{lead}{indent}- {}", rest.trim_start())
}

/// Returns what a slot of `old` held.
pub(super) fn held<'n>(slot: &Slot, index: usize, old: &'n Node) -> Option<&'n Node> {
    match &slot.key {
        Some((_, name)) => old.get(name),
        None => old.as_list()?.get(index),
    }
}

/// Returns new text in the quotes that the old was in.
pub(super) fn in_quotes(style: ScalarStyle, new: &Node) -> Option<String> {
    let Value::Text(text) = &new.value else { return None };
    match style {
        ScalarStyle::DoubleQuoted => Some(serde_json::Value::from(text.as_str()).to_string()),
        ScalarStyle::SingleQuoted if !text.chars().any(char::is_control) => Some(format!("'{}'", text.replace('\'', "''"))),
        _ => None,
    }
}
