//! The Kubernetes objects in a text.

use std::path::Path;

use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::Manifest;
use serde_json::Value;

use crate::RenderError;
use crate::yaml;
use crate::yaml::Document;

/// The objects of a text, and what was noticed while reading it.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Returns the objects in `text`, which stands in `file`; lists are taken apart.
///
/// # Errors
/// When it is no YAML, or a document is no Kubernetes object.
pub(crate) fn objects(text: &str, file: &Path) -> Result<Objects, RenderError> {
    let place = Place { text, file };
    let documents =
        yaml::read(text).map_err(|error| RenderError::Yaml { at: Box::new(place.at(error.line, error.column, None)), why: error.why })?;
    let mut objects = Objects::default();
    let several = documents.len() > 1;
    for (index, document) in documents.into_iter().enumerate() {
        let source = if several { format!("{}, document {}", file.display(), index + 1) } else { file.display().to_string() };
        for (line, key) in &document.doubles {
            objects.warnings.push(place.double(*line, key)?);
        }
        let Document { value, line, column, .. } = document;
        for object in items(value) {
            check(&object).map_err(|fault| RenderError::NotAnObject {
                what: format!("{} {}", file.display(), fault.what),
                at: Box::new(place.at(line, column, None)),
                help: fault.help.to_owned(),
            })?;
            objects.manifests.push(Manifest { object, source: source.clone() });
        }
    }
    Ok(objects)
}

/// A text and where it was read.
#[derive(Clone, Copy)]
struct Place<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Place<'_> {
    fn at(self, line: usize, column: usize, label: Option<String>) -> Location {
        // A parser that wanted more stands one line below the last one.
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
        let width = text.chars().skip(column.saturating_sub(1)).take_while(|c| !c.is_whitespace()).count().max(1);
        Location { file: self.file.to_owned(), line, column, text, width, label }
    }

    /// Two objects without `---` between them show as keys that are written twice; any other such key is a slip.
    fn double(self, line: usize, key: &str) -> Result<Diagnostic, RenderError> {
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let at = self.at(line, text.len() - text.trim_start().len() + 1, None);
        if matches!(key, "apiVersion" | "kind") && text.starts_with(key) {
            return Err(RenderError::NotAnObject {
                what: format!("{} has a second `{key}` in one document", self.file.display()),
                at: Box::new(at),
                help: "put a line `---` between two objects".to_owned(),
            });
        }
        Ok(Diagnostic::warning("render/double-key", format!("key `{key}` is written twice; the last one counts")).at(at))
    }
}

/// Takes a list apart; anything else is one object.
fn items(value: Value) -> Vec<Value> {
    let list_of = |value: &Value| -> Option<String> {
        let kind = value["kind"].as_str()?.strip_suffix("List")?;
        value["items"].is_array().then(|| kind.to_owned())
    };
    let Some(kind) = list_of(&value) else { return vec![value] };
    let Value::Object(mut list) = value else { return Vec::new() };
    let api_version = list.remove("apiVersion").unwrap_or_default();
    let Some(Value::Array(items)) = list.remove("items") else { return Vec::new() };
    items
        .into_iter()
        .flat_map(|mut item| {
            // The items of a `DeploymentList` need not repeat what they are.
            if let Some(object) = item.as_object_mut().filter(|_| !kind.is_empty()) {
                object.entry("apiVersion").or_insert_with(|| api_version.clone());
                object.entry("kind").or_insert_with(|| Value::from(&*kind));
            }
            self::items(item)
        })
        .collect()
}

struct Fault {
    what: String,
    help: &'static str,
}

