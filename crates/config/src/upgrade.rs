//! Older versions of the schema to the latest, on trees, so that places survive.
//!
//! What changed from one version to the next: Skaffold's `docs-v2/content/en/schemas` and `pkg/skaffold/schema/v*/upgrade.go`.

mod difference;
mod image_strategy;
mod kaniko_flags;
mod patches;
mod sync_map;
mod tree;
mod v1alpha;
mod v1beta;
mod v2alpha;
mod v2beta;
mod v3alpha1;
mod v4beta;
mod version;

use devloop_model::Diagnostic;
use devloop_model::nearest;

pub use self::version::NEWEST_OF_SKAFFOLD;
pub(crate) use self::version::Version;
use crate::Node;
use crate::Value;

/// What is said of text that has no place in a newer version.
pub(crate) const NO_UPGRADE: &str = "config/no-upgrade";

/// What changes from one version to the next, where there is more than new fields.
struct Step {
    /// The version that it leads to.
    to: &'static str,
    /// Changes one pipeline, a document or a profile, that has the shape of the version before.
    change: fn(&mut Node, &mut Vec<Diagnostic>),
    /// Fields that are at another place after `change`: from where to where.
    moves: &'static [(&'static str, &'static str)],
    /// Fields that are at another place too.
    copies: &'static [(&'static str, &'static str)],
    /// Returns what takes the place of a JSON patch of a path (without its first `/`), where it is more than `moves` say.
    patch: Option<UpgradePatch>,
}

/// From a patch, its path and its document, which is not upgraded yet.
type UpgradePatch = fn(&Node, &str, &Node) -> Option<Vec<Node>>;

/// All steps, oldest first.
const STEPS: [&[Step]; 6] = [&v1alpha::STEPS, &v1beta::STEPS, &v2alpha::STEPS, &v2beta::STEPS, &v3alpha1::STEPS, &v4beta::STEPS];

impl Step {
    /// Changes nothing.
    const NONE: Self = Self { to: "", change: |_, _| {}, moves: &[], copies: &[], patch: None };

    fn apply(&self, pipeline: &mut Node, told: &mut Vec<Diagnostic>) {
        (self.change)(pipeline, told);
        self.moves.iter().for_each(|(from, to)| tree::shift(pipeline, from, to));
        self.copies.iter().for_each(|(from, to)| tree::copy(pipeline, from, to));
    }

    fn apply_to_all(&self, document: &mut Node, told: &mut Vec<Diagnostic>) {
        let mut profiles = document.get("profiles").cloned();
        if let Some(Value::List(profiles)) = profiles.as_mut().map(|profiles| &mut profiles.value) {
            for profile in profiles {
                patches::upgrade(profile, self, document, told);
                self.apply(profile, told);
            }
        }
        self.apply(document, told);
        if let Some(profiles) = profiles {
            document.set("profiles", profiles);
        }
    }
}

/// Returns the version that a document says it is written for.
///
/// # Errors
/// When it is no mapping, or says none, or one that cannot be read.
pub(crate) fn version(document: &Node) -> Result<Version, Diagnostic> {
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
    Version::of_name(&text).ok_or_else(|| unreadable(&text, node, document))
}

/// Changes a document that has the shape of `from` into one of `to`, which is not older; returns what there is to say about that.
pub(crate) fn upgrade(document: &mut Node, from: Version, to: Version) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    let is_between = |step: &&Step| Version::of_short(step.to).is_some_and(|version| from < version && version <= to);
    for step in STEPS.into_iter().flatten().filter(is_between) {
        step.apply_to_all(document, &mut told);
    }
    if from != to
        && let Some(node) = document.get_mut("apiVersion")
    {
        *node = Node::text(to.to_string(), node.span.clone());
    }
    told
}

