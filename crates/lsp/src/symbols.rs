//! The outline of a document, for an editor's list and breadcrumbs.

use gen_lsp_types as lsp;

use crate::document::Document;
use crate::outline::EntryId;
use crate::outline::Kind;

/// Deeper entries are left out.
const MAX_DEPTH: usize = 8;
/// The fields that an item of a list is called by, the best first.
const NAMES: [&str; 6] = ["name", "image", "imageName", "resourceName", "path", "src"];

/// Returns the fields and items of a document.
pub(crate) fn symbols(document: &Document) -> Vec<lsp::DocumentSymbol> {
    let top = (0..document.outline.documents()).flat_map(|index| document.outline.children(None, index));
    top.filter_map(|id| symbol(document, id, 0)).collect()
}

fn symbol(document: &Document, id: EntryId, depth: usize) -> Option<lsp::DocumentSymbol> {
    let outline = &document.outline;
    let entry = outline.entry(id);
    let value = Some(outline.value(id)).filter(|value| !value.is_empty());
    let (name, kind) = match entry.kind {
        Kind::Word => return None,
        Kind::Field if entry.children.is_empty() => (outline.name(id), lsp::SymbolKind::Property),
        Kind::Field => (outline.name(id), lsp::SymbolKind::Namespace),
        Kind::Item if entry.children.is_empty() => (value?, lsp::SymbolKind::String),
        Kind::Item => (NAMES.iter().find_map(|name| outline.text_of(id, name)).unwrap_or("-"), lsp::SymbolKind::Object),
    };
    // An editor refuses a symbol without a name.
    let name = if name.is_empty() { "-" } else { name };
    let children =
        if depth < MAX_DEPTH { entry.children.iter().filter_map(|id| symbol(document, *id, depth + 1)).collect() } else { Vec::new() };
    #[expect(deprecated, reason = "the type has a field that the protocol does not use any more")]
    Some(lsp::DocumentSymbol {
        name: name.to_owned(),
        detail: value.filter(|_| entry.kind == Kind::Field).map(str::to_owned),
        kind,
        tags: None,
        deprecated: None,
        range: document.text().range(entry.name.start..entry.end.max(entry.name.end)),
        selection_range: document.text().range(entry.name.clone()),
        children: (!children.is_empty()).then_some(children),
    })
}
