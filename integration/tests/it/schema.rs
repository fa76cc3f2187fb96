//! A check of JSON against a schema, for the words that schemas of this repository have; another word stops the test.

use serde_json::Value;

/// Returns what of `value` is not as `schema` says, with its place; empty if all is.
pub(crate) fn faults(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let Value::Object(words) = schema else { return Vec::new() };
    words.iter().flat_map(|(word, wanted)| fault(word, wanted, value, schema, root, at)).collect()
}

fn fault(word: &str, wanted: &Value, value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    let ok = |fits: bool| if fits { Vec::new() } else { vec![format!("{at}: {value} is not {word} {wanted}")] };
    let fitting = || wanted.as_array().unwrap().iter().filter(|one| faults(value, one, root, at).is_empty()).count();
    match word {
        "$ref" => {
            let name = wanted.as_str().unwrap().strip_prefix('#').unwrap();
            faults(value, root.pointer(name).expect("what is referred to is there"), root, at)
        }
        "type" => ok(match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind)),
            kind => is(value, kind),
        }),
        "const" => ok(value == wanted),
        "enum" => ok(wanted.as_array().unwrap().contains(value)),
        "minimum" => ok(value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap())),
        "maximum" => ok(value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap())),
        "oneOf" => ok(fitting() == 1),
        "anyOf" => ok(fitting() > 0),
        "required" => ok(value
            .as_object()
            .is_none_or(|fields| wanted.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap())))),
        "properties" => {
            let known = wanted.as_object().unwrap().iter().filter_map(|(name, inner)| Some((name, inner, value.get(name)?)));
            known.flat_map(|(name, inner, field)| faults(field, inner, root, &format!("{at}.{name}"))).collect()
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = value.as_object().into_iter().flatten().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            match wanted {
                Value::Bool(allowed) => ok(*allowed || others.count() == 0),
                inner => others.flat_map(|(name, field)| faults(field, inner, root, &format!("{at}.{name}"))).collect(),
            }
        }
        "items" => value.as_array().into_iter().flatten().flat_map(|item| faults(item, wanted, root, &format!("{at}[]"))).collect(),
        "description" | "title" | "format" | "default" | "$schema" | "$id" | "$defs" => Vec::new(),
        other => panic!("the schema says `{other}`, which this check does not know"),
    }
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"oneOf": [{"type": "integer", "minimum": 1}, {"const": "x"}]}, "b": {"type": "array", "items": {"type": ["string", "null"]}}},
    });
    for (value, fits) in [
        (r#"{"a": 1}"#, true),
        (r#"{"a": "x", "b": ["y", null]}"#, true),
        (r#"{"a": 0}"#, false),
        (r#"{"a": 1.5}"#, false),
        (r#"{"b": []}"#, false),
        (r#"{"a": 1, "b": [2]}"#, false),
        (r#"{"a": 1, "c": 2}"#, false),
        ("[]", false),
    ] {
        assert_eq!(faults(&serde_json::from_str(value).unwrap(), &schema, &schema, "").is_empty(), fits, "{value}");
    }
}
