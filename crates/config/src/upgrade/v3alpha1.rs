//! From `v2beta29` to `v3alpha1`, where rendering and deploying were told apart.
//!
//! Facts: Skaffold's `pkg/skaffold/schema/v2beta29/upgrade.go`.

use devloop_model::Diagnostic;

use super::NO_UPGRADE;
use super::Step;
use super::image_strategy::ImageStrategy;
use super::image_strategy::value_templates;
use super::patches::set_path;
use super::tree;
use crate::Node;
use crate::Value;

pub(super) const STEPS: [Step; 1] = [Step {
    to: "v3alpha1",
    change: split_deploy,
    moves: &[
        ("deploy/kubectl/manifests", "manifests/rawYaml"),
        ("deploy/kustomize/paths", "manifests/kustomize/paths"),
        ("deploy/kustomize/buildArgs", "manifests/kustomize/buildArgs"),
        ("deploy/kustomize/flags", "deploy/kubectl/flags"),
        ("deploy/kustomize/hooks", "deploy/kubectl/hooks"),
        ("deploy/kustomize/defaultNamespace", "deploy/kubectl/defaultNamespace"),
        ("deploy/helm/releases/*/artifactOverrides", "deploy/helm/releases/*/setValueTemplates"),
    ],
    // A release counts for both: it is rendered by one of them and deployed by the other.
    copies: &[("deploy/helm/releases", "manifests/helm/releases"), ("deploy/helm/flags", "manifests/helm/flags")],
    patch: Some(override_patches),
}];

fn split_deploy(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "deploy/helm/releases/*", &mut release);
    kustomize(pipeline, told);
    if let Some((key, kpt)) = tree::take(pipeline, "deploy/kpt") {
        let what = "`deploy.kpt` of skaffold/v2beta29 and older has nothing that took its place";
        // A profile that nobody uses may have it. What is left says that it was there, to whom it matters.
        let warning = Diagnostic::warning(NO_UPGRADE, what).at(key.span.location(None));
        told.push(warning.help("render with `manifests.kustomize` or `manifests.rawYaml`"));
        tree::set(pipeline, "deploy/kpt", &key.span, Node::empty_map(kpt.span));
    }
}

/// Says what artifacts set in a chart as templates.
fn release(release: &mut Node) {
    let strategy = strategy(release);
    release.remove("imageStrategy");
    let Some((key, overrides)) = tree::take(release, "artifactOverrides") else { return };
    if tree::at(release, "setValueTemplates").is_none() {
        tree::set(release, "setValueTemplates", &key.span, Node::empty_map(overrides.span.clone()));
    }
    let Some(templates) = tree::at(release, "setValueTemplates") else { return };
    for (name, artifact) in flattened("", &overrides) {
        for (name, template) in value_templates(&name, &artifact.as_text().unwrap_or_default(), strategy) {
            templates.set(&name, Node::text(template, artifact.span.clone()));
        }
    }
}

fn strategy(release: &Node) -> ImageStrategy {
    let Some(helm) = release.pointer("/imageStrategy/helm").filter(|helm| !helm.is_null()) else { return ImageStrategy::FullyQualified };
    let is_explicit = helm.get("explicitRegistry").and_then(Node::as_bool).unwrap_or(false);
    if is_explicit { ImageStrategy::ExplicitRegistry } else { ImageStrategy::Helm }
}

/// Returns nested values by their path: `image.tag`.
fn flattened<'a>(name: &str, node: &'a Node) -> Vec<(String, &'a Node)> {
    let Some(entries) = node.as_map() else { return vec![(name.to_owned(), node)] };
    let name = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    entries.iter().flat_map(|(key, value)| flattened(&name(&key.text), value)).collect()
}

/// What kustomize renders, kubectl deploys.
fn kustomize(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    let Some((key, mut kustomize)) = tree::take(pipeline, "deploy/kustomize") else { return };
    let mut rendered = Node::empty_map(kustomize.span.clone());
    for field in ["paths", "buildArgs"] {
        if let Some((key, value)) = tree::take(&mut kustomize, field) {
            tree::set(&mut rendered, field, &key.span, value);
        }
    }
    tree::set(pipeline, "manifests/kustomize", &key.span, rendered);
    match tree::at(pipeline, "deploy/kubectl") {
        Some(kubectl) => merge(kubectl, kustomize, told),
        None => tree::set(pipeline, "deploy/kubectl", &key.span, kustomize),
    }
}

/// Adds to lists of `into` those of `from`; other values have to be the same in both.
fn merge(into: &mut Node, from: Node, told: &mut Vec<Diagnostic>) {
    let Value::Map(entries) = from.value else { return };
    for (key, value) in entries.into_iter().filter(|(_, value)| !value.is_null()) {
        match (into.get_mut(&key.text), value.value) {
            (Some(Node { value: Value::List(all), .. }), Value::List(more)) => all.extend(more),
            (Some(inner @ Node { value: Value::Map(_), .. }), value @ Value::Map(_)) => merge(inner, Node::new(value, key.span), told),
            (Some(one), other) if !one.is_null() => {
                if one.value != other {
                    let what = format!("`{}` of `deploy.kustomize` and of `deploy.kubectl` differ", key.text);
                    let error = key.span.error("config/no-upgrade", what);
                    told.push(error.because("kubectl deploys what both render").help("write the same into both"));
                }
            }
            (_, other) => tree::set(into, &key.text.clone(), &key.span, Node::new(other, value.span)),
        }
    }
}

/// Returns what sets the templates of an artifact that `patch` sets in a chart: as many as the release in `document` has for it.
fn override_patches(patch: &Node, path: &str, document: &Node) -> Option<Vec<Node>> {
    let (release, name) = path.split_once("/artifactOverrides/")?;
    if !release.starts_with("deploy/helm/releases/") {
        return None;
    }
    let strategy = document.pointer(&format!("/{release}")).map_or(ImageStrategy::FullyQualified, strategy);
    let artifact = patch.get("value");
    let templates = value_templates(&name.replace('/', "."), &artifact.and_then(Node::as_text).unwrap_or_default(), strategy);
    let patches = templates.into_iter().map(|(name, template)| {
        let mut patch = patch.clone();
        set_path(&mut patch, "path", &format!("{release}/setValueTemplates/{name}"));
        if let Some(artifact) = artifact {
            patch.set("value", Node::text(template, artifact.span.clone()));
        }
        patch
    });
    Some(patches.collect())
}
