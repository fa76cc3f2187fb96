//! Indentation.

use super::layout::Piece;
use crate::Node;

/// How a document is indented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// How much further to the right mappings stand than what they are in.
    width: usize,
    /// Whether the dashes of a list stand below the first letter of its key.
    are_dashes_below_keys: bool,
}

impl Style {
    /// Returns the style of the first mapping and list of a document that show one.
    pub(super) fn of(document: &Piece) -> Self {
        let (mut width, mut dashes) = (None, None);
        look(document, &mut width, &mut dashes);
        Self { width: width.unwrap_or(2), are_dashes_below_keys: dashes.unwrap_or(false) }
    }

    /// Returns the column of what is in `node`, which stands behind a key or a dash in `column`.
    pub(super) fn inner(self, node: &Node, column: usize, is_dash: bool) -> usize {
        match node.as_list() {
            _ if is_dash => column + 2,
            Some(_) if self.are_dashes_below_keys => column,
            _ => column + self.width,
        }
    }
}

fn look(piece: &Piece, width: &mut Option<usize>, dashes: &mut Option<bool>) {
    for slot in piece.slots() {
        let inner = &slot.value;
        if slot.key.is_some() && inner.is_block() {
            let is_list = inner.slots().first().is_some_and(|slot| slot.key.is_none());
            let further = inner.column.saturating_sub(piece.column);
            if is_list {
                dashes.get_or_insert(further == 0);
            } else if (2..=8).contains(&further) {
                width.get_or_insert(further);
            }
        }
        look(inner, width, dashes);
    }
}

/// Returns text whose lines, but for the first one, stand `delta` columns further to the right.
pub(super) fn shift(text: &str, delta: isize) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if delta != 0 => {
            let (whole, last) = rest.rsplit_once('\n').map_or(("", rest), |(whole, last)| (&rest[..=whole.len()], last));
            format!("{first}\n{}{}", shift_lines(whole, delta), moved(last, delta))
        }
        _ => text.to_owned(),
    }
}

/// Returns whole lines `delta` columns further to the right.
pub(super) fn shift_lines(lines: &str, delta: isize) -> String {
    let shifted = lines.split_inclusive('\n').map(|line| if line.trim().is_empty() { line.to_owned() } else { moved(line, delta) });
    shifted.collect()
}

fn moved(line: &str, delta: isize) -> String {
    if delta >= 0 {
        return " ".repeat(delta.unsigned_abs()) + line;
    }
    let blanks = line.len() - line.trim_start_matches(' ').len();
    line[blanks.min(delta.unsigned_abs())..].to_owned()
}
