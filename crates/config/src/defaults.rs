//! What a configuration means where it says nothing, put into its tree.
//!
//! Values: Skaffold's `pkg/skaffold/schema/defaults/defaults.go` and `pkg/skaffold/constants`.

use devloop_model::KanikoBuild;

use crate::Node;
use crate::Value;

/// The pattern of manifests where a lone configuration names none.
pub(crate) const RAW_YAML: &str = "k8s/*.yaml";

const BUILDERS: [&str; 7] = ["docker", "bazel", "ko", "jib", "kaniko", "buildpacks", "custom"];
const TAGGERS: [&str; 6] = ["gitCommit", "sha256", "envTemplate", "dateTime", "customTemplate", "inputDigest"];
const DEPLOYERS: [&str; 5] = ["docker", "helm", "kpt", "kubectl", "cloudrun"];

/// Fills in what `document` leaves out; `is_alone` says that it is the only one, which then gets manifests and a deployer.
pub(crate) fn fill(document: &mut Node, is_alone: bool) {
    build(map(document, "build"));
    for test in list(document, "test") {
        text(test, "context", ".");
    }
    for forward in list(document, "portForward") {
        port_forward(forward);
    }
    let has_manifests = kustomize(document) | (is_alone && manifests(document));
    deploy(map(document, "deploy"), is_alone, has_manifests);
}

fn build(build: &mut Node) {
    if !has_one(build, &["local", "googleCloudBuild", "cluster"]) {
        map(build, "local");
    }
    if !build.get("tagPolicy").is_some_and(|policy| has_one(policy, &TAGGERS)) {
        let policy = map(build, "tagPolicy");
        map(policy, "gitCommit");
    }
    let in_cluster = build.get("cluster").is_some_and(|cluster| !cluster.is_null());
    if in_cluster {
        cluster(map(build, "cluster"));
    }
    for artifact in list(build, "artifacts") {
        fill_artifact(artifact, in_cluster);
    }
}

fn cluster(cluster: &mut Node) {
    text(cluster, "timeout", "20m");
    text(cluster, "pullSecretMountPath", "/secret");
    if cluster.get("pullSecretPath").is_some_and(|path| !path.is_null()) {
        text(cluster, "pullSecretName", "kaniko-secret");
    }
    if cluster.get("dockerConfig").is_some_and(|config| !config.is_null()) {
        text(map(cluster, "dockerConfig"), "secretName", "docker-cfg");
    }
}

fn fill_artifact(artifact: &mut Node, in_cluster: bool) {
    text(artifact, "context", ".");
    sync(artifact);
    if !has_one(artifact, &BUILDERS) {
        map(artifact, if in_cluster { "kaniko" } else { "docker" });
    }
    if has_one(artifact, &["docker"]) {
        text(map(artifact, "docker"), "dockerfile", "Dockerfile");
    }
    if has_one(artifact, &["kaniko"]) {
        kaniko(map(artifact, "kaniko"));
    }
    if has_one(artifact, &["custom"]) {
        let custom = map(artifact, "custom");
        if !has_one(custom, &["dependencies"]) {
            paths(map(custom, "dependencies"), ".");
        }
    }
    if has_one(artifact, &["buildpacks"]) {
        buildpacks(map(artifact, "buildpacks"));
    }
    for requirement in list(artifact, "requires") {
        let image = requirement.get("image").and_then(Node::as_text).unwrap_or_default().into_owned();
        text(requirement, "alias", &image);
    }
}

/// A sync that names no files takes all of them, or leaves the choice to a builder that has one.
fn sync(artifact: &mut Node) {
    let has_its_own = has_one(artifact, &["jib", "buildpacks"]);
    match artifact.get("sync") {
        Some(sync) if !sync.is_null() => {
            let is_empty = |key| sync.get(key).is_none_or(|value| value.is_null() || value.as_list().is_some_and(<[Node]>::is_empty));
            if !(is_empty("manual") && is_empty("infer") && is_empty("auto")) {
                return;
            }
        }
        _ if has_one(artifact, &["buildpacks"]) => {}
        _ => return,
    }
    let sync = map(artifact, "sync");
    let span = sync.span.clone();
    if has_its_own {
        sync.set("auto", Node::new(Value::Bool(true), span));
    } else {
        sync.set("infer", Node::new(Value::List(vec![Node::text("**/*", span.clone())]), span));
    }
}

fn kaniko(kaniko: &mut Node) {
    text(kaniko, "image", KanikoBuild::IMAGE);
    text(kaniko, "dockerfile", "Dockerfile");
    text(kaniko, "initImage", KanikoBuild::INIT_IMAGE);
    text(kaniko, "digestFile", KanikoBuild::DIGEST_FILE);
    int(kaniko, "copyMaxRetries", 3);
    text(kaniko, "copyTimeout", "5m");
    int(kaniko, "buildContextCompressionLevel", 1);
    if has_one(kaniko, &["cache"]) {
        value(map(kaniko, "cache"), "cacheRunLayers", Value::Bool(true));
    }
}

