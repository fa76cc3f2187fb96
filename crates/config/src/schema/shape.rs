//! Whether a tree has the shape that the schema asks for: every fault of it, each at its place.

use devloop_model::Diagnostic;
use devloop_model::GoDuration;
use devloop_model::nearest;
use serde_json::Map;
use serde_json::Value as Json;

use super::schema_of;
use super::trail::Trail;
use crate::Key;
use crate::Node;
use crate::Value;
use crate::upgrade;
use crate::upgrade::Version;

/// The code of a field of our own in a version of Skaffold's.
pub(crate) const OWN_FIELD: &str = "config/own-field";

/// How much has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// All that is required, and only one of each group.
    Whole,
    /// A profile may still add or replace fields.
    BeforeProfiles,
}

/// Returns everything in `document` that the schema does not allow, in the order it is written.
///
/// `version` is the one that the file was written for: fields that came later are faults as well.
pub(crate) fn faults(document: &Node, version: Version, completeness: Completeness) -> Vec<Diagnostic> {
    let schema = schema_of(version);
    let mut walk =
        Walk { definitions: schema["definitions"].as_object(), version, completeness, trail: Trail::default(), faults: Vec::new() };
    walk.value(document, schema);
    walk.faults
}

/// Where so much is wrong, the rest says no more.
const MAX_FAULTS: usize = 100;

struct Walk<'s> {
    definitions: Option<&'s Map<String, Json>>,
    version: Version,
    completeness: Completeness,
    trail: Trail,
    faults: Vec<Diagnostic>,
}

impl<'s> Walk<'s> {
    /// Returns the schema that a reference leads to.
    fn resolve(&self, schema: &'s Json) -> &'s Json {
        let Some(reference) = schema["$ref"].as_str() else {
            // An optional reference is one of a reference and null, and null is always as good as nothing.
            let options = schema["anyOf"].as_array().into_iter().chain(schema["allOf"].as_array()).flatten();
            return options.filter(|option| option.get("$ref").is_some()).map(|option| self.resolve(option)).next().unwrap_or(schema);
        };
        let name = reference.rsplit('/').next().unwrap_or_default();
        self.definitions.and_then(|definitions| definitions.get(name)).unwrap_or(&Json::Null)
    }

    fn value(&mut self, node: &Node, schema: &'s Json) {
        let schema = self.resolve(schema);
        if node.is_null() || self.faults.len() >= MAX_FAULTS {
            return;
        }
        let types = match &schema["type"] {
            Json::String(name) => vec![name.as_str()],
            Json::Array(names) => names.iter().filter_map(Json::as_str).filter(|name| *name != "null").collect(),
            _ => return,
        };
        match &node.value {
            Value::Map(entries) if types.contains(&"object") => self.object(node, entries, schema),
            Value::List(items) if types.contains(&"array") => self.list(items, &schema["items"]),
            _ if schema["x-duration"] == Json::Bool(true) && !is_duration(node) => self.no_duration(node),
            _ if types.iter().any(|kind| is_scalar(node, kind)) => {}
            _ => self.wrong_type(node, &types, schema),
        }
    }

    fn list(&mut self, items: &[Node], schema: &'s Json) {
        for (index, item) in items.iter().enumerate() {
            self.trail.enter_item(index, item);
            self.value(item, schema);
            self.trail.leave();
        }
    }

    fn object(&mut self, node: &Node, entries: &[(Key, Node)], schema: &'s Json) {
        let Some(properties) = schema["properties"].as_object() else {
            if schema.get("additionalProperties").is_some_and(Json::is_object) {
                for (key, value) in entries {
                    self.trail.enter_field(&key.text);
                    self.value(value, &schema["additionalProperties"]);
                    self.trail.leave();
                }
            } else if schema["additionalProperties"] == Json::Bool(false) {
                let none = Map::new();
                for (key, _) in entries {
                    self.unknown_field(key, schema, &none);
                }
            }
            return;
        };
        self.complete(node, entries, schema);
        for (key, value) in entries {
            let Some(property) = properties.get(&key.text) else {
                self.unknown_field(key, schema, properties);
                continue;
            };
            if let Some(since) = property["x-since"].as_str() {
                self.newer_field(key, since, property);
            }
            self.trail.enter_field(&key.text);
            let outside = self.completeness;
            if self.trail.is_profiles() {
                // A profile's own parts are replaced whole, so they have to be whole.
                self.completeness = Completeness::Whole;
            }
            self.value(value, property);
            self.completeness = outside;
            self.trail.leave();
        }
    }

    /// Checks what has to be there, and what excludes what.
    fn complete(&mut self, node: &Node, entries: &[(Key, Node)], schema: &Json) {
        if self.completeness == Completeness::BeforeProfiles {
            return;
        }
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            let value = node.get(field);
            if value.is_none_or(|value| value.is_null() || value.value == Value::Text(String::new())) {
                let (span, label) = value.map_or((&node.span, None), |value| (&value.span, Some("nothing is written here".to_owned())));
                let what = format!("{} has no `{field}`", self.trail.subject());
                self.faults.push(Diagnostic::error("config/missing-field", what).at(span.location(label)));
            }
        }
        for (group, fields) in schema["x-one-of"].as_object().into_iter().flatten() {
            let is_member = |key: &Key| fields.as_array().is_some_and(|fields| fields.iter().any(|field| *field == key.text));
            let mut set = entries.iter().filter(|(key, value)| is_member(key) && !is_unset(value)).map(|(key, _)| key);
            for (key, _) in entries.iter().filter(|(key, value)| is_member(key) && value.is_null()) {
                let what = format!("`{}` has no value, which is the same as leaving it out", key.text);
                let help = format!("write `{}: {{}}`, or delete the line", key.text);
                self.faults.push(Diagnostic::warning("config/empty-choice", what).at(key.span.location(None)).help(help));
            }
            let Some(first) = set.next() else { continue };
            for other in set {
                let what = format!("{} has more than one {group}: `{}` and `{}`", self.trail.subject(), first.text, other.text);
                let label = format!("`{}` stands at line {}", first.text, first.span.line);
                self.faults.push(Diagnostic::error("config/one-of", what).at(other.span.location(label)).help("keep one of them"));
            }
        }
    }

