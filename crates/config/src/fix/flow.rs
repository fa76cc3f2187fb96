//! Mappings in `{}` and lists in `[]`.

use super::anew;
use super::compose::Composer;
use super::compose::held;
use super::compose::in_quotes;
use super::layout::Form;
use super::layout::Piece;
use super::layout::Slot;
use super::parts::Part;
use super::same;
use super::write::shift;
use crate::Key;
use crate::Node;
use crate::Value;

impl Composer<'_> {
    /// Returns the text of `new`, which was written as `piece`.
    pub(super) fn flow(&self, piece: &Piece, old: &Node, new: &Node, delta: isize) -> Option<String> {
        if same(old, new) {
            return Some(shift(&self.text[piece.start..piece.end], delta));
        }
        let (slots, parts) = (piece.slots(), Part::all(piece, old, new, self.aliases));
        let (first, last) = (slots.first()?, slots.last()?);
        if parts.iter().all(|part| part.index().is_none()) {
            return None;
        }
        let mut text = self.text[piece.start..first.start].to_owned();
        for (number, part) in parts.iter().enumerate() {
            let before = part.index().and_then(|index| index.checked_sub(1));
            let between = match (before, part.index()) {
                (Some(before), Some(index)) => &self.text[slots[before].value.end..slots[index].start],
                _ => ", ",
            };
            text.push_str(if number > 0 { between } else { "" });
            text.push_str(&match part {
                Part::Slot { index, key, value } => self.flow_slot(&slots[*index], *index, *key, *value, old),
                Part::New { key, value } => self.flow_new(*key, value),
            });
        }
        text.push_str(&self.text[last.value.end..piece.end]);
        Some(shift(&text, delta))
    }

    fn flow_slot(&self, slot: &Slot, index: usize, key: Option<&Key>, value: Option<&Node>, old: &Node) -> String {
        let (mark, piece) = (self.flow_mark(slot, key), &slot.value);
        let (Some(new), Some(old)) = (value, held(slot, index, old)) else { return mark + &self.text[slot.mark_end..piece.end] };
        if let Some(text) = self.changed(piece, old, new, 0) {
            return mark + &self.text[slot.mark_end..piece.start] + &text;
        }
        let quoted = if let Form::Scalar(style) = piece.form { in_quotes(style, new) } else { None };
        mark + if slot.key.is_some() { " " } else { "" } + &quoted.unwrap_or_else(|| self.flow_text(new))
    }

    /// Returns a key with its colon, in quotes where it was in quotes.
    fn flow_mark(&self, slot: &Slot, key: Option<&Key>) -> String {
        match key.filter(|_| self.text[slot.start..].starts_with('"')) {
            Some(key) => serde_json::Value::from(key.text.as_str()).to_string() + ":",
            None => self.mark(slot, key),
        }
    }

    fn flow_new(&self, key: Option<&Key>, value: &Node) -> String {
        match key {
            Some(key) => format!("{}: {}", anew::quoted(&key.text), self.flow_text(value)),
            None => self.flow_text(value),
        }
    }

    /// Returns a value on one line.
    fn flow_text(&self, new: &Node) -> String {
        let origin = self.origins.value(new).filter(|(piece, _)| !piece.is_block());
        let text = origin.and_then(|(piece, old)| self.changed(piece, old, new, 0));
        if let Some(text) = text.filter(|text| text.starts_with(['{', '[', '"', '\'']) && !text.contains('\n')) {
            return text;
        }
        match &new.value {
            Value::Map(entries) if !entries.is_empty() => {
                let entries: Vec<String> = entries.iter().map(|(key, value)| self.flow_new(Some(key), value)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::List(items) if !items.is_empty() => {
                format!("[{}]", items.iter().map(|item| self.flow_text(item)).collect::<Vec<_>>().join(", "))
            }
            _ => anew::inline(new),
        }
    }
}
