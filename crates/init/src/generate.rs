//! Manifests for an image that has none.

use devloop_model::Diagnostic;
use serde_json::Value;
use serde_json::json;

use crate::outcome::yaml;

/// Returns a Deployment of an image, and a Service where it has a port.
///
/// # Errors
/// When it cannot be written as YAML.
pub(crate) fn manifests(name: &str, image: &str, port: u16) -> Result<String, Diagnostic> {
    let mut container = json!({"name": name, "image": image});
    let mut objects = Vec::new();
    if port != 0 {
        container["ports"] = json!([{"containerPort": port}]);
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]},
        }));
    }
    objects.push(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }));
    documents(&objects)
}

/// Returns objects as YAML documents.
///
/// # Errors
/// When they cannot be written as YAML.
pub(crate) fn documents(objects: &[Value]) -> Result<String, Diagnostic> {
    let texts = objects.iter().map(yaml).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join("---\n"))
}
