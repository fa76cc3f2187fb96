//! From `v1alpha1` to `v1alpha5`.

use devloop_model::Diagnostic;

use super::Step;
use super::tree;
use crate::Key;
use crate::Node;
use crate::Value;

pub(super) const STEPS: [Step; 3] = [
    Step {
        to: "v1alpha2",
        change: structures,
        moves: &[
            ("build/artifacts/*/dockerfilePath", "build/artifacts/*/docker/dockerfilePath"),
            ("build/artifacts/*/buildArgs", "build/artifacts/*/docker/buildArgs"),
        ],
        ..Step::NONE
    },
    Step {
        to: "v1alpha3",
        change: several_files_of_values,
        moves: &[
            ("deploy/helm/releases/*/valuesFilePath", "deploy/helm/releases/*/valuesFiles"),
            ("build/kaniko/gcsBucket", "build/kaniko/buildContext/gcsBucket"),
        ],
        ..Step::NONE
    },
    Step {
        to: "v1alpha4",
        change: push_for_skip_push,
        moves: &[
            ("build/artifacts/*/imageName", "build/artifacts/*/image"),
            ("build/artifacts/*/workspace", "build/artifacts/*/context"),
            ("build/artifacts/*/docker/dockerfilePath", "build/artifacts/*/docker/dockerfile"),
            ("build/local/skipPush", "build/local/push"),
            ("deploy/kustomize/kustomizePath", "deploy/kustomize/path"),
        ],
        ..Step::NONE
    },
];

/// A tag policy was a name, and manifests had parameters; the deployment had a name that nothing used.
fn structures(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/tagPolicy", &mut |policy| {
        let Some(name) = policy.as_text().map(std::borrow::Cow::into_owned) else { return };
        if !matches!(name.as_str(), "gitCommit" | "sha256") {
            let error = policy.span.error("config/no-upgrade", format!("skaffold/v1alpha1 has no tag policy `{name}`"));
            told.push(error.help("use `gitCommit` or `sha256`, or a newer `apiVersion`"));
            *policy = Node::empty_map(policy.span.clone());
            return;
        }
        let key = Key { text: name, span: policy.span.clone() };
        *policy = Node::new(Value::Map(vec![(key, Node::empty_map(policy.span.clone()))]), policy.span.clone());
    });
    tree::each(pipeline, "deploy/kubectl/manifests", &mut |manifests| {
        let Value::List(items) = &mut manifests.value else { return };
        *items = items.drain(..).flat_map(|mut manifest| paths(&mut manifest, told)).collect();
    });
    tree::take(pipeline, "deploy/name");
}

fn paths(manifest: &mut Node, told: &mut Vec<Diagnostic>) -> Vec<Node> {
    if let Some((key, _)) = tree::take(manifest, "parameters") {
        let what = "`parameters` of manifests have no effect since skaffold/v1alpha2";
        told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)));
    }
    match tree::take(manifest, "paths") {
        Some((_, Node { value: Value::List(paths), .. })) => paths,
        _ => Vec::new(),
    }
}

fn several_files_of_values(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "deploy/helm/releases/*/valuesFilePath", &mut tree::into_list);
}

fn push_for_skip_push(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/local/skipPush", &mut |skip| {
        if let Some(skips) = skip.as_bool() {
            *skip = Node::new(Value::Bool(!skips), skip.span.clone());
        }
    });
}
