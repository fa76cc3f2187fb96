//! What a mapping or list is made of after an upgrade, in which order.

use super::compose::Aliases;
use super::layout::Piece;
use super::origin::at;
use super::same;
use crate::Key;
use crate::Node;

/// An entry or item of what is made.
pub(super) enum Part<'p> {
    /// The one that is written with this index; without a value it is left alone.
    Slot { index: usize, key: Option<&'p Key>, value: Option<&'p Node> },
    /// One that was not here.
    New { key: Option<&'p Key>, value: &'p Node },
}

/// Fields of a document or a profile in the order that they are written in; a new one gets its place by it.
const ORDER: [&str; 17] = [
    "apiVersion",
    "kind",
    "metadata",
    "requires",
    "name",
    "activation",
    "requiresAllActivations",
    "patches",
    "build",
    "test",
    "manifests",
    "deploy",
    "portForward",
    "resourceSelector",
    "verify",
    "customActions",
    "profiles",
];

impl<'p> Part<'p> {
    /// Returns the parts of `new`, which `piece` was before its upgrade.
    pub(super) fn all(piece: &Piece, old: &Node, new: &'p Node, aliases: Aliases) -> Vec<Self> {
        if new.as_list().is_some() { Self::of_list(piece, old, new) } else { Self::of_map(piece, old, new, aliases) }
    }

    /// Returns the index in the text, of what was there.
    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Slot { index, .. } => Some(*index),
            Self::New { .. } => None,
        }
    }

    fn name(&self) -> Option<&'p str> {
        match self {
            Self::Slot { key, .. } | Self::New { key, .. } => key.map(|key| key.text.as_str()),
        }
    }

    fn of_map(piece: &Piece, old: &Node, new: &'p Node, aliases: Aliases) -> Vec<Self> {
        let entries = new.as_map().unwrap_or_default();
        let is_root = new.get("apiVersion").is_some();
        let merged = merged(piece, old, new, aliases);
        let mut parts: Vec<Self> = Vec::new();
        for (index, slot) in piece.slots().iter().enumerate() {
            let Some((key_at, name)) = &slot.key else { continue };
            let by_name = entries.iter().find(|(key, _)| key.text == *name);
            let by_place = || entries.iter().find(|(key, _)| at(&key.span) == *key_at && !has(piece, &key.text));
            if (name == "<<" && merged.is_some()) || (is_root && name.starts_with('.')) {
                parts.push(Self::Slot { index, key: None, value: None });
            } else if let Some((key, value)) = by_name.or_else(by_place).filter(|_| name != "<<") {
                parts.push(Self::Slot { index, key: Some(key), value: Some(value) });
            }
        }
        let merged = merged.unwrap_or_default();
        for (key, value) in entries.iter().filter(|(key, _)| !merged.contains(&key.text.as_str())) {
            if !parts.iter().any(|part| part.name() == Some(&key.text)) {
                let is_pipeline = is_root || new.get("name").is_some();
                let at = if is_pipeline { place_of(&key.text, &parts) } else { parts.len() };
                parts.insert(at, Self::New { key: Some(key), value });
            }
        }
        parts
    }

    /// Those that are still there come in their order, and the others between them.
    fn of_list(piece: &Piece, old: &Node, new: &'p Node) -> Vec<Self> {
        let olds = old.as_list().unwrap_or_default();
        let count = piece.slots().len().min(olds.len());
        let mut next = 0;
        let mut parts = Vec::new();
        for value in new.as_list().unwrap_or_default() {
            let by_place = (next..count).find(|index| olds[*index].span == value.span);
            let found = by_place.or_else(|| (next..count).find(|index| same(&olds[*index], value)));
            parts.push(match found {
                Some(index) => Self::Slot { index, key: None, value: Some(value) },
                None => Self::New { key: None, value },
            });
            next = found.map_or(next, |index| index + 1);
        }
        parts
    }
}

/// Returns the names of the entries that `<<` stands for, if it can stay.
fn merged<'n>(piece: &Piece, old: &'n Node, new: &Node, aliases: Aliases) -> Option<Vec<&'n str>> {
    if !has(piece, "<<") {
        return None;
    }
    let entries = old.as_map()?.iter().filter(|(key, _)| !has(piece, &key.text));
    let are_same = entries.clone().all(|(key, value)| new.get(&key.text).is_some_and(|new| same(value, new)));
    let stays = are_same || aliases == Aliases::Kept;
    stays.then(|| entries.filter(|(key, _)| new.get(&key.text).is_some()).map(|(key, _)| key.text.as_str()).collect())
}

fn has(piece: &Piece, name: &str) -> bool {
    piece.slots().iter().any(|slot| slot.key.as_ref().is_some_and(|(_, key)| key == name))
}

fn place_of(name: &str, parts: &[Part<'_>]) -> usize {
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let Some(own) = rank(name) else { return parts.len() };
    parts.iter().position(|part| part.name().and_then(rank).is_some_and(|other| other > own)).unwrap_or(parts.len())
}
