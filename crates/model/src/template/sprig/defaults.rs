//! Functions that choose between values, look at their types, and turn them into JSON and back.

use std::sync::Arc;

use gotmpl::Value;

use super::Call;
use super::Function;
use super::go;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("default", 1, None, |c| Ok(default(c))),
    ("empty", 1, Some(1), |c| Ok(Value::Bool(go::is_empty(c.get(0))))),
    ("coalesce", 0, None, |c| Ok(c.arguments.iter().find(|value| !go::is_empty(value)).cloned().unwrap_or(Value::Nil))),
    ("all", 0, None, |c| Ok(Value::Bool(!c.arguments.iter().any(go::is_empty)))),
    ("any", 0, None, |c| Ok(Value::Bool(!c.arguments.iter().all(go::is_empty)))),
    ("ternary", 3, Some(3), |c| Ok(c.get(usize::from(!c.boolean(2)?)).clone())),
    ("fail", 1, Some(1), |c| Err(c.fault(c.text(0)?))),
    ("typeOf", 1, Some(1), |c| text(go::type_of(c.get(0)))),
    ("typeIs", 2, Some(2), |c| Ok(Value::Bool(c.text(0)? == go::type_of(c.get(1))))),
    ("typeIsLike", 2, Some(2), |c| Ok(Value::Bool(c.text(0)? == go::type_of(c.get(1))))),
    ("kindOf", 1, Some(1), |c| text(go::kind(c.get(0)))),
    ("kindIs", 2, Some(2), |c| Ok(Value::Bool(c.text(0)? == go::kind(c.get(1))))),
    ("deepEqual", 2, Some(2), |c| Ok(Value::Bool(c.get(0) == c.get(1)))),
    ("fromJson", 1, Some(1), |c| Ok(serde_json::from_str(c.text(0)?).map_or(Value::Nil, from_json))),
    ("mustFromJson", 1, Some(1), |c| serde_json::from_str(c.text(0)?).map(from_json).map_err(|error| c.fault(error))),
    ("toJson", 1, Some(1), |c| text(escape_html(&to_json(c.get(0), None)))),
    ("mustToJson", 1, Some(1), |c| text(escape_html(&to_json(c.get(0), None)))),
    ("toPrettyJson", 1, Some(1), |c| text(escape_html(&to_json(c.get(0), Some(0))))),
    ("mustToPrettyJson", 1, Some(1), |c| text(escape_html(&to_json(c.get(0), Some(0))))),
    ("toRawJson", 1, Some(1), |c| text(to_json(c.get(0), None))),
    ("mustToRawJson", 1, Some(1), |c| text(to_json(c.get(0), None))),
];

fn default(call: &Call<'_>) -> Value {
    let given = call.get(1);
    if go::is_empty(given) { call.get(0).clone() } else { given.clone() }
}

/// Every number becomes a float, as `encoding/json` makes it.
fn from_json(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::String(text.into()),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), from_json(value))).collect()))
        }
    }
}

/// Returns JSON as `encoding/json` writes it; `depth` is that of the indentation, none for one line.
fn to_json(value: &Value, depth: Option<usize>) -> String {
    let inner = depth.map(|depth| depth + 1);
    match value {
        Value::Nil | Value::Function(_) => "null".to_owned(),
        Value::Float(number) => json_float(*number),
        Value::String(text) => json_text(text),
        Value::List(items) => bracketed('[', ']', items.iter().map(|item| to_json(item, inner)), depth),
        Value::Map(entries) => {
            let colon = if depth.is_some() { ": " } else { ":" };
            let entries = entries.iter().map(|(key, value)| format!("{}{colon}{}", json_text(key), to_json(value, inner)));
            bracketed('{', '}', entries, depth)
        }
        other => other.to_string(),
    }
}

fn bracketed(open: char, close: char, items: impl Iterator<Item = String>, depth: Option<usize>) -> String {
    let items: Vec<String> = items.collect();
    match depth {
        Some(depth) if !items.is_empty() => {
            let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
            format!("{open}\n{inner}{}\n{outer}{close}", items.join(&format!(",\n{inner}")))
        }
        _ => format!("{open}{}{close}", items.join(",")),
    }
}

fn json_float(number: f64) -> String {
    if number != 0.0 && !(1e-6..1e21).contains(&number.abs()) {
        // Go writes `1e-7` here where its `%v` has `1e-07`.
        return go::float(number).replace("e-0", "e-");
    }
    number.to_string()
}

fn json_text(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{2028}' || c == '\u{2029}' => json.push_str(&go::unicode_escape(c)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

fn escape_html(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}
