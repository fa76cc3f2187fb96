//! Older versions of the schema to the latest, on trees, so that places survive.
//!
//! What changed from one version to the next: Skaffold's `docs-v2/content/en/schemas/v4beta*.json` and `pkg/skaffold/schema/v4beta*/upgrade.go`.

#[cfg_attr(not(test), expect(dead_code, reason = "the schemas that have these fields are not read yet"))]
mod image_strategy;

use devloop_model::Diagnostic;
use devloop_model::nearest;

use crate::Node;
use crate::Value;

/// The oldest `v4beta` that is read.
pub(crate) const OLDEST: u32 = 1;
/// The `v4beta` that the types are.
pub(crate) const LATEST: u32 = 14;

/// Versions before `v4beta1`: how their names start, and the last number (0 for a name without one).
const OLDER: [(&str, u32); 7] = [("v1alpha", 5), ("v1beta", 17), ("v1", 0), ("v2alpha", 4), ("v2beta", 29), ("v3alpha", 1), ("v3", 0)];

/// Changes one pipeline: a document, or a profile of it.
type Step = fn(&mut Node);

/// Changes from one version to the next, where there is more than new fields, by the version that they lead to.
const STEPS: [(u32, Step); 3] = [(4, to_v4beta4), (5, to_v4beta5), (8, to_v4beta8)];

/// Returns the full name of a version.
pub(crate) fn name(version: u32) -> String {
    format!("skaffold/v4beta{version}")
}

/// Returns the number of a version that can be read.
pub(crate) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("skaffold/v4beta")?;
    let number = digits.parse().ok().filter(|number| (OLDEST..=LATEST).contains(number))?;
    (self::name(number) == name).then_some(number)
}

/// Returns the version that a document says it is written for.
///
/// # Errors
/// When it is no mapping, or says none, or one that cannot be read.
pub(crate) fn version(document: &Node) -> Result<u32, Diagnostic> {
    let Some(entries) = document.as_map() else {
        let what = format!("a configuration is a mapping, not {}", document.kind());
        return Err(document.span.error("config/not-a-mapping", what).help(starts_with()));
    };
    let Some(node) = document.get("apiVersion").filter(|node| !node.is_null()) else {
        let span = entries.first().map_or(&document.span, |(key, _)| &key.span);
        return Err(span.error("config/no-api-version", "this configuration has no `apiVersion`").help(starts_with()));
    };
    let Some(text) = node.as_text() else {
        return Err(node.span.error("config/wrong-type", format!("`apiVersion` takes text, not {}", node.kind())));
    };
    number(&text).ok_or_else(|| unreadable(&text, node, document))
}

/// Changes a document of an older version into one of the latest.
pub(crate) fn upgrade(document: &mut Node, from: u32) {
    for (_, step) in STEPS.iter().filter(|(to, _)| *to > from) {
        for_each_pipeline(document, *step);
    }
    if from != LATEST
        && let Some(node) = document.get_mut("apiVersion")
    {
        *node = Node::text(name(LATEST), node.span.clone());
    }
}

/// Returns what took the place of a field that older versions had.
pub(crate) fn successor(field: &str) -> Option<&'static str> {
    Some(match field {
        "kustomize" => "`manifests.kustomize`",
        "artifactOverrides" | "values" => "`setValueTemplates`, with `{{.IMAGE_FULLY_QUALIFIED_name}}` for an image",
        "imageStrategy" => "`setValueTemplates`, with `{{.IMAGE_REPO_name}}` and `{{.IMAGE_TAG_name}}` for an image",
        "manifests" => "`manifests.rawYaml`, at the top of the file",
        "jibMaven" | "jibGradle" => "`jib`",
        "buildpack" => "`buildpacks`",
        "imageName" => "`image`",
        "workspace" => "`context`",
        "dockerfilePath" => "`dockerfile`",
        "skipPush" => "`push`, the other way round",
        "noPush" => "nothing: kaniko always pushes",
        _ => return None,
    })
}

fn starts_with() -> String {
    format!("start it with `apiVersion: {}` and `kind: Config`", name(LATEST))
}

fn unreadable(text: &str, node: &Node, document: &Node) -> Diagnostic {
    let readable = format!("this version of devloop reads {} to v4beta{LATEST}", name(OLDEST));
    if let Some(older) = text.strip_prefix("skaffold/").filter(|older| is_older(older)) {
        let what = format!("`{text}` is too old");
        let help = format!(
            "upgrade the file with `skaffold fix --overwrite`, or write `apiVersion: {}` and see what has changed since {older}",
            name(LATEST)
        );
        return Diagnostic::error("config/old-api-version", what).at(node.span.location(readable)).help(help);
    }
    if text.strip_prefix("skaffold/v4beta").and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > LATEST) {
        let what = format!("`{text}` is newer than this version of devloop");
        let error = Diagnostic::error("config/newer-api-version", what).at(node.span.location(readable));
        return error.help(format!("write `apiVersion: {}` if the file uses nothing newer", name(LATEST)));
    }
    let what = format!("there is no version `{text}` of this schema");
    let error = Diagnostic::error("config/unknown-api-version", what).at(node.span.location(readable));
    let is_manifest = document.get("kind").is_some_and(|kind| kind.as_text().is_some_and(|kind| kind != "Config"));
    if is_manifest && !text.starts_with("skaffold") {
        return error.help("this looks like a Kubernetes manifest: name it in `manifests.rawYaml` of a skaffold.yaml");
    }
    let names: Vec<String> = (OLDEST..=LATEST).map(name).collect();
    let names: Vec<&str> = names.iter().rev().map(String::as_str).collect();
    let near = nearest(text, &names).unwrap_or(names[0]);
    error.help(format!("did you mean `{near}`?"))
}

