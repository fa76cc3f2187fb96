//! Fields owned by an earlier client-side `kubectl apply` become fields of ours.
//!
//! Rules: k8s.io/client-go/util/csaupgrade.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::apply::FIELD_MANAGER;

/// Who wrote as `kubectl apply` without `--server-side` does.
const CLIENT_SIDE: &[&str] = &["kubectl-client-side-apply"];

fn entries(live: &Value) -> &[Value] {
    live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_client_side(entry: &Value) -> bool {
    entry["operation"] == "Update"
        && entry["subresource"].as_str().unwrap_or_default().is_empty()
        && entry["manager"].as_str().is_some_and(|m| CLIENT_SIDE.contains(&m))
}

fn is_ours(entry: &Value) -> bool {
    entry["operation"] == "Apply" && entry["subresource"].as_str().unwrap_or_default().is_empty() && entry["manager"] == FIELD_MANAGER
}

/// Returns whether a client-side apply still owns fields of `live`.
pub(super) fn is_needed(live: &Value) -> bool {
    entries(live).iter().any(is_client_side)
}

/// Returns the JSON patch that gives its fields to us, valid for exactly this state of the object.
pub(super) fn patch(live: &Value) -> Value {
    let mut ours: Option<Value> = entries(live).iter().find(|entry| is_ours(entry)).cloned();
    for entry in entries(live).iter().filter(|entry| is_client_side(entry)) {
        if let Some(ours) = &mut ours {
            unite(&mut ours["fieldsV1"], &entry["fieldsV1"]);
        } else {
            let mut entry = entry.clone();
            entry["manager"] = FIELD_MANAGER.into();
            entry["operation"] = "Apply".into();
            ours = Some(entry);
        }
    }
    let others = entries(live).iter().filter(|entry| !is_client_side(entry) && !is_ours(entry)).cloned();
    let managed: Vec<Value> = ours.into_iter().chain(others).collect();
    json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": managed},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ])
}

/// Adds the fields of `other` to `fields`: both are trees of names, whose leaves are empty.
fn unite(fields: &mut Value, other: &Value) {
    let Some(other) = other.as_object() else { return };
    if !fields.is_object() {
        *fields = Value::Object(Map::new());
    }
    for (name, below) in other {
        unite_below(&mut fields[name.as_str()], below);
    }
}

fn unite_below(fields: &mut Value, other: &Value) {
    if fields.is_null() {
        fields.clone_from(other);
    } else {
        unite(fields, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(managed: &Value) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": managed}})
    }

    #[test]
    fn only_a_client_side_apply_is_taken_over() {
        for (manager, operation, subresource, needed) in [
            ("kubectl-client-side-apply", "Update", "", true),
            ("kubectl-client-side-apply", "Update", "status", false),
            ("kubectl", "Apply", "", false),
            ("kube-controller-manager", "Update", "", false),
            ("devloop", "Apply", "", false),
        ] {
            let entry = json!({"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": {}});
            assert_eq!(is_needed(&live(&json!([entry]))), needed, "{manager} {operation} {subresource}");
        }
    }

    #[test]
    fn its_fields_are_united_with_ours_and_others_keep_theirs() {
        let patch = patch(&live(&json!([
            {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:data": {".": {}, "f:a": {}}}},
            {"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "devloop", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}},
        ])));
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": [
                    {"manager": "devloop", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}, ".": {}, "f:a": {}}}},
                    {"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                ]},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            ])
        );
    }
}
