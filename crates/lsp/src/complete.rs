//! What could be written where the cursor is: keys by the schema, and values by what they mean.

mod keys;
mod values;

use std::ops::Range;
use std::sync::Arc;

use gen_lsp_types as lsp;

use crate::document::Document;
use crate::outline::Spot;
use crate::workspace::Workspace;

/// So many items are offered.
const MAX_ITEMS: usize = 1_000;

/// Returns what could be written at an offset of a document.
pub(crate) fn complete(workspace: &Workspace, document: &Arc<Document>, offset: usize) -> Vec<lsp::CompletionItem> {
    let outline = &document.outline;
    let mut items = Vec::new();
    for spot in outline.spots(offset) {
        let at = match &spot {
            Spot::Key { parent, .. } => *parent,
            Spot::Value { of, .. } => Some(*of),
            Spot::Dashed { list, .. } | Spot::Item { list, .. } => Some(*list),
        };
        let schema = document.schema(document.index_of(at, offset));
        let Some(place) = schema.at(&at.map(|id| outline.path(id)).unwrap_or_default()) else { continue };
        let cx = Cx { workspace, document, offset };
        match spot {
            // A list that nothing is in yet.
            Spot::Key { parent: Some(list), typed, .. } if place.is_list() => items.extend(cx.dashed(list, place, typed)),
            Spot::Dashed { list, typed } => items.extend(cx.dashed(list, place, typed)),
            Spot::Key { parent, typed, own } => items.extend(cx.keys(parent, own, place, typed)),
            Spot::Value { of, typed } => items.extend(cx.values(of, place, typed, "")),
            Spot::Item { list, typed } => {
                items.extend(place.item().into_iter().flat_map(|place| cx.values(list, place, typed.clone(), "")));
            }
        }
    }
    items.truncate(MAX_ITEMS);
    items
}

/// Where something is completed.
#[derive(Clone, Copy)]
struct Cx<'a> {
    workspace: &'a Workspace,
    document: &'a Arc<Document>,
    offset: usize,
}

impl Cx<'_> {
    /// Returns an item that writes `text` in place of `typed`.
    fn item(self, label: String, kind: lsp::CompletionItemKind, typed: &Range<usize>, text: &str) -> lsp::CompletionItem {
        let before = &self.document.text().text()[..typed.start];
        // A colon and a dash take a blank after them.
        let is_glued = typed.is_empty() && before.ends_with([':', '-']) && !before.ends_with("--");
        let new_text = if is_glued { format!(" {text}") } else { text.to_owned() };
        let edit = lsp::TextEdit { range: self.document.text().range(typed.clone()), new_text };
        lsp::CompletionItem { label, kind: Some(kind), text_edit: Some(edit.into()), ..lsp::CompletionItem::default() }
    }
}

#[cfg(test)]
mod tests;
