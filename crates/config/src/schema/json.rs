//! The JSON schema: of the types, and as editors read it.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;
use serde_json::json;

use super::Config;
use crate::upgrade;

/// Returns the schema of the types, with the keywords of our own.
pub(crate) fn latest() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>().to_value());
    &SCHEMA
}

/// Returns the versions that can be read, oldest first: `skaffold/v4beta1` and on.
pub fn schema_versions() -> Vec<String> {
    (upgrade::OLDEST..=upgrade::LATEST).map(upgrade::name).collect()
}

/// Returns the JSON schema (draft 7) of a version, as `schema get` prints it, if it is one that can be read.
pub fn json_schema(version: &str) -> Option<String> {
    let version = upgrade::number(version)?;
    let mut schema = latest().clone();
    schema["title"] = format!("Configuration of devloop, {}", upgrade::name(version)).into();
    publish(&mut schema, version);
    let text = serde_json::to_string_pretty(&schema).expect("a JSON value prints");
    Some(text + "\n")
}

/// Turns our own keywords into those of JSON Schema.
fn publish(schema: &mut Value, version: u32) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| publish(item, version)),
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.retain(|_, property| property["x-since"].as_u64().is_none_or(|since| since <= u64::from(version)));
            }
            // What a field that is not set means is in its description: the types only know that it is empty.
            for own in ["x-since", "x-template", "x-path", "default"] {
                fields.remove(own);
            }
            if let Some(Value::Object(groups)) = fields.remove("x-one-of") {
                fields.insert("allOf".into(), groups.values().map(at_most_one).collect());
            }
            fields.values_mut().for_each(|field| publish(field, version));
        }
        _ => {}
    }
}

/// Returns the schema of objects that have at most one of these fields.
fn at_most_one(group: &Value) -> Value {
    let required: Vec<Value> = group.as_array().into_iter().flatten().map(|field| json!({"required": [field]})).collect();
    let mut one_of = required.clone();
    one_of.push(json!({"not": {"anyOf": required}}));
    json!({ "oneOf": one_of })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/config.v4beta14.json")
    }

    /// `DEVLOOP_UPDATE_SCHEMAS=1` writes the file instead of comparing it.
    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let now = json_schema("skaffold/v4beta14").unwrap();
        if std::env::var_os("DEVLOOP_UPDATE_SCHEMAS").is_some() {
            std::fs::write(committed(), &now).unwrap();
        }
        let before = std::fs::read_to_string(committed()).unwrap();
        assert!(before == now, "schemas/config.v4beta14.json is out of date: run this test with DEVLOOP_UPDATE_SCHEMAS=1");
    }

    #[test]
    fn an_older_schema_lacks_what_came_later() {
        let fields = |version| {
            let schema: Value = serde_json::from_str(&json_schema(version).unwrap()).unwrap();
            schema["definitions"]["Artifact"]["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert!(!fields("skaffold/v4beta1").contains(&"runtimeType".to_owned()));
        assert!(fields("skaffold/v4beta2").contains(&"runtimeType".to_owned()));
        assert_eq!(json_schema("skaffold/v3"), None);
        assert_eq!(schema_versions().len(), 14);
    }
}
