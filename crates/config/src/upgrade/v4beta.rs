//! From `v3` to the latest.

use devloop_model::Diagnostic;

use super::Step;
use super::tree;
use crate::Node;
use crate::Value;

pub(super) const STEPS: [Step; 4] = [
    Step {
        to: "v4beta1",
        change: remote_manifests,
        moves: &[("deploy/kubectl/remoteManifests", "manifests/remoteManifests")],
        ..Step::NONE
    },
    Step { to: "v4beta4", change: verify_containers, ..Step::NONE },
    Step { to: "v4beta5", change: no_push, ..Step::NONE },
    // It was called `false` by mistake.
    Step { to: "v4beta8", moves: &[("deploy/kpt/false", "deploy/kpt/force")], ..Step::NONE },
];

/// Objects of the cluster were names; where they are read from was `deploy.kubeContext`.
fn remote_manifests(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    let context = tree::at(pipeline, "deploy/kubeContext").cloned();
    tree::each(pipeline, "deploy/kubectl/remoteManifests/*", &mut |manifest| {
        let span = manifest.span.clone();
        let name = std::mem::replace(manifest, Node::empty_map(span));
        manifest.set("manifest", name);
        if let Some(context) = &context {
            manifest.set("kubeContext", context.clone());
        }
    });
}

/// A container had every field of Kubernetes; the next version keeps those that it knows.
fn verify_containers(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "verify/*/container", &mut |container| {
        let Value::Map(entries) = &mut container.value else { return };
        let (known, gone) =
            entries.drain(..).partition::<Vec<_>, _>(|(key, _)| matches!(key.text.as_str(), "name" | "image" | "command" | "args" | "env"));
        *entries = known;
        told.extend(gone.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| {
            let what = format!("`{}` of a container of `verify` has no effect since skaffold/v4beta4", key.text);
            let help = "say it by `executionMode.kubernetesCluster.overrides`, with the newest version of the schema";
            Diagnostic::warning("config/no-effect", what).at(key.span.location(None)).help(help)
        }));
    });
}

/// kaniko always pushes.
fn no_push(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/kaniko", &mut |kaniko| {
        let Some((key, value)) = tree::take(kaniko, "noPush") else { return };
        if value.as_bool() != Some(false) {
            let what = "`noPush` has no effect since skaffold/v4beta5: what kaniko builds is pushed";
            told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)).help("leave it out"));
        }
    });
}
