//! Where values and fields come from: by the places that nodes keep through an upgrade.

use std::collections::HashMap;

use super::layout::At;
use super::layout::Form;
use super::layout::Piece;
use crate::Node;
use crate::Span;
use crate::Value;

/// Kinds of values that can start at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Scalar,
    Map,
    List,
}

/// What is written where, in one document before its upgrade.
#[derive(Default)]
pub(super) struct Origins<'a> {
    /// What each anchor names.
    anchors: HashMap<usize, &'a Piece>,
    values: HashMap<(At, Kind), (&'a Piece, &'a Node)>,
    slots: HashMap<At, (&'a Piece, usize, &'a Node)>,
    upgraded: HashMap<(At, Kind), &'a Node>,
}

impl<'a> Origins<'a> {
    /// Returns the origins of `new`, made from `old`, which is written as `piece`.
    pub(super) fn new(piece: &'a Piece, old: &'a Node, new: &'a Node) -> Self {
        let mut origins = Self::default();
        origins.find_anchors(piece);
        origins.index(piece, old);
        origins.find_upgraded(new);
        origins
    }

    /// Returns how a value was written, and what it was.
    pub(super) fn value(&self, new: &Node) -> Option<(&'a Piece, &'a Node)> {
        self.values.get(&(at(&new.span), kind(new))).copied()
    }

    /// Returns the mapping that a key was written in, which of its entries that was, and its value.
    pub(super) fn slot(&self, key: &Span) -> Option<(&'a Piece, usize, &'a Node)> {
        self.slots.get(&at(key)).copied()
    }

    /// Returns what is written as `piece` before and after the upgrade, wherever it is.
    pub(super) fn pair(&self, piece: &Piece) -> Option<(&'a Node, &'a Node)> {
        let kind = match piece.form {
            Form::Map(_) => Kind::Map,
            Form::List(_) => Kind::List,
            Form::Scalar(_) | Form::Alias(_) => Kind::Scalar,
        };
        let place = (piece.at, kind);
        Some((self.values.get(&place)?.1, self.upgraded.get(&place)?))
    }

    fn find_anchors(&mut self, piece: &'a Piece) {
        if piece.anchor != 0 {
            self.anchors.insert(piece.anchor, piece);
        }
        piece.slots().iter().for_each(|slot| self.find_anchors(&slot.value));
    }

    /// Remembers where everything in `old` is written.
    fn index(&mut self, piece: &'a Piece, old: &'a Node) {
        if let Form::Alias(anchor) = piece.form {
            if let Some(named) = self.anchors.get(&anchor).copied() {
                self.index(named, old);
            }
            return;
        }
        self.values.entry((piece.at, kind(old))).or_insert((piece, old));
        for (index, slot) in piece.slots().iter().enumerate() {
            let inner = match &slot.key {
                Some((_, name)) if name == "<<" => {
                    self.index_merged(&slot.value, old);
                    continue;
                }
                Some((_, name)) => old.get(name),
                None => old.as_list().and_then(|items| items.get(index)),
            };
            let Some(inner) = inner else { continue };
            if let Some((at, _)) = &slot.key {
                self.slots.entry(*at).or_insert((piece, index, inner));
            }
            self.index(&slot.value, inner);
        }
    }

    fn index_merged(&mut self, value: &'a Piece, old: &'a Node) {
        match &value.form {
            Form::Alias(anchor) => {
                if let Some(named) = self.anchors.get(anchor).copied() {
                    self.index(named, old);
                }
            }
            Form::List(slots) => slots.iter().for_each(|slot| self.index_merged(&slot.value, old)),
            _ => {}
        }
    }

    fn find_upgraded(&mut self, new: &'a Node) {
        self.upgraded.entry((at(&new.span), kind(new))).or_insert(new);
        new.as_list().into_iter().flatten().for_each(|item| self.find_upgraded(item));
        new.as_map().into_iter().flatten().for_each(|(_, value)| self.find_upgraded(value));
    }
}

/// Returns a place as layouts know it.
pub(super) fn at(span: &Span) -> At {
    (span.line, span.column)
}

fn kind(node: &Node) -> Kind {
    match node.value {
        Value::Map(_) => Kind::Map,
        Value::List(_) => Kind::List,
        _ => Kind::Scalar,
    }
}
