//! Which fields of an object differ, but for what the server writes by itself.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;

/// The parts of `metadata` that people and controllers write.
const METADATA: [&str; 5] = ["uid", "labels", "annotations", "finalizers", "ownerReferences"];

/// Returns the paths of the fields that two states of an object differ in, `spec.template.spec.containers[web].image`; items
/// of a list go by their name, else by their place.
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    for field in METADATA {
        compare(&format!("metadata.{field}"), &before["metadata"][field], &after["metadata"][field], &mut found);
    }
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    for field in before.keys().chain(after.keys()).filter(|field| !matches!(field.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
    {
        match (before.get(field), after.get(field)) {
            (Some(before), Some(after)) => compare(field, before, after, &mut found),
            // One that is there and empty is not one that is not there.
            _ => drop(found.insert(field.clone())),
        }
    }
    found.into_iter().collect()
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut BTreeSet<String>) {
    if before == after || is_empty(before) && is_empty(after) && path.starts_with("metadata.") {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for key in before.keys().chain(after.keys()) {
                let of = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                // A name with dots is one name.
                let path = if key.contains('.') { format!("{path}[{key}]") } else { format!("{path}.{key}") };
                compare(&path, &of(before), &of(after), found);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (name, before, after) in pairs(before, after) {
                compare(&format!("{path}[{name}]"), before, after, found);
            }
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

/// Returns the items of two lists side by side: those of one name, else those of one place.
fn pairs<'v>(before: &'v [Value], after: &'v [Value]) -> Vec<(String, &'v Value, &'v Value)> {
    let has_name = |item: &Value| item["name"].is_string();
    if !before.iter().chain(after).all(has_name) {
        let all = 0..before.len().max(after.len());
        return all.map(|at| (at.to_string(), before.get(at).unwrap_or(&Value::Null), after.get(at).unwrap_or(&Value::Null))).collect();
    }
    let named = |items: &'v [Value], name: &str| items.iter().find(|item| item["name"] == *name).unwrap_or(&Value::Null);
    let names: BTreeSet<&str> = before.iter().chain(after).filter_map(|item| item["name"].as_str()).collect();
    names.into_iter().map(|name| (name.to_owned(), named(before, name), named(after, name))).collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_writes_by_itself_is_no_difference() {
        let before = json!({"metadata": {"uid": "1", "resourceVersion": "5", "managedFields": [1], "labels": {"a": "b"}}, "spec": {"x": 1}, "status": {"ready": 0}});
        for (after, expected) in [
            (
                json!({"metadata": {"uid": "1", "resourceVersion": "6", "managedFields": [2], "labels": {"a": "b"}}, "spec": {"x": 1}, "status": {"ready": 1}}),
                &[][..],
            ),
            (json!({"metadata": {"uid": "1", "labels": {"a": "b"}, "annotations": {}}, "spec": {"x": 1}}), &[]),
            (json!({"metadata": {"uid": "2", "labels": {"a": "b"}}, "spec": {"x": 1}}), &["metadata.uid"]),
            (json!({"metadata": {"uid": "1", "labels": {"a": "c"}}, "spec": {"x": 1}}), &["metadata.labels.a"]),
            (json!({"metadata": {"uid": "1", "labels": {"a": "b"}}, "spec": {"x": 2}}), &["spec.x"]),
            (json!({"metadata": {"uid": "1", "labels": {"a": "b"}}, "spec": {"x": 1}, "data": {}}), &["data"]),
        ] {
            assert_eq!(differences(&before, &after), expected, "{after}");
        }
    }

    #[test]
    fn fields_are_named_by_their_path() {
        let pod = |containers: Value, arguments: Value| json!({"spec": {"containers": containers, "args": arguments, "map": {"a.b/c": arguments}}});
        let before = pod(json!([{"name": "web", "image": "web:1"}, {"name": "old"}]), json!(["a", "b"]));
        let after = pod(json!([{"name": "side", "image": "side"}, {"name": "web", "image": "web:2"}]), json!(["a", "c"]));
        assert_eq!(
            differences(&before, &after),
            ["spec.args[1]", "spec.containers[old]", "spec.containers[side]", "spec.containers[web].image", "spec.map[a.b/c][1]"]
        );
    }
}
