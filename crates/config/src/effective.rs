//! The configuration as it is understood, written out again: profiles and defaults worked in, paths absolute.

use devloop_model::MissingKey;
use devloop_model::Template;
use devloop_model::Vars;
use serde_json::Map;
use serde_json::Value as Json;

use crate::ConfigError;
use crate::ConfigSource;
use crate::FetchRepo;
use crate::Node;
use crate::Options;
use crate::Value;
use crate::load;
use crate::loaded::Loaded;
use crate::modules::clean;
use crate::schema::latest;

/// Returns all modules as YAML documents; with `vars`, the templates of templated fields are expanded.
///
/// # Errors
/// Everything wrong with the configuration, or the first template that fails. A field that this version does not act on is no fault here.
pub fn effective_yaml(root: &ConfigSource, options: &Options, fetch: &dyn FetchRepo, vars: Option<&Vars>) -> Result<String, ConfigError> {
    written(root, options, fetch, vars, |_| {})
}

/// The same with other files of Jobs for `verify` and custom actions: `paths` has the shape of [`crate::Inspection::job_manifest_paths`].
///
/// # Errors
/// Everything wrong with the configuration.
pub fn effective_yaml_with_jobs(
    root: &ConfigSource,
    options: &Options,
    fetch: &dyn FetchRepo,
    paths: &Json,
) -> Result<String, ConfigError> {
    written(root, options, fetch, None, |document| {
        for (field, key) in [("verify", "verifyJobManifestPaths"), ("customActions", "customActionJobManifestPaths")] {
            for entry in document.get_mut(field).and_then(Json::as_array_mut).into_iter().flatten() {
                let Some(path) = entry["name"].as_str().and_then(|name| paths[key].get(name)) else { continue };
                if !entry["executionMode"]["kubernetesCluster"].is_object() {
                    entry["executionMode"] = serde_json::json!({ "kubernetesCluster": {} });
                }
                entry["executionMode"]["kubernetesCluster"]["jobManifestPath"] = path.clone();
            }
        }
    })
}

fn written(
    root: &ConfigSource,
    options: &Options,
    fetch: &dyn FetchRepo,
    vars: Option<&Vars>,
    change: impl Fn(&mut Json),
) -> Result<String, ConfigError> {
    let loaded = load::modules(root, options, fetch)?;
    let mut text = String::new();
    for module in &loaded.modules {
        let mut json = Writer { module, vars }.value(&module.module.document, latest())?;
        change(&mut json);
        let document = serde_saphyr::to_string(&json).map_err(|error| {
            let what = "the configuration cannot be written as YAML";
            ConfigError::from(devloop_model::Diagnostic::error("config/unwritable", what).because(error.to_string()))
        })?;
        if !text.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&document);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

struct Writer<'a> {
    module: &'a Loaded,
    vars: Option<&'a Vars>,
}

impl Writer<'_> {
    /// Returns `node` as JSON, with its fields in the order of the schema; `requires` is left out, since what it names is written as well.
    fn value(&self, node: &Node, schema: &Json) -> Result<Json, ConfigError> {
        let resolved = resolve(schema);
        let is_set = |key: &str| schema[key] == Json::Bool(true) || resolved[key] == Json::Bool(true);
        match (&node.value, resolved["properties"].as_object()) {
            (Value::Map(_), Some(properties)) => {
                let is_root = std::ptr::eq(schema, latest());
                let mut fields = Map::new();
                for (name, property) in properties.iter().filter(|(name, _)| !(is_root && *name == "requires")) {
                    if let Some(value) = node.get(name).filter(|value| !value.is_null()) {
                        fields.insert(name.clone(), self.value(value, property)?);
                    }
                }
                Ok(Json::Object(fields))
            }
            _ => self.plain(node, resolved, is_set("x-template"), is_set("x-path")),
        }
    }

    /// Returns what has no fields of its own: a scalar, a list, a mapping of any keys.
    fn plain(&self, node: &Node, schema: &Json, is_template: bool, is_path: bool) -> Result<Json, ConfigError> {
        match &node.value {
            Value::List(items) => {
                let item = |node: &Node| {
                    if is_template || is_path {
                        self.plain(node, &schema["items"], is_template, is_path)
                    } else {
                        self.value(node, &schema["items"])
                    }
                };
                items.iter().map(item).collect()
            }
            Value::Map(entries) => {
                let mut fields = Map::new();
                for (key, value) in entries {
                    fields.insert(key.text.clone(), self.plain(value, &schema["additionalProperties"], is_template, is_path)?);
                }
                Ok(Json::Object(fields))
            }
            _ if takes(schema, "string") => {
                let Some(text) = node.as_text() else { return Ok(Json::Null) };
                let text = if is_template { self.expanded(node, &text)? } else { text.into_owned() };
                if takes(schema, "integer")
                    && let Some(number) = node.as_int()
                {
                    return Ok(number.into());
                }
                Ok(if is_path { self.absolute(&text) } else { text }.into())
            }
            // Of a mapping of anything, such as `setValues`.
            Value::Text(text) if is_template && schema["type"].is_null() => Ok(self.expanded(node, text)?.into()),
            _ if takes(schema, "boolean") => Ok(node.as_bool().map_or(Json::Null, Json::Bool)),
            _ => Ok(node.to_json()),
        }
    }

    fn expanded(&self, node: &Node, text: &str) -> Result<String, ConfigError> {
        let Some(vars) = self.vars else { return Ok(text.to_owned()) };
        let rendered = Template::parse(text).and_then(|template| template.render(vars, MissingKey::NoValue));
        rendered.map_err(|error| node.span.error("config/template", "this template fails").because(error.why).into())
    }

    fn absolute(&self, path: &str) -> String {
        if path.is_empty() || path.contains("://") {
            return path.to_owned();
        }
        clean(&self.module.module.dir.join(path)).display().to_string()
    }
}

fn takes(schema: &Json, kind: &str) -> bool {
    match &schema["type"] {
        Json::String(name) => name == kind,
        Json::Array(names) => names.iter().any(|name| name == kind),
        _ => false,
    }
}

fn resolve(schema: &Json) -> &Json {
    let options = schema["anyOf"].as_array().into_iter().chain(schema["allOf"].as_array()).flatten();
    let reference = std::iter::once(schema).chain(options).find_map(|schema| schema["$ref"].as_str());
    let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) else { return schema };
    &latest()["definitions"][name]
}

#[cfg(test)]
mod tests;
