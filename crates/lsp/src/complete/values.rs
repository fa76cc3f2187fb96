//! Values: words of the schema, names that are defined elsewhere, versions and paths.

use std::collections::BTreeSet;
use std::ops::Range;

use gen_lsp_types as lsp;

use super::Cx;
use crate::names::Reference;
use crate::outline::EntryId;
use crate::paths;
use crate::schema::Place;
use crate::schema::versions;

/// So many entries of a directory are looked at.
const MAX_LISTED: usize = 5_000;
/// Fields that take a directory, never a file.
const DIRECTORIES: [&str; 5] = ["context", "workspace", "chartPath", "dir", "contextSubPath"];

impl Cx<'_> {
    /// Returns the values that an entry could have; each is written after `prefix`.
    pub(super) fn values(self, of: EntryId, place: Place<'_>, typed: Range<usize>, prefix: &str) -> Vec<lsp::CompletionItem> {
        if (place.owner, place.field) == ("Config", "apiVersion") {
            return self.versions(&typed);
        }
        if let Some(start) = paths::start(self.document, of, place) {
            return self.paths(&start, place, &typed, prefix);
        }
        let plain =
            |value: &str, kind| self.item(format!("{prefix}{value}"), kind, &typed, &format!("{prefix}{}", self.scalar(value, &typed)));
        if let Some(reference) = Reference::of(place) {
            let names: BTreeSet<String> =
                reference.candidates(self.workspace, self.document, of).into_iter().map(|found| found.name).collect();
            return names
                .iter()
                .filter(|name| !self.is_own_image(of, name))
                .map(|name| plain(name, lsp::CompletionItemKind::Reference))
                .collect();
        }
        place.values().into_iter().map(|value| plain(value, lsp::CompletionItemKind::EnumMember)).collect()
    }

    /// Returns whether an artifact would require itself.
    fn is_own_image(self, of: EntryId, name: &str) -> bool {
        let outline = &self.document.outline;
        outline.up(of).any(|id| outline.path(id).ends_with(&[Some("artifacts"), None]) && outline.text_of(id, "image") == Some(name))
    }

    fn versions(self, typed: &Range<usize>) -> Vec<lsp::CompletionItem> {
        let item = |(index, version): (usize, &String)| {
            let sort_text = Some(format!("{index:03}"));
            lsp::CompletionItem { sort_text, ..self.item(version.clone(), lsp::CompletionItemKind::EnumMember, typed, version) }
        };
        // Skaffold's newest is what most want; ours is not for those who share the file with Skaffold.
        let (ours, theirs): (Vec<_>, Vec<_>) = versions().iter().rev().partition(|version| version.starts_with("devloop/"));
        theirs.into_iter().chain(ours).enumerate().map(item).collect()
    }

    /// Returns what a path could go on with after its last slash.
    fn paths(self, start: &std::path::Path, place: Place<'_>, typed: &Range<usize>, prefix: &str) -> Vec<lsp::CompletionItem> {
        let text = self.document.text().text();
        let written = &text[typed.start..self.offset.clamp(typed.start, typed.end)];
        let (dir, name) = written.rsplit_once('/').map_or(("", written), |(dir, name)| (dir, name));
        let base = if written.starts_with('/') { std::path::Path::new("/").join(dir.trim_start_matches('/')) } else { start.join(dir) };
        let part = typed.start + written.len() - name.len()..typed.end;
        let mut items = Vec::new();
        for (entry, is_dir) in paths::listed(&base, MAX_LISTED) {
            if (entry.starts_with('.') && !name.starts_with('.')) || (!is_dir && DIRECTORIES.contains(&place.field)) {
                continue;
            }
            let kind = if is_dir { lsp::CompletionItemKind::Folder } else { lsp::CompletionItemKind::File };
            let slash = if is_dir { "/" } else { "" };
            let label = format!("{prefix}{entry}{slash}");
            items.push(self.item(label, kind, &part, &format!("{prefix}{}{slash}", self.scalar(&entry, typed))));
        }
        items
    }

    /// Returns a text as it has to be written where `typed` stands: in quotes where it means something else without them.
    fn scalar(self, value: &str, typed: &Range<usize>) -> String {
        let is_quoted = self.document.text().text()[..typed.start].ends_with(['"', '\'']);
        let is_plain = !value.is_empty()
            && !value.starts_with(|c: char| c.is_whitespace() || "!&*-?|>@`%'\"#{}[],:".contains(c))
            && !value.contains([',', '{', '}', '[', ']', '\\', '"'])
            && !value.contains(": ")
            && !value.contains(" #")
            && !value.ends_with([':', ' ']);
        if is_quoted || is_plain { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
    }
}
