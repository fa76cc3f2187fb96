//! The namespaces that `apply` puts Deployments into (Skaffold's `pkg/skaffold/inspect/namespaces`).

use std::path::Path;

use devloop_model::Diagnostic;
use serde_json::Value as Json;
use serde_json::json;

use crate::Node;
use crate::load;
use crate::loaded::Loaded;
use crate::parse_documents;

/// The only kind that is looked at, as Go writes it.
const DEPLOYMENT: &str = "apps/v1, Kind=Deployment";

/// Returns name and namespace of each Deployment in a file.
///
/// # Errors
/// When the file cannot be read, or is not YAML.
pub(super) fn of_deployments(modules: &[Loaded], manifests: &Path, cwd: &Path) -> Result<Json, Vec<Diagnostic>> {
    let source = load::read(manifests, cwd).map_err(|error| vec![error])?;
    let default = default_namespace(modules);
    let text = |node: Option<&Node>| node.and_then(Node::as_text).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned);
    let mut found = Vec::new();
    for document in parse_documents(&source)? {
        let is = |key: &str, value: &str| document.get(key).and_then(Node::as_text).is_some_and(|text| text == value);
        if !(is("apiVersion", "apps/v1") && is("kind", "Deployment")) {
            continue;
        }
        let metadata = |key: &str| text(document.get("metadata").and_then(|metadata| metadata.get(key)));
        let namespace = metadata("namespace").unwrap_or_else(|| default.clone());
        found.push(json!({ "name": metadata("name").unwrap_or_default(), "namespace": namespace }));
    }
    let map = if found.is_empty() { json!({}) } else { json!({ DEPLOYMENT: found }) };
    Ok(json!({ "resourceToInfoMap": map }))
}

/// Returns the namespace of objects that name none: a flag of kubectl, else `defaultNamespace`, the last module's of each.
fn default_namespace(modules: &[Loaded]) -> String {
    let kubectls = || modules.iter().filter_map(|loaded| loaded.config.deploy.kubectl.as_ref());
    let flags = kubectls().flat_map(|kubectl| [&kubectl.flags.global, &kubectl.flags.apply]);
    let flag = flags.filter_map(|flags| of_flags(flags)).next_back();
    let mut defaults = kubectls().filter_map(|kubectl| kubectl.default_namespace.clone()).filter(|name| !name.is_empty());
    flag.or_else(|| defaults.next_back()).unwrap_or_else(|| "default".to_owned())
}

fn of_flags(flags: &[String]) -> Option<String> {
    flags.iter().enumerate().find_map(|(index, flag)| match flag.as_str() {
        "-n" | "--namespace" => flags.get(index + 1).cloned(),
        flag => flag.strip_prefix("-n=").or_else(|| flag.strip_prefix("--namespace=")).map(str::to_owned),
    })
}
