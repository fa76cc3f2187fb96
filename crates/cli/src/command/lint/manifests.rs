//! What manifests say of labels and ports.

use std::collections::BTreeSet;

use devloop_config::Node;
use devloop_config::Source;
use devloop_model::Module;
use devloop_model::RenderSpec;
use devloop_model::Vars;
use devloop_render::RenderJob;
use serde_json::json;

use super::Finding;
use super::Kind;
use super::Rule;
use super::documents;
use super::read;
use crate::pipeline::Pipeline;

/// The label that says which tool looks after an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The first local port that is proposed for one that only root may listen at (as in Skaffold).
const FIRST_FREE: u64 = 32581;
/// The last port that there is.
const LAST_PORT: u64 = 65535;

const STATIC_PORT: Rule = Rule {
    number: 2,
    kind: Kind::Yaml,
    template: "ports of this configuration are forwarded to whatever local port is free. To have the same ones in every session, \
               add:\n{{.PortForward}}",
    filter: || json!({ "Filter": { "Name": "portForward" }, "FieldMatch": "", "InvertMatch": true }),
};

const LABEL: Rule = Rule {
    number: 6,
    kind: Kind::Yaml,
    template: "`app.kubernetes.io/managed-by` says which tool looks after an object, and Skaffold writes its own name over it: take it out",
    filter: || json!({ "Filter": { "Path": ["metadata", "labels"] }, "FieldMatch": MANAGED_BY, "InvertMatch": false }),
};

/// Looks for labels in the manifests of all modules, each file once.
pub(super) fn labels(pipeline: &Pipeline) -> Vec<Finding> {
    let modules = &pipeline.session.plan.modules;
    let mut found = Vec::new();
    let files: BTreeSet<_> = modules.iter().flat_map(|module| files(pipeline, module)).collect();
    for source in files.iter().filter_map(|file| read(file).ok()) {
        for document in documents(&source) {
            let labels = document.get("metadata").and_then(|metadata| metadata.get("labels"));
            if let Some((key, _)) = labels.and_then(|labels| labels.entry(MANAGED_BY)) {
                found.push(Finding::at(&LABEL, &source, key.span.line, key.span.column, LABEL.template.to_owned()));
            }
        }
    }
    found
}

/// Looks for ports in the manifests of a document that forwards none.
pub(super) fn ports(pipeline: &Pipeline, module: &Module, document: &Node, source: &Source) -> Option<Finding> {
    if document.get("manifests").is_none() || document.get("portForward").is_some() {
        return None;
    }
    let mut taken = BTreeSet::new();
    let mut stanza = vec!["portForward:".to_owned()];
    for manifest in files(pipeline, module).iter().filter_map(|file| read(file).ok()) {
        for (kind, name, port) in documents(&manifest).iter().flat_map(container_ports) {
            let usual = Some(port).filter(|port| *port >= 1024);
            let local = usual.into_iter().chain(FIRST_FREE..=LAST_PORT).find(|local| !taken.contains(local)).unwrap_or(port);
            taken.insert(local);
            stanza.push(format!("- resourceType: {kind}\n  resourceName: {name}\n  port: {port}\n  localPort: {local}"));
        }
    }
    // What is missing is missing at the end.
    let line = source.text.matches('\n').count() + 1;
    let explanation = STATIC_PORT.template.replace("{{.PortForward}}", &stanza.join("\n"));
    (!taken.is_empty()).then(|| Finding::at(&STATIC_PORT, source, line, 1, explanation))
}

/// Returns kind, name and port for each port of a Pod or a Deployment.
fn container_ports(object: &Node) -> Vec<(String, String, u64)> {
    let json = object.to_json();
    let (kind, spec) = match json["kind"].as_str() {
        Some("Pod") => ("pod", &json["spec"]),
        Some("Deployment") => ("deployment", &json["spec"]["template"]["spec"]),
        _ => return Vec::new(),
    };
    let name = json["metadata"]["name"].as_str().unwrap_or_default();
    let containers = spec["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    ports.filter_map(|port| Some((kind.to_owned(), name.to_owned(), port["containerPort"].as_u64()?))).collect()
}

/// Returns the files that `rawYaml` of a module names.
fn files(pipeline: &Pipeline, module: &Module) -> BTreeSet<std::path::PathBuf> {
    let RenderSpec { dir, raw_yaml, .. } = &module.render;
    let spec = RenderSpec { dir: dir.clone(), raw_yaml: raw_yaml.clone(), ..RenderSpec::default() };
    let job = RenderJob { modules: vec![spec], vars: Vars::from_env(&pipeline.session.env), ..RenderJob::default() };
    devloop_render::sources(&job, []).files
}