/// Returns what became of a field that versions before `version` had, to follow "older versions of the schema had it".
pub(crate) fn successor(field: &str, version: Version) -> Option<&'static str> {
    let is_before = |name| Version::of_short(name).is_some_and(|named| version < named);
    Some(match field {
        "kustomizePath" if is_before("v2alpha3") => "now it is `path`",
        "kustomizePath" | "path" if is_before("v3alpha1") => "now it is `paths`",
        "values" if is_before("v3alpha1") => "now it is `artifactOverrides`",
        "kustomize" => "now it is `manifests.kustomize`",
        "artifactOverrides" | "values" => "now it is `setValueTemplates`, with `{{.IMAGE_FULLY_QUALIFIED_name}}` for an image",
        "imageStrategy" => "now it is `setValueTemplates`, with `{{.IMAGE_REPO_name}}` and `{{.IMAGE_TAG_name}}` for an image",
        "manifests" => "now it is `manifests.rawYaml`, at the top of the file",
        "jibMaven" | "jibGradle" => "now it is `jib`",
        "buildpack" => "now it is `buildpacks`",
        "imageName" => "now it is `image`",
        "workspace" => "now it is `context`",
        "dockerfilePath" => "now it is `dockerfile`",
        "skipPush" => "now it is `push`, the other way round",
        "acr" => "nothing took its place: build with `local`, `cluster` or `googleCloudBuild`",
        "kaniko" => "now it is `kaniko` of each artifact, and `cluster` for the pods",
        "plugin" => "now it is a field per builder, `docker` or `bazel`",
        "executionEnvironment" => "now it is `local` or `googleCloudBuild`",
        "kustomizePath" => "now it is `manifests.kustomize.paths`",
        "valuesFilePath" => "now it is `valuesFiles`",
        "remote" => "now it is `remoteChart` instead of `chartPath`",
        "flags" => "now it is a field per flag of kaniko",
        "secret" => "now it is `secrets`, a list",
        "dst" => "nothing took its place: write `target=` into `RUN --mount=type=secret` of the Dockerfile",
        "buildContext" | "gcsBucket" => "nothing took its place: the context is sent to the pod",
        "pullSecret" => "now it is `pullSecretPath`",
        "noPush" => "nothing took its place: kaniko always pushes",
        "stdin" | "tty" | "workingDir" | "imagePullPolicy" | "envFrom" | "securityContext" => {
            "now it is said by `executionMode.kubernetesCluster.overrides`"
        }
        pattern if pattern.contains('*') => "now it is a rule of `manual`, with `src` and `dest`",
        _ => return None,
    })
}

fn starts_with() -> String {
    format!("start it with `apiVersion: {}` and `kind: Config`", Version::SKAFFOLD)
}

fn unreadable(text: &str, node: &Node, document: &Node) -> Diagnostic {
    let readable = format!("this version of devloop reads {} to {}, and {}", Version::OLDEST, Version::SKAFFOLD.short(), Version::LATEST);
    let is_above =
        |prefix, last: u32| text.strip_prefix(prefix).and_then(|number| number.parse().ok()).is_some_and(|number: u32| number > last);
    if is_above("skaffold/v4beta", 14) || is_above("skaffold/v", 4) || is_above("devloop/v", 1) {
        let what = format!("`{text}` is newer than this version of devloop");
        let error = Diagnostic::error("config/newer-api-version", what).at(node.span.location(readable));
        let known = if text.starts_with("devloop") { Version::LATEST } else { Version::SKAFFOLD };
        return error.help(format!("write `apiVersion: {known}` if the file uses nothing newer"));
    }
    let what = format!("there is no version `{text}` of this schema");
    let error = Diagnostic::error("config/unknown-api-version", what).at(node.span.location(readable));
    let is_manifest = document.get("kind").is_some_and(|kind| kind.as_text().is_some_and(|kind| kind != "Config"));
    if is_manifest && !text.starts_with("skaffold") && !text.starts_with("devloop") {
        return error.help("this looks like a Kubernetes manifest: name it in `manifests.rawYaml` of a skaffold.yaml");
    }
    if let Some(last) = text.strip_prefix("skaffold/").and_then(Version::last_of_family) {
        return error.help(format!("did you mean `{last}`?"));
    }
    let names: Vec<String> = Version::all().rev().map(|version| version.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = nearest(text, &names).unwrap_or(NEWEST_OF_SKAFFOLD);
    error.help(format!("did you mean `{near}`?"))
}

#[cfg(test)]
pub(crate) mod tests;
