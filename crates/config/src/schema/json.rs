//! The JSON schema: of the types, and as editors read it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;
use serde_json::json;

use super::Config;
use super::schema_of;
use crate::upgrade::Version;

/// Returns the schema of the types, with the keywords of our own.
pub(crate) fn latest() -> &'static Value {
    static SCHEMA: LazyLock<Value> =
        LazyLock::new(|| SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>().to_value());
    &SCHEMA
}

/// Returns the versions that can be read, oldest first.
pub fn schema_versions() -> Vec<String> {
    Version::all().map(|version| version.to_string()).collect()
}

/// Returns the schema of a version with the keywords of our own, if it is one that can be read; what came later is in it with `x-since`.
pub fn annotated_schema(version: &str) -> Option<&'static Value> {
    Version::of_name(version).map(schema_of)
}

/// Returns the JSON schema (draft 7) of a version, as `schema get` prints it, if it is one that can be read; `skaffold/` may be left out.
pub fn json_schema(version: &str) -> Option<String> {
    let version = Version::of_name(version).or_else(|| Version::of_short(version));
    version.map(|version| format!("{:#}\n", published(version)))
}

/// Returns the schema of a version in keywords of JSON Schema alone.
fn published(version: Version) -> Value {
    let mut schema = schema_of(version).clone();
    schema["title"] = format!("Configuration of devloop, {version}").into();
    publish(&mut schema);
    let mut used = BTreeSet::new();
    let definitions = schema["definitions"].take();
    find_used(&schema, &definitions, &mut used);
    schema["definitions"] = definitions;
    if let Value::Object(definitions) = &mut schema["definitions"] {
        definitions.retain(|name, _| used.contains(name));
    }
    schema
}

/// Adds the names of all definitions that `schema` refers to, by way of others too.
fn find_used(schema: &Value, definitions: &Value, used: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| find_used(item, definitions, used)),
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/definitions/"));
            if let Some(name) = name.filter(|name| used.insert((*name).to_owned())) {
                find_used(&definitions[name], definitions, used);
            }
            fields.values().for_each(|field| find_used(field, definitions, used));
        }
        _ => {}
    }
}

/// Turns our own keywords into those of JSON Schema.
fn publish(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(publish),
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.retain(|_, property| property.get("x-since").is_none());
            }
            // What a field that is not set means is in its description: the types only know that it is empty.
            for own in ["x-since", "x-template", "x-path", "x-duration", "x-instead", "default"] {
                fields.remove(own);
            }
            // Not `enum`: most of these words count in any case.
            if let Some(words) = fields.remove("x-values") {
                fields.insert("examples".into(), words);
            }
            if let Some(Value::Object(groups)) = fields.remove("x-one-of") {
                fields.insert("allOf".into(), groups.values().map(at_most_one).collect());
            }
            fields.values_mut().for_each(publish);
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

    /// `DEVLOOP_UPDATE_SCHEMAS=1` writes the files instead of comparing them.
    #[test]
    fn the_committed_schemas_are_those_of_the_types() {
        let schemas = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let mut outdated = Vec::new();
        for version in Version::all() {
            let (name, now) = (format!("{version}.json"), format!("{}\n", published(version)));
            if std::env::var_os("DEVLOOP_UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(schemas.join(&name).parent().unwrap()).unwrap();
                std::fs::write(schemas.join(&name), &now).unwrap();
            }
            let is_same = std::fs::read_to_string(schemas.join(&name)).is_ok_and(|before| before == now);
            outdated.extend((!is_same).then_some(name));
        }
        assert!(outdated.is_empty(), "run this test with DEVLOOP_UPDATE_SCHEMAS=1, as these schemas are out of date: {outdated:?}");
    }

    /// Nothing but a default is null in a schema of draft 7, and what is required is a list.
    #[test]
    fn every_schema_is_one() {
        fn faults(value: &Value, path: &str, found: &mut Vec<String>) {
            match value {
                Value::Null if !path.ends_with("/default") && !path.contains("/enum/") => found.push(path.to_owned()),
                Value::Object(fields) => fields.iter().for_each(|(name, value)| faults(value, &format!("{path}/{name}"), found)),
                Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| faults(item, &format!("{path}/{at}"), found)),
                _ => {}
            }
        }
        for version in Version::all() {
            let mut found = Vec::new();
            faults(&published(version), "", &mut found);
            assert!(found.is_empty(), "{version}: {found:?}");
        }
    }

    #[test]
    fn words_are_examples_for_those_who_do_not_know_ours() {
        let published: Value = serde_json::from_str(&json_schema("skaffold/v4beta14").unwrap()).unwrap();
        let runtime = |schema: &Value| schema["definitions"]["Artifact"]["properties"]["runtimeType"].clone();
        let own = annotated_schema("skaffold/v4beta14").unwrap();
        assert_eq!(runtime(&published)["examples"], runtime(own)["x-values"]);
        assert_eq!((runtime(&published).get("x-values"), annotated_schema("skaffold/v5")), (None, None));
    }

    #[test]
    fn an_older_schema_lacks_what_came_later() {
        let fields = |version| {
            let schema: Value = serde_json::from_str(&json_schema(version).unwrap()).unwrap();
            schema["definitions"]["Artifact"]["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert!(!fields("skaffold/v4beta1").contains(&"runtimeType".to_owned()));
        assert!(fields("skaffold/v4beta2").contains(&"runtimeType".to_owned()));
        assert!(!json_schema("skaffold/v1").unwrap().contains("CloudRunDeploy"));
        assert!(json_schema("devloop/v1").unwrap().contains("--hook-timeout"));
        assert!(!json_schema("skaffold/v4beta14").unwrap().contains("--hook-timeout"));
        assert_eq!(json_schema("skaffold/v5"), None);
    }
}
