//! What a scalar means.

use saphyr_parser::ScalarStyle;
use saphyr_parser::Tag;

use super::Value;

/// Returns the meaning of a scalar by the core schema (YAML 1.2.2 §10.3.2); quoted and block scalars are text unless a tag says more.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str()) {
        Some("str" | "binary" | "timestamp") => Value::Text(text.to_owned()),
        Some(_) => resolve_plain(text),
        None if style == ScalarStyle::Plain => resolve_plain(text),
        None => Value::Text(text.to_owned()),
    }
}

fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(value) = integer(text) {
        return value;
    }
    float(text).map_or_else(|| Value::Text(text.to_owned()), Value::Float)
}

fn integer(text: &str) -> Option<Value> {
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-'])).map(Value::Int);
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // A number beyond 64 bits is still a number.
    Some(text.parse().map_or_else(|_| Value::Float(text.parse().unwrap_or(f64::INFINITY)), Value::Int))
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Some(f64::NAN),
        _ => {}
    }
    let digits_and_marks = unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    let starts_as_number = unsigned.starts_with(|c: char| c.is_ascii_digit()) || (unsigned.starts_with('.') && unsigned.len() > 1);
    if digits_and_marks && starts_as_number { text.parse().ok() } else { None }
}

/// Returns whether `text` without quotes means itself, by YAML 1.1 as well.
pub(super) fn is_text(text: &str) -> bool {
    matches!(resolve_plain(text), Value::Text(_)) && yaml_1_1_bool(text).is_none()
}

/// Returns what YAML 1.1 takes `text` for, if it is one of its booleans that YAML 1.2 takes for text.
pub(super) fn yaml_1_1_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}
