//! Changes of a text in place: what is not changed keeps its lines, comments included.
//!
//! Blocks are changed by line. What is written in braces and brackets, and what an alias repeats, is written anew as a block.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use devloop_model::Diagnostic;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::Node;
use crate::Source;
use crate::Value;
use crate::parse_documents;

/// One step down a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an item of a list.
    Item(usize),
    /// Behind the last item of a list.
    Push,
}

/// A text of documents, as it is changed.
pub(crate) struct Edit {
    source: Arc<Source>,
    documents: Vec<Node>,
}

impl Edit {
    /// Returns the text of a source, to be changed.
    ///
    /// # Errors
    /// When it is not YAML.
    pub(crate) fn of(source: Arc<Source>) -> Result<Self, Vec<Diagnostic>> {
        let documents = parse_documents(&source)?;
        Ok(Self { source, documents })
    }

    /// Returns a document as it is now.
    pub(crate) fn document(&self, index: usize) -> Option<&Node> {
        self.documents.get(index)
    }

    /// Returns the source as it is now.
    pub(crate) fn into_source(self) -> Arc<Source> {
        self.source
    }

    /// Puts `value` at a place of a document; with none, takes away what is there.
    ///
    /// # Errors
    /// When the text is written so that this cannot be done in place.
    pub(crate) fn set(&mut self, index: usize, path: &[Step<'_>], value: Option<Json>) -> Result<(), Vec<Diagnostic>> {
        let Some(document) = self.documents.get(index) else { return Ok(()) };
        let mut wanted = document.to_json();
        change(&mut wanted, path, value.as_ref());
        let mut lines: Vec<String> = self.source.text.lines().map(str::to_owned).collect();
        let text = Lines { lines: &lines }.splice(document, path, value.as_ref());
        let (range, new) = text.ok_or_else(|| vec![self.refused(document)])?;
        lines.splice(range, new);
        let source = Source::new(self.source.file.clone(), lines.join("\n") + "\n");
        let documents = parse_documents(&source).map_err(|_| vec![self.refused(document)])?;
        let same = |(at, node): (usize, &Node)| if at == index { node.to_json() == wanted } else { Some(node.to_json()) == self.json(at) };
        // What is written must mean what was wanted, whatever the text looks like.
        if documents.len() != self.documents.len() || !documents.iter().enumerate().all(same) {
            return Err(vec![self.refused(document)]);
        }
        (self.source, self.documents) = (source, documents);
        Ok(())
    }

    fn json(&self, index: usize) -> Option<Json> {
        self.documents.get(index).map(Node::to_json)
    }

    fn refused(&self, document: &Node) -> Diagnostic {
        let what = format!("{} is written so that it cannot be changed in place", shown(&self.source.file));
        document
            .span
            .error("config/not-editable", what)
            .help("change it by hand, or write the document without braces, anchors and aliases")
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// Changes JSON in the same way.
pub(crate) fn change(json: &mut Json, path: &[Step<'_>], value: Option<&Json>) {
    let Some((step, rest)) = path.split_first() else {
        *json = value.cloned().unwrap_or_default();
        return;
    };
    match *step {
        Step::Key(key) => {
            if !json.is_object() {
                *json = Json::Object(Map::new());
            }
            let Some(fields) = json.as_object_mut() else { return };
            match (rest, value) {
                ([], None) => drop(fields.shift_remove(key)),
                _ => change(fields.entry(key).or_insert(Json::Null), rest, value),
            }
        }
        Step::Item(index) => {
            if let Some(item) = json.as_array_mut().and_then(|items| items.get_mut(index)) {
                change(item, rest, value);
            }
        }
        Step::Push => {
            if !json.is_array() {
                *json = json!([]);
            }
            let mut item = Json::Null;
            change(&mut item, rest, value);
            json.as_array_mut().into_iter().for_each(|items| items.push(std::mem::take(&mut item)));
        }
    }
}

/// The lines of a text; line numbers of nodes are from 1, indexes from 0.
struct Lines<'a> {
    lines: &'a [String],
}

impl Lines<'_> {
    /// Returns the lines that change, and what they become.
    fn splice(&self, node: &Node, path: &[Step<'_>], value: Option<&Json>) -> Option<(Range<usize>, Vec<String>)> {
        let (step, rest) = path.split_first()?;
        if !self.is_block(node) {
            return None;
        }
        match *step {
            Step::Key(name) => self.splice_entry(node, name, rest, value),
            Step::Item(index) => {
                let item = node.as_list()?.get(index)?;
                if self.is_block(item) {
                    return self.splice(item, rest, value);
                }
                let range = self.item(item);
                let mut json = item.to_json();
                change(&mut json, rest, value);
                let dash = self.dash(item)?;
                Some((range, block(&json!([json]), dash)?))
            }
            Step::Push => {
                let last = node.as_list()?.last()?;
                let mut json = Json::Null;
                change(&mut json, rest, value);
                let end = self.item(last).end;
                Some((end..end, block(&json!([json]), self.dash(last)?)?))
            }
        }
    }

    fn splice_entry(&self, map: &Node, name: &str, rest: &[Step<'_>], value: Option<&Json>) -> Option<(Range<usize>, Vec<String>)> {
        let entries = map.as_map()?;
        let column = map.span.column;
        // What a merge key brought stands elsewhere.
        let is_own = |key: &crate::Key| key.span.column == column && key.span.line >= map.span.line;
        let own = entries.iter().position(|(key, _)| key.text == name && is_own(key));
        let Some(at) = own else {
            if value.is_none() {
                return Some((0..0, Vec::new()));
            }
            let (last, last_value) = entries.iter().rfind(|(key, _)| is_own(key))?;
            let mut json = map.get(name).map_or(Json::Null, Node::to_json);
            change(&mut json, rest, value);
            let end = self.entry(last.span.line - 1, column, last_value).end;
            return Some((end..end, block(&json!({ name: json }), column - 1)?));
        };
        let (key, old) = &entries[at];
        let below = (old.span.line, old.span.column) > (key.span.line, key.span.column);
        if !rest.is_empty() && below && old.span.line > key.span.line && self.is_block(old) {
            return self.splice(old, rest, value);
        }
        let range = self.entry(key.span.line - 1, column, old);
        let before: String = self.lines.get(range.start)?.chars().take(column - 1).collect();
        let mut new = Vec::new();
        if !(rest.is_empty() && value.is_none()) {
            let mut json = old.to_json();
            change(&mut json, rest, value);
            new = block(&json!({ name: json }), column - 1)?;
        } else if entries.len() == 1 {
            // An empty mapping has no block.
            return None;
        }
        if before.trim().is_empty() {
            return Some((range, new));
        }
        // The first entry of an item stands behind its dash.
        if let Some(first) = new.first_mut() {
            *first = format!("{before}{}", first.trim_start());
            return Some((range, new));
        }
        let next = self.lines.get(range.end)?;
        Some((range.start..range.end + 1, vec![format!("{before}{}", next.get(column - 1..)?)]))
    }

    /// Returns whether a collection is written as a block.
    fn is_block(&self, node: &Node) -> bool {
        let filled = match &node.value {
            Value::Map(entries) => !entries.is_empty(),
            Value::List(items) => !items.is_empty(),
            _ => false,
        };
        let first = self.lines.get(node.span.line - 1).and_then(|line| line.chars().nth(node.span.column - 1));
        filled && first.is_some_and(|first| !"{[&*!".contains(first))
    }

    /// Returns the lines of an entry that starts at a line, and whose key stands in `column`.
    fn entry(&self, start: usize, column: usize, value: &Node) -> Range<usize> {
        let is_list = matches!(value.value, Value::List(_));
        self.until(start, |line, indent| indent >= column || (is_list && indent + 1 == column && is_item(line)), column)
    }

    /// Returns the lines of an item.
    fn item(&self, item: &Node) -> Range<usize> {
        let start = item.span.line - 1;
        let dash = self.dash(item).unwrap_or_default();
        self.until(start, |_, indent| indent > dash, dash + 1)
    }

    /// Returns the lines from `start` on that belong to it; comments and blank lines at its end do where they are indented as deep as it.
    fn until(&self, start: usize, belongs: impl Fn(&str, usize) -> bool, depth: usize) -> Range<usize> {
        let mut end = start + 1;
        for (index, line) in self.lines.iter().enumerate().skip(start + 1) {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            if text.is_empty() {
                continue;
            }
            if text.starts_with('#') {
                end = if indent >= depth { index + 1 } else { end };
                continue;
            }
            if !belongs(text, indent) || line.starts_with("---") || line.starts_with("...") {
                break;
            }
            end = index + 1;
        }
        start..end
    }

    /// Returns how far the dash of an item is indented.
    fn dash(&self, item: &Node) -> Option<usize> {
        let line = self.lines.get(item.span.line - 1)?;
        let text = line.trim_start();
        is_item(text).then(|| line.len() - text.len())
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// Returns JSON as lines of a block.
fn block(json: &Json, indent: usize) -> Option<Vec<String>> {
    let text = serde_saphyr::to_string(json).ok()?;
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) };
    Some(text.lines().map(line).collect())
}

#[cfg(test)]
mod tests;
