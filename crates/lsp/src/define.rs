//! Where what the cursor is on is defined: files that paths mean, and what names refer to.

use std::path::Path;
use std::sync::Arc;

use gen_lsp_types as lsp;

use crate::document::Document;
use crate::names::Reference;
use crate::names::file;
use crate::paths;
use crate::workspace::Workspace;

/// Returns the files or places that the value at an offset means.
pub(crate) fn define(workspace: &Workspace, document: &Arc<Document>, offset: usize) -> Vec<lsp::Location> {
    let outline = &document.outline;
    let Some(id) = outline.entry_at(offset).filter(|id| !outline.value(*id).is_empty()) else { return Vec::new() };
    let schema = document.schema(outline.entry(id).document);
    let Some(place) = schema.at(&outline.path(id)) else { return Vec::new() };
    if let Some(reference) = Reference::of(place) {
        let candidates = reference.candidates(workspace, document, id);
        return candidates.into_iter().filter(|found| found.name == outline.value(id)).map(|found| found.at).collect();
    }
    let mut files = paths::files(document, id, place);
    if (place.owner, place.field) == ("ConfigDependency", "path") {
        let written = Path::new(outline.value(id));
        files.extend(devloop_config::configuration_at(document.dir(), &devloop_config::clean_path(&document.dir().join(written))));
        files.dedup();
    }
    files.iter().map(|path| file(path)).collect()
}

#[cfg(test)]
mod tests;