fn buildpacks(buildpacks: &mut Node) {
    text(buildpacks, "projectDescriptor", "project.toml");
    if !has_one(buildpacks, &["dependencies"]) {
        paths(map(buildpacks, "dependencies"), ".");
    }
    let names_none = buildpacks.get("buildpacks").and_then(Node::as_list).unwrap_or_default().is_empty();
    if names_none && buildpacks.get("builder").and_then(Node::as_text).unwrap_or_default().is_empty() {
        text(buildpacks, "builder", "gcr.io/buildpacks/builder:v1");
        value(buildpacks, "trustBuilder", Value::Bool(true));
    }
}

fn port_forward(forward: &mut Node) {
    text(forward, "address", "127.0.0.1");
    let local = forward.get("localPort").and_then(Node::as_int).unwrap_or_default();
    let port = forward.get("port").and_then(Node::as_int);
    if let (0, Some(port)) = (local, port) {
        let span = forward.span.clone();
        forward.set("localPort", Node::new(Value::Int(port), span));
    }
}

/// Gives `manifests.kustomize` its path; returns whether there is one.
fn kustomize(document: &mut Node) -> bool {
    let Some(kustomize) = document.get_mut("manifests").and_then(|manifests| manifests.get_mut("kustomize")) else { return false };
    if kustomize.as_map().is_none() {
        return false;
    }
    if kustomize.get("paths").and_then(Node::as_list).unwrap_or_default().is_empty() {
        paths(kustomize, ".");
    }
    true
}

/// Gives a lone configuration the default pattern, if nothing else makes or deploys manifests; returns whether it has files of manifests.
fn manifests(document: &mut Node) -> bool {
    let has = |part: &str, key: &str| {
        let value = document.get(part).and_then(|part| part.get(key));
        value.is_some_and(|value| !value.is_null() && !value.as_list().is_some_and(<[Node]>::is_empty))
    };
    if has("manifests", "rawYaml") {
        return true;
    }
    let others = [
        ("manifests", "kpt"),
        ("manifests", "kustomize"),
        ("manifests", "helm"),
        ("deploy", "helm"),
        ("deploy", "docker"),
        ("deploy", "cloudrun"),
    ];
    if others.iter().any(|(part, key)| has(part, key)) {
        return false;
    }
    let manifests = map(document, "manifests");
    let span = manifests.span.clone();
    manifests.set("rawYaml", Node::new(Value::List(vec![Node::text(RAW_YAML, span.clone())]), span));
    true
}

fn deploy(deploy: &mut Node, is_alone: bool, has_manifests: bool) {
    text(map(deploy, "logs"), "prefix", "container");
    let has_none = !has_one(deploy, &DEPLOYERS);
    if (is_alone && has_none) || (has_manifests && !has_one(deploy, &["kubectl", "cloudrun"])) {
        map(deploy, "kubectl");
    }
}

fn has_one(node: &Node, keys: &[&str]) -> bool {
    keys.iter().any(|key| node.get(key).is_some_and(|value| !value.is_null()))
}

/// Returns the mapping at `key`, made if it is not there.
fn map<'n>(node: &'n mut Node, key: &str) -> &'n mut Node {
    let span = node.span.clone();
    if node.get(key).is_none_or(Node::is_null) {
        node.set(key, Node::empty_map(span));
    }
    node.get_mut(key).expect("it was just set, in a mapping whose shape was checked")
}

fn list<'n>(node: &'n mut Node, key: &str) -> impl Iterator<Item = &'n mut Node> {
    let items = match node.get_mut(key).map(|node| &mut node.value) {
        Some(Value::List(items)) => items.as_mut_slice(),
        _ => &mut [],
    };
    items.iter_mut().filter(|item| item.as_map().is_some())
}

fn value(node: &mut Node, key: &str, default: Value) {
    let is_empty = |value: &Node| value.is_null() || value.value == Value::Text(String::new());
    if node.get(key).is_none_or(is_empty) {
        let span = node.span.clone();
        node.set(key, Node::new(default, span));
    }
}

fn text(node: &mut Node, key: &str, default: &str) {
    value(node, key, Value::Text(default.to_owned()));
}

fn int(node: &mut Node, key: &str, default: i64) {
    value(node, key, Value::Int(default));
}

fn paths(dependencies: &mut Node, path: &str) {
    let span = dependencies.span.clone();
    dependencies.set("paths", Node::new(Value::List(vec![Node::text(path, span.clone())]), span));
}
