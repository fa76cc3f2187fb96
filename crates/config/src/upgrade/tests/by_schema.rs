//! Documents that a schema allows.

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use super::Version;
use crate::schema::schema_of;

/// Fields that exclude one another, where no group of the schema says so.
const EITHER: [&[&str]; 2] = [
    &["docker", "bazel", "jib", "jibMaven", "jibGradle", "buildpack", "buildpacks", "ko", "custom", "kaniko"],
    &["local", "googleCloudBuild", "cluster", "kaniko"],
];

/// Fields that not every value of can be upgraded; `schemas/cases` has them.
const LEFT_OUT: [&str; 6] = ["acr", "executionEnvironment", "kpt", "patches", "plugin", "verify"];

/// Returns a document of a version, as text; what is in it depends on `choices` alone.
pub(crate) fn document(version: Version, choices: &[u8]) -> String {
    let schema = schema_of(version);
    let mut writer = Writer { schema, choices: choices.iter().cycle() };
    let mut document = writer.value(schema, 0);
    document["apiVersion"] = version.to_string().into();
    document.to_string()
}

struct Writer<'a> {
    schema: &'a Json,
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Writer<'_> {
    fn one_in(&mut self, number: u8) -> bool {
        self.choices.next().is_some_and(|choice| choice % number == 0)
    }

    fn resolve<'j>(&'j self, schema: &'j Json) -> &'j Json {
        if let Some(reference) = schema["$ref"].as_str() {
            return &self.schema["definitions"][reference.rsplit('/').next().unwrap()];
        }
        let options = schema["anyOf"].as_array().into_iter().chain(schema["allOf"].as_array()).flatten();
        options.filter(|option| option.get("$ref").is_some()).map(|option| self.resolve(option)).next().unwrap_or(schema)
    }

    fn value(&mut self, schema: &Json, depth: u8) -> Json {
        let schema = self.resolve(schema).clone();
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("string");
        match kind {
            "object" if schema["properties"].is_object() => self.object(&schema, depth),
            "object" if schema["additionalProperties"].is_object() => {
                json!({"key": self.value(&schema["additionalProperties"], depth + 1)})
            }
            "object" => json!({}),
            "array" => json!([self.value(&schema["items"], depth + 1)]),
            "boolean" => true.into(),
            "integer" => 1.into(),
            _ if schema["x-duration"] == true => "1m30s".into(),
            _ => "a".into(),
        }
    }

    fn object(&mut self, schema: &Json, depth: u8) -> Json {
        let groups = schema["x-one-of"].as_object().into_iter().flatten().map(|(_, fields)| fields);
        let groups: Vec<Vec<&str>> = groups.map(|fields| fields.as_array().unwrap().iter().filter_map(Json::as_str).collect()).collect();
        let mut fields = Map::new();
        for (field, property) in schema["properties"].as_object().unwrap() {
            let is_required = schema["required"].as_array().is_some_and(|required| required.iter().any(|required| required == field));
            let mut rivals = groups.iter().map(Vec::as_slice).chain(EITHER).filter(|group| group.contains(&field.as_str()));
            let is_excluded = rivals.any(|group| fields.keys().any(|other: &String| group.contains(&other.as_str())));
            let is_left_out = LEFT_OUT.contains(&field.as_str()) || (field == "flags" && property["type"] == "array");
            if property.get("x-since").is_some() || is_left_out || is_excluded || depth > 12 {
                continue;
            }
            if is_required || self.one_in(if depth < 3 { 2 } else { 4 }) {
                let value =
                    if field == "tagPolicy" && property["type"] == "string" { "sha256".into() } else { self.value(property, depth + 1) };
                fields.insert(field.clone(), value);
            }
        }
        Json::Object(fields)
    }
}
