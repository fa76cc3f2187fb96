//! What there is to know of what the cursor is on.

use std::sync::Arc;

use gen_lsp_types as lsp;

use crate::document::Document;

/// Returns the documentation of the field that an offset is in.
pub(crate) fn hover(document: &Arc<Document>, offset: usize) -> Option<lsp::Hover> {
    let outline = &document.outline;
    let id = outline.entry_at(offset)?;
    let entry = outline.entry(id);
    let schema = document.schema(entry.document);
    let place = schema.at(&outline.path(id))?;
    if place.field.is_empty() {
        return None;
    }
    let mut text = format!("**{}**: {}\n\n{}", place.field, place.kind(), place.documentation());
    if let Some(since) = place.since_later() {
        text = format!("**{}** came with `{since}`: this document is of an older version.\n\n{}", place.field, place.description());
    }
    let is_name = entry.name.start <= offset && offset <= entry.name.end && !entry.name.is_empty();
    let range = if is_name || entry.value.is_empty() { &entry.name } else { &entry.value };
    Some(lsp::Hover {
        contents: lsp::MarkupContent { kind: lsp::MarkupKind::Markdown, value: text }.into(),
        range: Some(document.text().range(range.clone())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Project;

    #[test]
    fn a_key_and_its_value_are_explained() {
        let told = |text: &str| {
            let project = Project::new(&[("skaffold.yaml", text)]);
            let (document, offset) = project.cursor();
            hover(&document, offset).map_or_else(String::new, |hover| {
                let lsp::Contents::MarkupContent(content) = hover.contents else { panic!("{hover:?}") };
                let range = hover.range.unwrap();
                format!("{}:{}-{}\n{}", range.start.line, range.start.character, range.end.character, content.value)
            })
        };
        let head = "apiVersion: skaffold/v4beta14\nkind: Config\n";
        insta::assert_snapshot!(told(&format!("{head}build:\n  artifacts:\n  - image: a\n    runtime¦Type: go\n")), @r"
        5:4-15
        **runtimeType**: text

        Its language, for `debug`: `go`, `nodejs`, `jvm`, `python` or `netcore`.

        Since `skaffold/v4beta2`.
        ");
        insta::assert_snapshot!(told(&format!("{head}build: {{artifacts: [{{image: a, docker: {{dockerfile: D¦}}}}]}}\n")), @r"
        2:52-53
        **dockerfile**: text

        Path of the Dockerfile; `Dockerfile` by default.

        A path from the context. Since `skaffold/v1alpha4`.
        ");
        insta::assert_snapshot!(told("apiVersion: skaffold/v2beta29\nkind: Config\nmani¦fests: {}\n"), @r"
        2:0-9
        **manifests** came with `skaffold/v3alpha1`: this document is of an older version.

        Where manifests come from.
        ");
        assert_eq!(told(&format!("{head}bui¦lt: 1\n")), "");
        assert_eq!(told(&format!("{head}# bui¦ld: 1\n")), "");
    }
}
