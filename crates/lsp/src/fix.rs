//! What an editor can do about what is wrong.

use std::collections::HashMap;

use devloop_config::ConfigSource;
use devloop_config::FixOptions;
use gen_lsp_types as lsp;

use crate::document::Document;

/// Returns the change that brings a whole file to the newest version, where an `apiVersion` in the range is an older one.
pub(crate) fn upgrade(document: &Document, range: lsp::Range) -> Option<lsp::CodeAction> {
    let text = document.text();
    let (start, end) = (text.offset(range.start), text.offset(range.end));
    let is_version = |id| document.outline.path(id) == [Some("apiVersion")];
    document.outline.entries().find(|(id, entry)| is_version(*id) && entry.name.start <= end && start <= entry.end)?;
    let source = ConfigSource::Text { name: document.path.display().to_string(), text: text.text().to_string() };
    // What cannot be upgraded is told as a fault already.
    let fixed = devloop_config::fix(&source, document.dir(), &FixOptions::default()).ok()?;
    let edit = lsp::TextEdit { range: text.range(0..text.text().len()), new_text: fixed.text? };
    Some(lsp::CodeAction {
        title: format!("Upgrade to {}", fixed.version),
        kind: Some(lsp::CodeActionKind::RefactorRewrite),
        edit: Some(change(document, edit)),
        ..lsp::CodeAction::default()
    })
}

/// Returns the changes that put right what is wrong in a range, of what was told of the document.
pub(crate) fn actions(document: &Document, told: &[lsp::Diagnostic], range: lsp::Range) -> Vec<lsp::CodeAction> {
    let touches = |other: &lsp::Range| before(other.start, range.end) && before(range.start, other.end);
    told.iter().filter(|fault| touches(&fault.range)).filter_map(|fault| action(document, fault)).collect()
}

fn action(document: &Document, fault: &lsp::Diagnostic) -> Option<lsp::CodeAction> {
    let (title, range, new_text) = if let Some(word) = fault.data.as_ref().and_then(|data| data["replaceBy"].as_str()) {
        (format!("Write `{word}`"), without_quotes(document, fault.range), word.to_owned())
    } else if fault.code == Some(lsp::Code::String("config/newer-field".to_owned())) {
        let outline = &document.outline;
        let field = outline.entry_at(document.text().offset(fault.range.start))?;
        let index = outline.entry(field).document;
        let version = document.schema(index).at(&outline.path(field))?.since_later()?.to_owned();
        let id = outline.field(None, index, "apiVersion")?;
        (format!("Write `apiVersion: {version}`"), document.text().range(outline.entry(id).value.clone()), version)
    } else {
        return None;
    };
    let edit = lsp::TextEdit { range, new_text };
    Some(lsp::CodeAction {
        title,
        kind: Some(lsp::CodeActionKind::QuickFix),
        diagnostics: Some(vec![fault.clone()]),
        is_preferred: Some(true),
        edit: Some(change(document, edit)),
        ..lsp::CodeAction::default()
    })
}

fn change(document: &Document, edit: lsp::TextEdit) -> lsp::WorkspaceEdit {
    lsp::WorkspaceEdit { changes: Some(HashMap::from([(document.uri.clone(), vec![edit])])), ..lsp::WorkspaceEdit::default() }
}

/// Returns the range of a text without the quotes around it.
fn without_quotes(document: &Document, range: lsp::Range) -> lsp::Range {
    let (start, end) = (document.text().offset(range.start), document.text().offset(range.end));
    let text = &document.text().text()[start..end];
    let is_quoted = text.len() > 1 && text.starts_with(['"', '\'']) && text.ends_with(['"', '\'']);
    if is_quoted { document.text().range(start + 1..end - 1) } else { range }
}

/// Returns whether a position is before another, or the same.
fn before(one: lsp::Position, other: lsp::Position) -> bool {
    (one.line, one.character) <= (other.line, other.character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Project;

    #[test]
    fn an_older_file_is_upgraded_from_its_version() {
        let upgraded = |text: &str| {
            let project = Project::new(&[("skaffold.yaml", text)]);
            let (document, offset) = project.cursor();
            let action = upgrade(&document, document.text().range(offset..offset))?;
            let edit = action.edit.unwrap().changes.unwrap().into_values().next().unwrap().remove(0);
            Some(format!("{}\n{}", action.title, edit.new_text))
        };
        let older = "apiVersion: skaffold/v2beta29¦\nkind: Config # mine\ndeploy: {kubectl: {manifests: [k8s/*.yaml]}}\n";
        let told = upgraded(older).unwrap();
        assert!(told.starts_with("Upgrade to skaffold/v4beta14\napiVersion: skaffold/v4beta14\n") && told.contains("rawYaml"), "{told}");
        assert_eq!(upgraded("apiVersion: skaffold/v2beta29\nkind: Con¦fig\n"), None);
        assert_eq!(upgraded("apiVersion: ¦skaffold/v4beta14\nkind: Config\n"), None);
        assert_eq!(upgraded("apiVersion: ¦skaffold/v2beta29\nbroken: [\n"), None);
    }
}
