//! From `v1` to `v2alpha4`.

use devloop_model::Diagnostic;

use super::Step;
use super::tree;
use crate::Node;

pub(super) const STEPS: [Step; 2] = [
    Step {
        to: "v2alpha2",
        change: kaniko_context,
        moves: &[("build/artifacts/*/kaniko/buildContext/localDir/initImage", "build/artifacts/*/kaniko/initImage")],
        ..Step::NONE
    },
    Step { to: "v2alpha3", change: several_kustomizations, moves: &[("deploy/kustomize/path", "deploy/kustomize/paths")], ..Step::NONE },
];

/// The context is sent to the pod, not laid into a bucket.
fn kaniko_context(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/kaniko", &mut |kaniko| {
        tree::shift(kaniko, "buildContext/localDir/initImage", "initImage");
        if let Some((key, _)) = tree::take(kaniko, "buildContext/gcsBucket") {
            let what = "`gcsBucket` has no effect since skaffold/v2alpha2: the context is sent to the pod";
            told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)));
        }
        kaniko.remove("buildContext");
    });
}

/// There was one path; and builders are pulled if they are newer, whatever `forcePull` says.
fn several_kustomizations(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "deploy/kustomize/path", &mut tree::into_list);
    tree::each(pipeline, "build/artifacts/*/buildpack", &mut |buildpack| {
        if let Some((key, _)) = tree::take(buildpack, "forcePull").filter(|(_, value)| value.as_bool() == Some(false)) {
            let what = "`forcePull: false` has no effect since skaffold/v2alpha3: a builder is pulled if it is newer";
            told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)));
        }
    });
}
