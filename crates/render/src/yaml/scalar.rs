//! What a plain YAML scalar means to Kubernetes: the rules of go-yaml v2, which its own reader follows.
//!
//! Facts: `goyaml.v2/resolve.go` in sigs.k8s.io/yaml. They are YAML 1.1's for booleans and octal
//! numbers, 1.2's for some others, and neither's for the rest, so no general parser gives them.

use serde_json::Number;
use serde_json::Value;

/// A scalar that JSON, and so Kubernetes, cannot hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// Returns the value of a scalar that is neither quoted nor tagged.
///
/// # Errors
/// For infinities and `.nan`.
pub(super) fn resolve(text: &str) -> Result<Value, NotJson> {
    Ok(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(NotJson);
        }
        _ if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) => {
            number(text)?.map_or_else(|| Value::String(text.to_owned()), Value::Number)
        }
        _ => Value::String(text.to_owned()),
    })
}

/// Returns the text of a key: Kubernetes turns numbers and booleans into text.
pub(super) fn key(text: &str) -> String {
    match resolve(text) {
        Ok(Value::Number(number)) => number.to_string(),
        Ok(Value::Bool(truth)) => truth.to_string(),
        Ok(Value::Null) if !text.is_empty() => "null".to_owned(),
        _ => text.to_owned(),
    }
}

/// Returns the number that `text` is; none if it is another text.
fn number(text: &str) -> Result<Option<Number>, NotJson> {
    let plain = text.replace('_', "");
    if !text.starts_with('.')
        && let Some(integer) = integer(&plain)
    {
        return Ok(Some(integer));
    }
    if is_float(&plain) && (!text.starts_with('.') || plain.len() == text.len()) {
        return plain.parse::<f64>().ok().and_then(float).map(Some).ok_or(NotJson);
    }
    Ok(None)
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`: a leading 0 alone means octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(size).map(Number::from)
    } else if text.starts_with('+') {
        i64::try_from(size).ok().map(Number::from)
    } else {
        Some(Number::from(size))
    }
}

/// Whether `text` matches `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

/// Returns the number as Go's JSON writes it: a whole number has no fraction.
#[expect(clippy::float_cmp, reason = "whether a number is whole is an exact question")]
fn float(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.trunc() == value && value.abs() < EXACT { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_kubernetes_says() {
        for (text, value) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("yES", json!("yES")),
            ("~", json!(null)),
            ("", json!(null)),
            ("nil", json!("nil")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("08", json!(8)),
            ("0", json!(0)),
            ("-", json!("-")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            ("1e", json!("1e")),
            ("1.2.3", json!("1.2.3")),
            ("100m", json!("100m")),
            ("1Gi", json!("1Gi")),
            ("12:30:45", json!("12:30:45")),
            ("2001-01-01", json!("2001-01-01")),
            ("2001-12-14t21:59:43.10-05:00", json!("2001-12-14t21:59:43.10-05:00")),
            ("0xZZ", json!("0xZZ")),
            ("<<", json!("<<")),
            ("inf", json!("inf")),
        ] {
            assert_eq!(resolve(text), Ok(value), "{text:?}");
        }
        for text in [".inf", "-.Inf", ".nan", "1e999"] {
            assert_eq!(resolve(text), Err(NotJson), "{text}");
        }
    }

    #[test]
    fn keys_are_text() {
        for (text, value) in [("80", "80"), ("on", "true"), ("0x10", "16"), ("a", "a"), ("1.50", "1.5")] {
            assert_eq!(key(text), value);
        }
    }
}
