//! Kubernetes objects in files, and the images that they name.

use std::collections::HashSet;

use devloop_config::Node;
use devloop_config::Source;
use devloop_config::Value;
use devloop_config::parse_documents;
use devloop_model::Diagnostic;
use devloop_model::ImageRef;

/// A file with Kubernetes objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Its path.
    pub(crate) path: String,
    /// The images that it names, in its order.
    pub(crate) images: Vec<String>,
}

/// Returns the images of a text with Kubernetes objects; none if it has no object (Skaffold's `pkg/skaffold/kubernetes/util.go`: an
/// object has `apiVersion`, `kind` and `metadata`).
///
/// # Errors
/// When it looks as if it had objects, and is not YAML.
pub(crate) fn images(path: &str, text: &str) -> Result<Option<Vec<String>>, Box<Diagnostic>> {
    // Most files of a large project are something else.
    if !text.contains("apiVersion") || !text.contains("kind") {
        return Ok(None);
    }
    let source = Source::new(path, text);
    let documents = match parse_documents(&source) {
        Ok(documents) => documents,
        Err(_) if !has_line(text, "apiVersion:") || !has_line(text, "kind:") => return Ok(None),
        // Definitions of many kinds of objects are valid, and name no image.
        Err(faults) if faults.iter().any(|fault| fault.code == "config/too-large") => return Ok(Some(Vec::new())),
        Err(faults) => return Err(Box::new(skipped(path, faults))),
    };
    let objects: Vec<&Node> = documents.iter().filter(|document| is_object(document)).collect();
    if objects.is_empty() {
        return Ok(None);
    }
    let mut images = Vec::new();
    for object in objects {
        collect(object, &mut images);
    }
    Ok(Some(images))
}

fn has_line(text: &str, start: &str) -> bool {
    text.lines().any(|line| line.starts_with(start))
}

fn skipped(path: &str, faults: Vec<Diagnostic>) -> Diagnostic {
    let warning = Diagnostic::warning("init/not-yaml", format!("`{path}` is left out: it looks like a manifest, and is not valid YAML"));
    match faults.into_iter().next() {
        Some(fault) => Diagnostic { at: fault.at.clone(), ..warning.caused_by(fault) },
        None => warning,
    }
}

/// Configurations of ours and of Kustomize have the same head, and are not for a cluster.
fn is_object(document: &Node) -> bool {
    let version = document.get("apiVersion").and_then(Node::as_text).unwrap_or_default();
    let is_ours = ["skaffold/", "devloop/", "kustomize.config.k8s.io/"].iter().any(|prefix| version.starts_with(prefix));
    !is_ours && ["apiVersion", "kind", "metadata"].iter().all(|field| document.get(field).is_some())
}

fn collect(node: &Node, images: &mut Vec<String>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, images)),
        Value::Map(entries) => {
            for (key, value) in entries {
                match &value.value {
                    Value::Text(image) if key.text == "image" => images.push(image.clone()),
                    _ => collect(value, images),
                }
            }
        }
        _ => {}
    }
}

/// Returns the repositories that images are of, each once, and a word for each that is left out: one by digest is of no source here
/// (Skaffold's `pkg/skaffold/tag/util/util.go`), and what is no image name is a template.
pub(crate) fn repositories<'i>(images: impl IntoIterator<Item = &'i String>) -> (Vec<String>, Vec<Diagnostic>) {
    let (mut found, mut said): (Vec<String>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    for image in images.into_iter().filter(|image| seen.insert(*image)) {
        match ImageRef::parse(image) {
            Ok(reference) if reference.digest.is_some() => {
                let what = format!("`{image}` is named by digest, so that it is not built from here");
                said.push(Diagnostic::warning("init/by-digest", what));
            }
            Ok(reference) => {
                if names.insert(reference.name.clone()) {
                    found.push(reference.name.as_str().to_owned());
                }
            }
            Err(_) => {}
        }
    }
    (found, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_wherever_they_are() {
        let text = "apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n- spec: {containers: [{image: a:1}, {image: b}]}\n---\n---\nonly: this\n---\n\
                    apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\nspec: {image: {name: c}, other: [{image: d}], n: {image: 7}}\n";
        assert_eq!(images("k.yaml", text), Ok(Some(vec!["a:1".into(), "b".into(), "d".into()])));
    }

    #[test]
    fn what_is_no_object_is_no_manifest() {
        for text in [
            "",
            "apiVersion: v1\nkind: X\n",
            "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: x}\n",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: x}\n",
            "a: apiVersion kind: metadata",
            "# apiVersion kind\n{{ template }}: {{",
        ] {
            assert_eq!(images("k.yaml", text), Ok(None), "{text}");
        }
        let json = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"image": "a"}]}}"#;
        assert_eq!(images("k.json", json), Ok(Some(vec!["a".into()])));
    }

    #[test]
    fn a_broken_manifest_is_left_out_with_a_word() {
        let error = images("k8s/web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: [x}\n").unwrap_err();
        insta::assert_snapshot!(error, @r"
        warning[init/not-yaml]: `k8s/web.yaml` is left out: it looks like a manifest, and is not valid YAML
         --> k8s/web.yaml:3:20
          |
        3 | metadata: {name: [x}
          |                    ^
          a `,` or `]` is missing before this place
        help: close the `[` above, or put a value with `,` or `[` in quotes
        ");
    }

    #[test]
    fn a_manifest_of_any_size_is_one() {
        let many = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n".repeat(2000);
        assert_eq!(images("k.yaml", &many), Ok(Some(Vec::new())));
    }

    #[test]
    fn images_are_known_by_their_repositories() {
        let digest = format!("d@sha256:{}", "0".repeat(64));
        let images = ["a:1", "gcr.io/p/b", "a", "{{.Values.image}}", "localhost:5000/c:v", &digest, &digest].map(str::to_owned);
        let (found, said) = repositories(&images);
        assert_eq!(found, ["a", "gcr.io/p/b", "localhost:5000/c"]);
        assert_eq!(said.len(), 1);
    }
}
