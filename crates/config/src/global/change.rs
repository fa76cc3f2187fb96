//! Settings as they are set, unset and listed: `config set`, `config unset`, `config list`.
//!
//! Names, and what is printed: Skaffold's `pkg/skaffold/config/global_config.go` and `cmd/skaffold/app/cmd/config`.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::nearest;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use crate::Node;
use crate::Source;
use crate::edit::Edit;
use crate::edit::Step;
use crate::edit::Step::Item;
use crate::edit::Step::Key;
use crate::edit::Step::Push;
use crate::parse_documents;
use crate::profile::pattern_matches;

/// Where a setting holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// In one Kubernetes context.
    Context(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    /// A value is added to what is there.
    List,
}

/// Skaffold's survey and its reminders of updates have no counterpart; two that scripts set are kept, and ask for nothing.
const SETTINGS: [(&str, Kind); 10] = [
    ("default-repo", Kind::Text),
    ("multi-level-repo", Kind::Bool),
    ("local-cluster", Kind::Bool),
    ("insecure-registries", Kind::List),
    ("debug-helpers-registry", Kind::Text),
    ("builder-image", Kind::Text),
    ("kind-disable-load", Kind::Bool),
    ("k3d-disable-load", Kind::Bool),
    ("update-check", Kind::Bool),
    ("collect-metrics", Kind::Bool),
];

/// Returns the text of a file of settings in which `name` has `value`; an empty value takes it away.
///
/// # Errors
/// When there is no such setting, the value is none of it, or the file cannot be read.
pub fn set_setting(file: &Path, scope: &Scope, name: &str, value: &str) -> Result<String, Vec<Diagnostic>> {
    let Some((_, kind)) = SETTINGS.iter().find(|(known, _)| *known == name) else { return Err(vec![unknown(name)]) };
    let (source, document) = read(file)?;
    let json = document.as_ref().map_or_else(|| json!({}), Node::to_json);
    let contexts = json["kubeContexts"].as_array();
    let mut path = match scope {
        Scope::Global => vec![Key("global")],
        Scope::Context(context) => {
            let holds = |entry: &Json| entry["kube-context"].as_str().is_some_and(|pattern| pattern_matches(pattern, context));
            // The last entry that matches holds.
            match contexts.and_then(|contexts| contexts.iter().rposition(holds)) {
                Some(index) => vec![Key("kubeContexts"), Item(index)],
                None if value.is_empty() => return Ok(source.text.clone()),
                None => vec![Key("kubeContexts"), Push],
            }
        }
    };
    let old = match path.as_slice() {
        [Key(_), Item(index)] => &json["kubeContexts"][*index][name],
        [Key("global")] => &json["global"][name],
        _ => &Json::Null,
    };
    let mut value = parsed(name, *kind, value, old)?;
    if value.is_none() && old.is_null() {
        return Ok(source.text.clone());
    }
    if let ([_, Push], Scope::Context(context)) = (path.as_slice(), scope) {
        value = value.map(|value| json!({ "kube-context": context, name: value }));
    } else {
        path.push(Key(name));
    }
    rewritten(source, document.is_some(), &path, value)
}

/// Returns the text with a change in place; one that is in braces, or empty, is written anew.
fn rewritten(
    source: std::sync::Arc<Source>,
    has_document: bool,
    path: &[Step<'_>],
    value: Option<Json>,
) -> Result<String, Vec<Diagnostic>> {
    let mut json = json!({});
    if has_document {
        let mut edit = Edit::of(source)?;
        if edit.set(0, path, value.clone()).is_ok() {
            return Ok(edit.into_source().text.clone());
        }
        json = edit.document(0).map_or(json, Node::to_json);
    }
    crate::edit::change(&mut json, path, value.as_ref());
    serde_saphyr::to_string(&json)
        .map_err(|error| vec![Diagnostic::error("config/unwritable", "the settings cannot be written as YAML").because(error.to_string())])
}

fn parsed(name: &str, kind: Kind, value: &str, old: &Json) -> Result<Option<Json>, Vec<Diagnostic>> {
    if value.is_empty() {
        return Ok(None);
    }
    Ok(Some(match kind {
        Kind::Text => value.into(),
        Kind::Bool => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true.into(),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false.into(),
            _ => {
                let what = format!("`{value}` is no value of `{name}`");
                return Err(vec![Diagnostic::error("config/setting", what).help("set it to `true` or `false`")]);
            }
        },
        Kind::List => {
            let mut list = old.as_array().cloned().unwrap_or_default();
            if !list.contains(&value.into()) {
                list.push(value.into());
            }
            list.into()
        }
    }))
}

