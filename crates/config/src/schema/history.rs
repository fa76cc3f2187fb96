//! The schema of each version: that of the types, taken back version by version.
//!
//! `history.txt` has what a version changed, newest first. `+ Type field…` came with it, `- Type field:kind…` was there before, and was that;
//! `= Type field…` are all that were required before. Facts: Skaffold's `docs-v2/content/en/schemas`.

use std::sync::OnceLock;

use serde_json::Value as Json;
use serde_json::json;

use super::latest;
use crate::upgrade::Version;

const HISTORY: &str = include_str!("history.txt");

/// Returns the schema of a version. A field that came later is in it with the keyword `x-since`.
pub(crate) fn schema_of(version: Version) -> &'static Json {
    static MADE: [OnceLock<Json>; Version::LATEST.index() + 1] = [const { OnceLock::new() }; Version::LATEST.index() + 1];
    if version == Version::LATEST { latest() } else { MADE[version.index()].get_or_init(|| make(version)) }
}

fn make(version: Version) -> Json {
    let mut schema = latest().clone();
    let mut changed_in = String::new();
    for line in HISTORY.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some(change @ ("+" | "-" | "=")), Some(name)) => take_back(change, definition(&mut schema, name), words, &changed_in),
            (Some(name), _) => match named(name).filter(|named| *named > version) {
                Some(named) => changed_in = named.to_string(),
                None => break,
            },
            (None, _) => break,
        }
    }
    schema
}

/// Returns the version that a line of the history is about.
fn named(name: &str) -> Option<Version> {
    Version::of_short(name).or_else(|| Version::of_name(name))
}

fn take_back<'a>(change: &str, definition: &mut Json, fields: impl Iterator<Item = &'a str>, changed_in: &str) {
    if change == "=" {
        definition["required"] = fields.collect();
        return;
    }
    for field in fields {
        if change == "+" {
            definition["properties"][field]["x-since"] = changed_in.into();
            if let Some(required) = definition.get_mut("required").and_then(Json::as_array_mut) {
                required.retain(|required| required != field);
            }
        } else {
            let (field, kind) = field.split_once(':').unwrap_or((field, "any"));
            definition["properties"][field] = schema_of_kind(kind);
        }
    }
}

/// Returns the definition called `name`, a new one if there is none; the whole configuration is `Config`.
fn definition<'a>(schema: &'a mut Json, name: &str) -> &'a mut Json {
    if name == "Config" {
        return schema;
    }
    let definition = &mut schema["definitions"][name];
    if definition.is_null() {
        *definition = json!({"type": "object", "properties": {}, "additionalProperties": false});
    }
    definition
}

/// Returns the schema of `string`, `[string]` (a list), `{string}` (a mapping), `any` or the name of a definition.
fn schema_of_kind(kind: &str) -> Json {
    let inner = || schema_of_kind(&kind[1..kind.len() - 1]);
    match kind {
        "any" => json!({}),
        "string" | "integer" | "boolean" => json!({"type": kind}),
        _ if kind.starts_with('[') => json!({"type": "array", "items": inner()}),
        _ if kind.starts_with('{') => json!({"type": "object", "additionalProperties": inner()}),
        _ => json!({"$ref": format!("#/definitions/{kind}")}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_names_versions_and_fields_that_there_are() {
        let named: Vec<Version> = HISTORY.lines().filter(|line| !line.contains(' ')).map(|name| named(name).unwrap()).collect();
        assert!(named.is_sorted_by(|newer, older| newer > older), "{named:?}");
        for version in Version::all() {
            let schema = schema_of(version);
            let definitions = schema["definitions"].as_object().unwrap().iter().map(|(name, definition)| (name.as_str(), definition));
            for (name, definition) in definitions.chain([("Config", schema)]) {
                for (field, property) in definition["properties"].as_object().into_iter().flatten() {
                    let only_since = property.as_object().is_some_and(|property| property.len() == 1 && property.contains_key("x-since"));
                    assert!(!only_since, "{name}.{field} is in no schema, but came later than {version}");
                    let reference = property["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/"));
                    assert!(reference.is_none_or(|name| schema["definitions"].get(name).is_some()), "{name}.{field} is {reference:?}");
                }
            }
        }
    }

    #[test]
    fn a_field_that_is_gone_and_one_that_was_required_are_there_before() {
        let schema = schema_of(Version::of_short("v2beta29").unwrap());
        let kustomize = &schema["definitions"]["DeployConfig"]["properties"]["kustomize"];
        assert_eq!(kustomize["$ref"], "#/definitions/KustomizeDeploy");
        assert_eq!(schema["definitions"]["KustomizeDeploy"]["properties"]["paths"], json!({"type": "array", "items": {"type": "string"}}));
        assert_eq!(schema["definitions"]["BuildpackArtifact"]["required"], json!(["builder"]));
        assert_eq!(schema["properties"]["manifests"]["x-since"], "skaffold/v3alpha1");
    }
}
