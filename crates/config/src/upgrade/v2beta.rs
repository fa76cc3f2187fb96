//! From `v2alpha4` to `v2beta29`.

use devloop_model::Diagnostic;

use super::Step;
use super::kaniko_flags;
use super::patches::set_path;
use super::tree;
use crate::Node;
use crate::Value;

pub(super) const STEPS: [Step; 7] = [
    Step { to: "v2beta4", moves: &[("deploy/helm/releases/*/values", "deploy/helm/releases/*/artifactOverrides")], ..Step::NONE },
    Step {
        to: "v2beta5",
        moves: &[
            ("build/artifacts/*/buildpack", "build/artifacts/*/buildpacks"),
            ("build/cluster/pullSecret", "build/cluster/pullSecretPath"),
        ],
        ..Step::NONE
    },
    Step { to: "v2beta9", change: auto_sync_and_kaniko_flags, ..Step::NONE },
    Step { to: "v2beta13", change: remote_charts, patch: Some(remote_chart_patches), ..Step::NONE },
    Step { to: "v2beta17", change: secret_destination, ..Step::NONE },
    Step {
        to: "v2beta23",
        change: secret_to_list,
        moves: &[("build/artifacts/*/docker/secret", "build/artifacts/*/docker/secrets")],
        ..Step::NONE
    },
    Step {
        to: "v2beta28",
        change: platforms_of_both,
        moves: &[("build/artifacts/*/ko/platforms", "build/artifacts/*/platforms")],
        ..Step::NONE
    },
];

/// Platforms were told by an artifact and by its builder, for one version.
fn platforms_of_both(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*", &mut |artifact| {
        if artifact.get("platforms").is_none() {
            return;
        }
        if let Some((key, _)) = tree::take(artifact, "ko/platforms") {
            let what = "`platforms` of `ko` has no effect: those of the artifact count";
            told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)));
        }
    });
}

/// `auto` was a mapping that says nothing; kaniko got a field per flag.
fn auto_sync_and_kaniko_flags(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/sync/auto", &mut |auto| auto.value = Value::Bool(true));
    tree::each(pipeline, "build/artifacts/*/kaniko", &mut |kaniko| kaniko_flags::to_fields(kaniko, told));
}

/// Where a chart is was told by `remote`.
fn remote_charts(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "deploy/helm/releases/*", &mut |release| {
        if is_remote(release) {
            tree::shift(release, "chartPath", "remoteChart");
        }
        release.remove("remote");
    });
}

fn is_remote(release: &Node) -> bool {
    release.get("remote").and_then(Node::as_bool).unwrap_or(false)
}

/// Returns the patch of a chart that is remote in `document`.
fn remote_chart_patches(patch: &Node, path: &str, document: &Node) -> Option<Vec<Node>> {
    let release = path.strip_suffix("/chartPath")?;
    document.pointer(&format!("/{release}")).filter(|release| is_remote(release))?;
    let mut patch = patch.clone();
    set_path(&mut patch, "path", &format!("{release}/remoteChart"));
    Some(vec![patch])
}

/// A secret is mounted where the Dockerfile says.
fn secret_destination(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/docker/secret", &mut |secret| {
        if let Some((key, _)) = tree::take(secret, "dst") {
            let what = "`dst` of a secret has no effect since skaffold/v2beta17";
            let help = "write `target=` into `RUN --mount=type=secret` of the Dockerfile";
            told.push(Diagnostic::warning("config/no-effect", what).at(key.span.location(None)).help(help));
        }
    });
}

fn secret_to_list(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/docker/secret", &mut tree::into_list);
}