fn is_older(version: &str) -> bool {
    OLDER.iter().any(|(stem, last)| match version.strip_prefix(stem) {
        Some("") => *last == 0,
        Some(number) => number.parse::<u32>().is_ok_and(|number| (1..=*last).contains(&number)),
        None => false,
    })
}

fn for_each_pipeline(document: &mut Node, step: Step) {
    step(document);
    if let Some(Value::List(profiles)) = document.get_mut("profiles").map(|profiles| &mut profiles.value) {
        profiles.iter_mut().for_each(step);
    }
}

/// Of a container in `verify`, which had every field of Kubernetes, the next version keeps those that it knows.
fn to_v4beta4(pipeline: &mut Node) {
    let Some(Value::List(tests)) = pipeline.get_mut("verify").map(|tests| &mut tests.value) else { return };
    for container in tests.iter_mut().filter_map(|test| test.get_mut("container")) {
        if let Value::Map(entries) = &mut container.value {
            entries.retain(|(key, _)| matches!(key.text.as_str(), "name" | "image" | "command" | "args" | "env"));
        }
    }
}

/// `noPush` of kaniko went away.
fn to_v4beta5(pipeline: &mut Node) {
    let artifacts = pipeline.get_mut("build").and_then(|build| build.get_mut("artifacts")).map(|artifacts| &mut artifacts.value);
    let Some(Value::List(artifacts)) = artifacts else { return };
    for kaniko in artifacts.iter_mut().filter_map(|artifact| artifact.get_mut("kaniko")) {
        kaniko.remove("noPush");
    }
}

/// `force` of kpt was called `false` by mistake.
fn to_v4beta8(pipeline: &mut Node) {
    let Some(kpt) = pipeline.get_mut("deploy").and_then(|deploy| deploy.get_mut("kpt")) else { return };
    if let Value::Map(entries) = &mut kpt.value {
        for (key, _) in entries.iter_mut().filter(|(key, _)| key.text == "false") {
            "force".clone_into(&mut key.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use crate::parse_documents;

    fn parse(text: &str) -> Node {
        parse_documents(&Source::new("skaffold.yaml", text)).unwrap().remove(0)
    }

    #[test]
    fn each_step_changes_what_its_version_changed() {
        let profile = |body: &str| format!("apiVersion: skaffold/v4beta1\n{body}\nprofiles:\n- name: p\n  {body}");
        for (from, body, expected) in [
            (
                3,
                "verify: [{name: a, container: {name: c, image: i, stdin: true}}]",
                r#"[{"name":"a","container":{"name":"c","image":"i"}}]"#,
            ),
            (4, "verify: [{name: a, container: {name: c, stdin: true}}]", r#"[{"name":"a","container":{"name":"c","stdin":true}}]"#),
            (
                4,
                "build: {artifacts: [{image: a, kaniko: {noPush: true, force: true}}]}",
                r#"{"artifacts":[{"image":"a","kaniko":{"force":true}}]}"#,
            ),
            (5, "build: {artifacts: [{image: a, kaniko: {noPush: true}}]}", r#"{"artifacts":[{"image":"a","kaniko":{"noPush":true}}]}"#),
            (7, "deploy: {kpt: {false: true}}", r#"{"kpt":{"force":true}}"#),
            (8, "deploy: {kpt: {false: true}}", r#"{"kpt":{"false":true}}"#),
        ] {
            let mut document = parse(&profile(body));
            upgrade(&mut document, from);
            let json = document.to_json();
            let field = body.split(':').next().unwrap();
            assert_eq!(json[field].to_string(), expected, "{body} from {from}");
            assert_eq!(json["profiles"][0][field].to_string(), expected, "{body} of a profile from {from}");
            assert_eq!(json["apiVersion"], "skaffold/v4beta14");
        }
    }

    #[test]
    fn versions_are_told_apart() {
        for (text, code) in [
            ("skaffold/v4beta1", ""),
            ("skaffold/v4beta14", ""),
            ("skaffold/v4beta15", "config/newer-api-version"),
            ("skaffold/v4beta0", "config/unknown-api-version"),
            ("skaffold/v4beta01", "config/unknown-api-version"),
            ("skaffold/v4beta", "config/unknown-api-version"),
            ("v4beta14", "config/unknown-api-version"),
            ("skaffold/v1", "config/old-api-version"),
            ("skaffold/v1alpha5", "config/old-api-version"),
            ("skaffold/v1beta18", "config/unknown-api-version"),
            ("skaffold/v2beta29", "config/old-api-version"),
            ("skaffold/v3", "config/old-api-version"),
            ("~", "config/no-api-version"),
            ("[]", "config/wrong-type"),
        ] {
            let found = version(&parse(&format!("apiVersion: {text}\n"))).err().map_or(String::new(), |fault| fault.code.into_owned());
            assert_eq!(found, code, "{text}");
        }
    }
}