fn unknown(name: &str) -> Diagnostic {
    let known: Vec<&str> = SETTINGS.iter().map(|(name, _)| *name).collect();
    let error = Diagnostic::error("config/setting", format!("there is no setting `{name}`"))
        .because(format!("known settings: {}", known.join(", ")));
    match nearest(name, &known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Returns as YAML what files of settings say together, where the first wins, and which of them are there: of one scope, or of all.
///
/// None where they say nothing of it.
///
/// # Errors
/// When a file cannot be read, or is not YAML.
pub fn list_settings(files: &[PathBuf], scope: Option<&Scope>) -> Result<Option<(Vec<PathBuf>, String)>, Vec<Diagnostic>> {
    let mut there = Vec::new();
    let mut all = json!({});
    for file in files {
        if let (_, Some(document)) = read(file)? {
            there.push(file.clone());
            join_files(&mut all, &document.to_json());
        }
    }
    let said = match scope {
        None => all,
        Some(Scope::Global) => all["global"].take(),
        Some(Scope::Context(context)) => {
            let entries = all["kubeContexts"].as_array().into_iter().flatten();
            let holds = |entry: &&Json| entry["kube-context"].as_str().is_some_and(|pattern| pattern_matches(pattern, context));
            let mut said = Json::Null;
            entries.filter(holds).for_each(|entry| join(&mut said, entry));
            said
        }
    };
    if said.as_object().is_none_or(Map::is_empty) {
        return Ok(None);
    }
    let text = serde_saphyr::to_string(&said).map_err(|error| {
        vec![Diagnostic::error("config/unwritable", "the settings cannot be written as YAML").because(error.to_string())]
    })?;
    Ok(Some((there, if text.ends_with('\n') { text } else { text + "\n" })))
}

/// Adds what a weaker file says.
fn join_files(all: &mut Json, weaker: &Json) {
    if weaker["global"].is_object() {
        join(&mut all["global"], &weaker["global"]);
    }
    for entry in weaker["kubeContexts"].as_array().into_iter().flatten() {
        if !all["kubeContexts"].is_array() {
            all["kubeContexts"] = json!([]);
        }
        let Some(known) = all["kubeContexts"].as_array_mut() else { continue };
        match known.iter_mut().find(|known| known["kube-context"] == entry["kube-context"]) {
            Some(known) => join(known, entry),
            None => known.push(entry.clone()),
        }
    }
}

/// Adds fields that are not there yet; lists are joined.
fn join(settings: &mut Json, weaker: &Json) {
    if !settings.is_object() {
        *settings = json!({});
    }
    for (name, value) in weaker.as_object().into_iter().flatten() {
        match (&mut settings[name.as_str()], value) {
            (Json::Array(list), Json::Array(more)) => {
                let new: Vec<Json> = more.iter().filter(|item| !list.contains(item)).cloned().collect();
                list.extend(new);
            }
            (own @ Json::Null, value) => *own = value.clone(),
            _ => {}
        }
    }
}

/// Returns a file, and its document if it has one; one that is not there is empty.
fn read(file: &Path) -> Result<(std::sync::Arc<Source>, Option<Node>), Vec<Diagnostic>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let what = format!("cannot read the settings in {}", file.display());
            return Err(vec![Diagnostic::error("config/unreadable", what).because(error.to_string())]);
        }
    };
    let source = Source::new(file, text);
    let document = parse_documents(&source)?.into_iter().next();
    Ok((source, document))
}

#[cfg(test)]
mod tests;