    fn unknown_field(&mut self, key: &Key, schema: &Json, properties: &Map<String, Json>) {
        let known = properties.iter().filter(|(_, property)| property.get("x-since").is_none());
        let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
        let near = nearest(&key.text, &known);
        let group = near.and_then(|near| group_of(schema, near));
        let (what, expected) = match &group {
            Some((name, fields)) => (format!("{} has no {name} called `{}`", self.trail.subject(), key.text), fields.join(", ")),
            None => (format!("{} has no field `{}`", self.trail.subject(), key.text), known.join(", ")),
        };
        let expected = if expected.is_empty() { "expected nothing in it".to_owned() } else { format!("expected one of: {expected}") };
        // A long list beside the caret hides the caret.
        let is_short = expected.chars().count() <= 110;
        let mut fault = Diagnostic::error("config/unknown-field", what).at(key.span.location(is_short.then(|| expected.clone())));
        if !is_short {
            fault = fault.because(expected);
        }
        if let Some(near) = near {
            fault = fault.help(format!("did you mean `{near}`?"));
        } else if let Some(now) = upgrade::successor(&key.text, self.version) {
            fault = fault.help(format!("older versions of the schema had it; {now}"));
        }
        self.faults.push(fault);
    }

    fn newer_field(&mut self, key: &Key, since: &str, property: &Json) {
        if Version::of_name(since) == Some(Version::LATEST) {
            let what = format!("`{}` is a field of devloop's own, and this file says {}", key.text, self.version);
            let instead = property["x-instead"].as_str().map_or_else(String::new, |instead| format!("; or leave it out: {instead}"));
            let help = format!("write `apiVersion: {since}`, by `devloop fix --version {since}`, which Skaffold does not read{instead}");
            self.faults.push(key.span.error(OWN_FIELD, what).help(help));
            return;
        }
        let what = format!("`{}` came with {since}, and this file says {}", key.text, self.version);
        let help = format!("write `apiVersion: {since}` or a newer one");
        self.faults.push(key.span.error("config/newer-field", what).help(help));
    }

    fn no_duration(&mut self, node: &Node) {
        let what = format!("{} takes a duration", self.trail.subject());
        self.faults.push(node.span.error("config/duration", what).help("write `90s`, `5m` or `1h30m`"));
    }

    fn wrong_type(&mut self, node: &Node, types: &[&str], schema: &Json) {
        let expected: Vec<&str> = types.iter().map(|kind| in_words(kind)).collect();
        let is_number = matches!(node.value, Value::Int(_) | Value::Float(_));
        let actual = node.as_text().filter(|_| is_number && types.contains(&"integer")).map(|number| format!("`{number}`"));
        let actual = actual.unwrap_or_else(|| node.kind().to_owned());
        let fault = node.span.error("config/wrong-type", format!("{} takes {}, not {actual}", self.trail.subject(), expected.join(" or ")));
        let help = node.as_text().and_then(|text| repair(&text, types, schema));
        self.faults.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
    }
}

/// Returns how a scalar is written where another type is asked for, if it is likely that it was meant so.
fn repair(text: &str, types: &[&str], schema: &Json) -> Option<String> {
    let is_short = text.chars().count() <= 60 && !text.contains(['\n', '`']);
    if types.contains(&"array") && is_short && schema["items"]["type"] == "string" {
        return Some(format!("write it as a list: `[{text}]`"));
    }
    if types.contains(&"object") && schema["properties"].get(text).is_some() {
        return Some(format!("write `{text}: {{}}` into it"));
    }
    (types.contains(&"integer") && text.parse::<i64>().is_ok()).then(|| "take the quotes away".to_owned())
}

/// Returns whether `node` can stand where the schema asks for this type; text takes every scalar as it is written (as go-yaml does).
fn is_scalar(node: &Node, kind: &str) -> bool {
    match kind {
        "string" => node.as_text().is_some(),
        "integer" => node.as_int().is_some(),
        "number" => matches!(node.value, Value::Int(_) | Value::Float(_)),
        "boolean" => node.as_bool().is_some(),
        _ => false,
    }
}

/// Returns whether `node` is a duration in Go's words, longer than none.
fn is_duration(node: &Node) -> bool {
    let duration = node.as_text().and_then(|text| text.parse::<GoDuration>().ok());
    duration.is_some_and(|duration| !duration.0.is_zero())
}

/// Returns whether Skaffold takes this for a field that is not set.
fn is_unset(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

/// Returns the group that `field` is in, and its members.
fn group_of<'j>(schema: &'j Json, field: &str) -> Option<(&'j str, Vec<&'j str>)> {
    schema["x-one-of"].as_object()?.iter().find_map(|(name, fields)| {
        let fields: Vec<&str> = fields.as_array()?.iter().filter_map(Json::as_str).collect();
        fields.contains(&field).then_some((name.as_str(), fields))
    })
}
