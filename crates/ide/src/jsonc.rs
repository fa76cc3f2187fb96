//! JSON with comments, as VS Code reads it, changed in place.

use devloop_model::Diagnostic;
use devloop_model::Location;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::CstArray;
use jsonc_parser::cst::CstInputValue;
use jsonc_parser::cst::CstObject;
use jsonc_parser::cst::CstRootNode;
use serde_json::Map;
use serde_json::Value;

/// Comments and a comma after the last entry: what VS Code allows, and nothing else.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// What some editors on Windows put before a text.
const MARK: char = '\u{feff}';

/// Returns the value of a text; none if it has none, or cannot be understood.
pub(crate) fn value(text: &str) -> Option<Value> {
    CstRootNode::parse(text.trim_start_matches(MARK), &OPTIONS).ok()?.to_serde_value()
}

/// A document that is an object.
pub(crate) struct Document {
    path: &'static str,
    is_marked: bool,
    root: CstRootNode,
    object: CstObject,
}

impl Document {
    /// Returns the document in a text; an empty one where that says nothing.
    ///
    /// # Errors
    /// Where the text cannot be understood, or is no object.
    pub(crate) fn read(path: &'static str, text: &str) -> Result<Self, Diagnostic> {
        let is_marked = text.starts_with(MARK);
        let text = text.trim_start_matches(MARK);
        let root = CstRootNode::parse(text, &OPTIONS).map_err(|error| {
            let line = error.line_display();
            let at = Location {
                file: path.into(),
                line,
                column: error.column_display(),
                text: text.lines().nth(line - 1).unwrap_or_default().to_owned(),
                width: 1,
                label: None,
            };
            Diagnostic::error("ide/json", format!("{path} is not valid JSON"))
                .at(at)
                .because(error.kind().to_string())
                .help("correct it, or move it away to have a new one: nothing was written")
        })?;
        let object = root.object_value_or_create().ok_or_else(|| wrong(path, "is no object"))?;
        Ok(Self { path, is_marked, root, object })
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> String {
        let mark = if self.is_marked { MARK.to_string() } else { String::new() };
        let text = self.root.to_string();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!("{mark}{text}{end}")
    }

    /// Gives the document a value where it has none of that name.
    pub(crate) fn set_default(&self, name: &str, value: &str) {
        if self.object.get(name).is_none() {
            self.object.insert(0, name, value.into());
        }
    }

    /// Makes a list hold the `wanted` objects beside what others wrote: one of the same `key` is changed where it stands, others of
    /// ours are removed.
    ///
    /// # Errors
    /// When what has that name is no list.
    pub(crate) fn set_ours(&self, list: &str, key: &str, is_ours: fn(&str) -> bool, wanted: &[Value]) -> Result<(), Diagnostic> {
        if wanted.is_empty() && self.object.get(list).is_none() {
            return Ok(());
        }
        let array = self.object.array_value_or_create(list).ok_or_else(|| wrong(self.path, &format!("has a `{list}` that is no list")))?;
        let mut missing: Vec<&Value> = wanted.iter().collect();
        for element in array.elements() {
            let Some(known) = element.to_serde_value().filter(|known| known[key].as_str().is_some_and(is_ours)) else { continue };
            match missing.iter().position(|wanted| wanted[key] == known[key]) {
                Some(at) => {
                    if let (Some(object), Value::Object(wanted)) = (element.as_object(), missing.remove(at)) {
                        update(&object, wanted);
                    }
                }
                None => element.remove(),
            }
        }
        append(&array, &missing);
        Ok(())
    }
}

fn wrong(path: &str, is: &str) -> Diagnostic {
    Diagnostic::error("ide/json", format!("{path} {is}")).help("correct it, or move it away to have a new one: nothing was written")
}

/// Gives an object what is wanted of it. What else is in it, comments and more settings of the user's, stays.
fn update(object: &CstObject, wanted: &Map<String, Value>) {
    for (name, value) in wanted {
        let Some(known) = object.get(name) else {
            object.ensure_multiline();
            object.append(name, input(value));
            continue;
        };
        match (known.object_value(), value) {
            (Some(inner), Value::Object(wanted)) => update(&inner, wanted),
            _ if known.value().and_then(|known| known.to_serde_value()).as_ref() == Some(value) => {}
            _ => known.set_value(input(value)),
        }
    }
}

fn append(array: &CstArray, missing: &[&Value]) {
    for value in missing {
        array.ensure_multiline();
        array.append(input(value));
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(values) => CstInputValue::Object(values.iter().map(|(name, value)| (name.clone(), input(value))).collect()),
    }
}

#[cfg(test)]
mod tests;