/// Checks that `value` is an object with what every Kubernetes object has.
fn check(value: &Value) -> Result<(), Fault> {
    const SHAPE: &str = "every object has `apiVersion`, `kind` and `metadata.name`";
    let fault = |what: String, help| Err(Fault { what, help });
    if !value.is_object() {
        return fault(format!("holds {}, not a Kubernetes object", article(value)), SHAPE);
    }
    for (field, found) in [("apiVersion", &value["apiVersion"]), ("kind", &value["kind"]), ("metadata.name", &value["metadata"]["name"])] {
        match found {
            Value::String(text) if !text.is_empty() => {}
            Value::Null | Value::String(_) if field == "metadata.name" && value["metadata"]["generateName"].is_string() => {
                return fault(
                    "has an object with `metadata.generateName` alone".to_owned(),
                    "give it a `metadata.name`: what is applied again needs a name that stays",
                );
            }
            Value::Null | Value::String(_) => return fault(format!("has an object without `{field}`"), SHAPE),
            other => return fault(format!("has an object whose `{field}` is {}, not text", article(other)), "put it in quotes"),
        }
    }
    Ok(())
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a sequence",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        objects(text, Path::new("k8s/web.yaml")).unwrap().manifests.iter().map(|m| format!("{} {}", m.key(), m.source)).collect()
    }

    #[test]
    fn lists_and_documents_are_taken_apart() {
        let text = "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - metadata: {name: b}\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"c\"}}\n";
        insta::assert_debug_snapshot!(keys(text), @r#"
        [
            "secret/a k8s/web.yaml, document 1",
            "configmap/b k8s/web.yaml, document 1",
            "pod/c k8s/web.yaml, document 2",
        ]
        "#);
        assert!(keys("").is_empty());
        assert!(keys("apiVersion: v1\nkind: List\nitems: []\n").is_empty());
    }

    #[test]
    fn what_is_no_object_is_shown() {
        let shown: Vec<String> = [
            "just text\n",
            "- apiVersion: v1\n",
            "kind: Pod\nmetadata:\n  name: a\n",
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 12\n",
            "apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
            "apiVersion: v1\n  kind: Pod\n",
        ]
        .iter()
        .map(|text| objects(text, Path::new("k8s/web.yaml")).unwrap_err().diagnostic().to_string())
        .collect();
        insta::assert_snapshot!(shown.join("\n\n"), @r"
        error[render/not-an-object]: k8s/web.yaml holds text, not a Kubernetes object
         --> k8s/web.yaml:1:1
          |
        1 | just text
          | ^^^^
        help: every object has `apiVersion`, `kind` and `metadata.name`

        error[render/not-an-object]: k8s/web.yaml holds a sequence, not a Kubernetes object
         --> k8s/web.yaml:1:1
          |
        1 | - apiVersion: v1
          | ^
        help: every object has `apiVersion`, `kind` and `metadata.name`

        error[render/not-an-object]: k8s/web.yaml has an object without `apiVersion`
         --> k8s/web.yaml:1:1
          |
        1 | kind: Pod
          | ^^^^^
        help: every object has `apiVersion`, `kind` and `metadata.name`

        error[render/not-an-object]: k8s/web.yaml has an object whose `metadata.name` is a number, not text
         --> k8s/web.yaml:1:1
          |
        1 | apiVersion: v1
          | ^^^^^^^^^^^
        help: put it in quotes

        error[render/not-an-object]: k8s/web.yaml has an object with `metadata.generateName` alone
         --> k8s/web.yaml:1:1
          |
        1 | apiVersion: v1
          | ^^^^^^^^^^^
        help: give it a `metadata.name`: what is applied again needs a name that stays

        error[render/not-an-object]: k8s/web.yaml has a second `apiVersion` in one document
         --> k8s/web.yaml:4:1
          |
        4 | apiVersion: v1
          | ^^^^^^^^^^^
        help: put a line `---` between two objects

        error[render/yaml]: k8s/web.yaml is not valid YAML
         --> k8s/web.yaml:2:7
          |
        2 |   kind: Pod
          |       ^
          mapping values are not allowed in this context
        ");
    }

    #[test]
    fn a_key_that_is_written_twice_is_noticed() {
        let found = objects("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  name: b\n", Path::new("web.yaml")).unwrap();
        assert_eq!(found.manifests[0].key().name, "b");
        insta::assert_snapshot!(found.warnings[0], @r"
        warning[render/double-key]: key `name` is written twice; the last one counts
         --> web.yaml:5:3
          |
        5 |   name: b
          |   ^^^^^
        ");
    }
}
