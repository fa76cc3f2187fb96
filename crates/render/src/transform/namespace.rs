//! A namespace that the user forces on every namespaced object.

use std::collections::HashSet;

use devloop_clients::kube::built_in_kind;
use devloop_model::Diagnostic;
use devloop_model::Manifest;
use devloop_model::Namespace;
use serde_json::Map;
use serde_json::Value;

/// Writes `namespace` into every namespaced object that names none, and returns a warning for each that names another.
///
/// A custom resource is namespaced if the manifests define it so; one that they do not define is left alone, for
/// the cluster knows, and is asked when it is applied.
pub(crate) fn set_namespace(manifests: &mut [Manifest], namespace: &Namespace) -> Vec<Diagnostic> {
    let namespaced = defined(manifests);
    let mut warnings = Vec::new();
    for manifest in manifests {
        let key = manifest.key();
        if !is_namespaced(manifest, &namespaced) {
            continue;
        }
        let Some(object) = manifest.object.as_object_mut() else { continue };
        let Some(metadata) = object.entry("metadata").or_insert_with(|| Value::Object(Map::new())).as_object_mut() else { continue };
        match metadata.get("namespace").and_then(Value::as_str) {
            Some(own) if !own.is_empty() && own != namespace.as_str() => warnings.push(
                Diagnostic::warning("render/namespace", format!("{key} stays in namespace `{own}`, which its manifest says"))
                    .because(format!("`{namespace}` was asked for on the command line"))
                    .because(format!("it was read from {}", manifest.source)),
            ),
            _ => drop(metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()))),
        }
    }
    warnings
}

/// Returns the namespaced kinds that definitions in the manifests declare.
fn defined(manifests: &[Manifest]) -> HashSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    manifests
        .iter()
        .filter(|manifest| manifest.object["kind"] == "CustomResourceDefinition" && manifest.object["spec"]["scope"] == "Namespaced")
        .map(|manifest| (text(&manifest.object["spec"]["group"]), text(&manifest.object["spec"]["names"]["kind"])))
        .collect()
}

fn is_namespaced(manifest: &Manifest, defined: &HashSet<(String, String)>) -> bool {
    let key = manifest.key();
    built_in_kind(manifest.api_version(), &key.kind).map_or_else(|| defined.contains(&(key.group, key.kind)), |kind| kind.namespaced)
}
