//! From `v1beta1` to `v1`.

use devloop_model::Diagnostic;

use super::Step;
use super::sync_map;
use super::tree;
use crate::Node;
use crate::Value;

pub(super) const STEPS: [Step; 4] = [
    Step {
        to: "v1beta7",
        change: kaniko_of_each_artifact,
        moves: &[
            ("build/kaniko/dockerConfig", "build/cluster/dockerConfig"),
            ("build/kaniko/namespace", "build/cluster/namespace"),
            ("build/kaniko/pullSecret", "build/cluster/pullSecret"),
            ("build/kaniko/pullSecretName", "build/cluster/pullSecretName"),
            ("build/kaniko/timeout", "build/cluster/timeout"),
        ],
        ..Step::NONE
    },
    Step { to: "v1beta9", change: plugins, ..Step::NONE },
    Step { to: "v1beta10", change: sync_rules, ..Step::NONE },
    Step {
        to: "v1beta14",
        change: jib,
        moves: &[
            ("build/artifacts/*/jibMaven/module", "build/artifacts/*/jibMaven/project"),
            ("build/artifacts/*/jibMaven", "build/artifacts/*/jib"),
            ("build/artifacts/*/jibGradle", "build/artifacts/*/jib"),
        ],
        ..Step::NONE
    },
];

/// kaniko was said once for all artifacts; what it takes of the cluster is said apart from it since.
fn kaniko_of_each_artifact(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    let Some((key, mut kaniko)) = tree::take(pipeline, "build/kaniko") else { return };
    let mut cluster = Node::empty_map(kaniko.span.clone());
    for field in ["dockerConfig", "namespace", "pullSecret", "pullSecretName", "timeout"] {
        if let Some((key, value)) = tree::take(&mut kaniko, field) {
            tree::set(&mut cluster, field, &key.span, value);
        }
    }
    tree::set(pipeline, "build/cluster", &key.span, cluster);
    tree::each(pipeline, "build/artifacts/*", &mut |artifact| {
        // What kaniko did not build keeps its builder, for the plan to judge.
        if ["bazel", "jibGradle", "jibMaven", "plugin"].iter().any(|builder| tree::at(artifact, builder).is_some()) {
            return;
        }
        let mut own = kaniko.clone();
        // Its Dockerfile was said as that of every other builder.
        for field in ["dockerfile", "target", "buildArgs"] {
            if let Some((key, value)) = tree::take(artifact, &format!("docker/{field}")) {
                tree::set(&mut own, field, &key.span, value);
            }
        }
        artifact.remove("docker");
        tree::set(artifact, "kaniko", &key.span, own);
    });
}

/// Builders and places to build at were plugins with properties.
fn plugins(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*", &mut |artifact| unplug(artifact, "plugin", &["bazel", "docker"]));
    tree::each(pipeline, "build", &mut |build| unplug(build, "executionEnvironment", &["googleCloudBuild", "local"]));
}

/// Sets the properties of a plugin as the field that has its name.
fn unplug(node: &mut Node, field: &str, known: &[&str]) {
    let name = node.pointer(&format!("/{field}/name")).and_then(Node::as_text).unwrap_or_default().into_owned();
    if !known.contains(&name.as_str()) {
        return;
    }
    let Some((key, mut plugin)) = tree::take(node, field) else { return };
    let properties = tree::take(&mut plugin, "properties").map_or_else(|| Node::empty_map(plugin.span.clone()), |(_, value)| value);
    tree::set(node, &name, &key.span, properties);
}

fn sync_rules(pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
    tree::each(pipeline, "build/artifacts/*/sync", &mut |sync| sync_map::to_rules(sync, told));
}

/// What built by Maven and what built by Gradle became one builder with a type.
fn jib(pipeline: &mut Node, _: &mut Vec<Diagnostic>) {
    for (field, kind) in [("jibMaven", "maven"), ("jibGradle", "gradle")] {
        tree::each(pipeline, &format!("build/artifacts/*/{field}"), &mut |jib| {
            jib.set("type", Node::text(kind, jib.span.clone()));
            if let Some((_, profile)) = tree::take(jib, "profile") {
                activate(jib, profile);
            }
        });
    }
}

/// Adds a profile of Maven to the arguments.
fn activate(jib: &mut Node, profile: Node) {
    let flag = Node::text("--activate-profiles", profile.span.clone());
    if let Some(Node { value: Value::List(args), .. }) = tree::at(jib, "args") {
        args.extend([flag, profile]);
    } else {
        let span = profile.span.clone();
        jib.set("args", Node::new(Value::List(vec![flag, profile]), span));
    }
}
