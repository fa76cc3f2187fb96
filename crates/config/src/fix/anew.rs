//! YAML for values that were written nowhere.

use crate::Node;
use crate::Value;
use crate::node::plain_text;

/// Returns a whole document.
pub(super) fn document(document: &Node) -> String {
    let mut text = String::new();
    block(document, 0, &mut text);
    text
}

fn block(node: &Node, column: usize, text: &mut String) {
    let indent = " ".repeat(column);
    for (key, value) in node.as_map().into_iter().flatten() {
        text.extend([indent.as_str(), &quoted(&key.text), ":"]);
        behind(value, column, text);
    }
    for item in node.as_list().into_iter().flatten() {
        text.extend([indent.as_str(), "-"]);
        behind(item, column, text);
    }
}

/// Writes a value behind a key or a dash that stands in `column`.
fn behind(value: &Node, column: usize, text: &mut String) {
    if value.as_map().is_some_and(|entries| !entries.is_empty()) || value.as_list().is_some_and(|items| !items.is_empty()) {
        text.push('\n');
        block(value, column + 2, text);
    } else {
        text.extend([" ", &inline(value), "\n"]);
    }
}

/// Returns a value that is no list or mapping with something in it.
pub(super) fn inline(node: &Node) -> String {
    match &node.value {
        Value::Map(_) => "{}".to_owned(),
        Value::List(_) => "[]".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Text(text) => quoted(text),
        Value::Float(number) if node.as_text().is_none() => number.to_string(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => node.as_text().unwrap_or_default().into_owned(),
    }
}

/// Returns text as YAML that means it, in quotes where it would mean something else without them.
pub(super) fn quoted(text: &str) -> String {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "_./@+=~^$%;() -".contains(character);
    // What starts with `-` and a blank is an item, and three dashes alone start a document.
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_./$(^+=".contains(c) || c == '-');
    let is_plain = starts && text.chars().all(|c| is_safe(c) || c == ':') && !text.ends_with([':', ' ']) && !text.contains(": ");
    if is_plain && text != "-" && text != "---" && !text.starts_with("--- ") && !text.starts_with("- ") && plain_text(text) {
        return text.to_owned();
    }
    if text.contains(['"', '\\']) && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    serde_json::Value::from(text).to_string()
}
