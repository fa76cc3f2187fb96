//! Keys of a mapping, and items of a list that are mappings.

use std::ops::Range;

use gen_lsp_types as lsp;

use super::Cx;
use crate::outline::EntryId;
use crate::outline::Kind;
use crate::schema::Place;

impl Cx<'_> {
    /// Returns the keys that an entry, or the top of a document, does not have yet.
    pub(super) fn keys(
        self,
        parent: Option<EntryId>,
        own: Option<EntryId>,
        place: Place<'_>,
        typed: Range<usize>,
    ) -> Vec<lsp::CompletionItem> {
        let outline = &self.document.outline;
        let siblings = outline.children(parent, self.document.index_of(parent, self.offset));
        let names: Vec<&str> = siblings
            .into_iter()
            .filter(|id| Some(*id) != own && outline.entry(*id).kind == Kind::Field)
            .map(|id| outline.name(id))
            .collect();
        let has_colon = own.is_some_and(|id| outline.entry(id).kind == Kind::Field);
        let is_free = |field: &Place<'_>| {
            let taken = field.group().is_some_and(|(_, group)| group.iter().any(|member| names.contains(member)));
            !names.contains(&field.field) && !taken
        };
        place.fields().into_iter().filter(is_free).map(|field| self.key(field, "", &typed, has_colon)).collect()
    }

    /// Returns the items that could stand in a list, each with its dash.
    pub(super) fn dashed(self, list: EntryId, place: Place<'_>, typed: Range<usize>) -> Vec<lsp::CompletionItem> {
        let Some(item) = place.item() else { return Vec::new() };
        if item.is_mapping() {
            return item.fields().into_iter().map(|field| self.key(field, "- ", &typed, false)).collect();
        }
        self.values(list, item, typed, "- ")
    }

    fn key(self, field: Place<'_>, prefix: &str, typed: &Range<usize>, has_colon: bool) -> lsp::CompletionItem {
        let label = format!("{prefix}{}", field.field);
        let after = if has_colon {
            ""
        } else if field.is_list() || (field.is_mapping() && field.values().is_empty()) {
            ":"
        } else {
            ": "
        };
        let mut item = self.item(label.clone(), lsp::CompletionItemKind::Property, typed, &format!("{label}{after}"));
        item.detail = Some(field.kind());
        item.documentation = Some(lsp::MarkupContent { kind: lsp::MarkupKind::Markdown, value: field.documentation() }.into());
        // What has to be there comes first.
        item.sort_text = Some(format!("{}{}", u8::from(!field.is_required()), field.field));
        item
    }
}
