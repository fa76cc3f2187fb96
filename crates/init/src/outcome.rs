//! The configuration that is written, and the manifests beside it.
//!
//! Facts: Skaffold's `pkg/skaffold/initializer/{config,init}.go`, and its errors in `initializer/errors`.

use std::collections::BTreeSet;

use devloop_model::Diagnostic;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::artifact::Artifact;
use crate::chart::Chart;
use crate::compose::Forward;
use crate::deployment::Deployment;
use crate::deployment::Source;
use crate::generate;
use crate::matching::Matching;
use crate::project::Project;
use crate::tree::file_name;
use crate::tree::joined;

/// The longest name of a Kubernetes object.
const LONGEST_NAME: usize = 253;

/// A file that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its path, relative to the project.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What `init` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The text of the configuration.
    pub config: String,
    /// Manifests.
    pub files: Vec<Generated>,
}

impl Outcome {
    /// Returns the configuration of what was decided.
    ///
    /// # Errors
    /// When there is nothing to deploy, or it cannot be written down.
    pub fn of(project: &Project, mut deployment: Deployment, matching: &Matching) -> Result<Self, Diagnostic> {
        let generated = generated(project, &mut deployment, &matching.artifacts)?;
        check(&deployment, !generated.is_empty())?;
        let mut config = Map::new();
        config.insert("apiVersion".to_owned(), newest().into());
        config.insert("kind".to_owned(), "Config".into());
        if let Some(name) = project.name.as_deref().map(object_name).filter(|name| !name.is_empty()) {
            config.insert("metadata".to_owned(), json!({"name": name}));
        }
        let artifacts: Vec<Value> = matching.artifacts.iter().filter_map(artifact).collect();
        if !artifacts.is_empty() {
            config.insert("build".to_owned(), json!({"artifacts": artifacts}));
        }
        let more: Vec<&str> = generated.iter().map(|file| file.path.as_str()).collect();
        config.extend(manifests(&deployment.source, &more));
        if let Source::Charts(charts) = &deployment.source {
            let releases: Vec<Value> = charts.iter().map(release).collect();
            config.insert("deploy".to_owned(), json!({"helm": {"releases": releases}}));
        }
        if !deployment.forwards.is_empty() {
            config.insert("portForward".to_owned(), deployment.forwards.iter().map(forward).collect());
        }
        if let Source::Kustomize { others, .. } = &deployment.source
            && !others.is_empty()
        {
            config.insert("profiles".to_owned(), profiles(others));
        }
        let mut files = deployment.files;
        files.extend(generated);
        Ok(Self { config: yaml(&Value::Object(config))?, files })
    }
}

/// Returns the newest version that Skaffold understands as well.
fn newest() -> String {
    devloop_config::schema_versions().into_iter().rfind(|version| version.starts_with("skaffold/")).unwrap_or_default()
}

/// Returns the manifests that are made for artifacts that ask for them, and notes their ports.
fn generated(project: &Project, deployment: &mut Deployment, artifacts: &[Artifact]) -> Result<Vec<Generated>, Diagnostic> {
    let mut files: Vec<Generated> = Vec::new();
    for artifact in artifacts {
        let (Some(port), Some(builder)) = (artifact.manifest, &artifact.builder) else { continue };
        let name = object_name(file_name(&artifact.image));
        let is_free = |path: &String| !project.files.contains(path) && !files.iter().any(|file| file.path == *path);
        let names = ["deployment.yaml".to_owned(), format!("{name}-deployment.yaml")];
        let path = names.iter().map(|name| joined(builder.directory(), name)).find(is_free).ok_or_else(|| {
            let what = format!("there is a manifest already where that of `{}` would be written", artifact.image);
            Diagnostic::error("init/manifest-exists", what).help("remove it, or name it by `-k`")
        })?;
        files.push(Generated { path, text: generate::manifests(&name, &artifact.image, port)? });
        if port != 0 {
            deployment.forwards.push(Forward { service: name, port, local: None });
        }
    }
    Ok(files)
}

fn check(deployment: &Deployment, has_generated: bool) -> Result<(), Diagnostic> {
    let has_images = has_generated || deployment.is_named || !deployment.images.is_empty() || !deployment.foreign.is_empty();
    match &deployment.source {
        Source::Charts(charts) if charts.is_empty() && !has_generated => {
            let what = "one or more valid Helm charts are needed: none of those that were found can be understood";
            Err(Diagnostic::error("init/no-charts", what))
        }
        Source::Files(files) if files.is_empty() && !has_images => Err(no_manifest("none was found")),
        Source::Files(_) | Source::Kustomize { .. } if !has_images => Err(no_manifest("those that were found name no image")),
        _ => Ok(()),
    }
}

fn no_manifest(why: &str) -> Diagnostic {
    Diagnostic::error("init/no-manifest", "one or more valid Kubernetes manifests are required")
        .because(why)
        .help("let some be made by `--generate-manifests`, name yours by `-k`, or start from `--compose-file`")
}

fn artifact(artifact: &Artifact) -> Option<Value> {
    let builder = artifact.builder.as_ref()?;
    let context = artifact.context();
    let mut fields = Map::new();
    fields.insert("image".to_owned(), artifact.image.as_str().into());
    if context != "." {
        fields.insert("context".to_owned(), context.into());
    }
    let (key, settings) = builder.artifact(context);
    fields.insert(key.to_owned(), settings);
    Some(Value::Object(fields))
}

fn manifests(source: &Source, generated: &[&str]) -> Option<(String, Value)> {
    let mut fields = Map::new();
    let mut files: Vec<&str> = match source {
        Source::Files(files) => files.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    files.extend(generated);
    if !files.is_empty() {
        fields.insert("rawYaml".to_owned(), json!(files));
    }
    if let Source::Kustomize { default, .. } = source {
        fields.insert("kustomize".to_owned(), json!({"paths": [default]}));
    }
    (!fields.is_empty()).then(|| ("manifests".to_owned(), Value::Object(fields)))
}

fn release(chart: &Chart) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), chart.name.as_str().into());
    fields.insert("chartPath".to_owned(), chart.path.as_str().into());
    if !chart.values.is_empty() {
        fields.insert("valuesFiles".to_owned(), json!(chart.values));
    }
    if let Some(version) = &chart.version {
        fields.insert("version".to_owned(), version.as_str().into());
    }
    Value::Object(fields)
}

fn forward(forward: &Forward) -> Value {
    let mut fields = Map::new();
    fields.insert("resourceType".to_owned(), "service".into());
    fields.insert("resourceName".to_owned(), forward.service.as_str().into());
    fields.insert("port".to_owned(), forward.port.into());
    if let Some(local) = forward.local {
        fields.insert("localPort".to_owned(), local.into());
    }
    Value::Object(fields)
}

/// A profile is called by the directory of its kustomization; by all of its path where that is not enough.
fn profiles(overlays: &[String]) -> Value {
    let mut taken = BTreeSet::new();
    let profile = |overlay: &String| {
        let name = Some(file_name(overlay)).filter(|name| *name != ".").map_or_else(|| "root".to_owned(), str::to_owned);
        let name = if taken.contains(&name) { overlay.replace('/', "-") } else { name };
        taken.insert(name.clone());
        json!({"name": name, "manifests": {"kustomize": {"paths": [overlay]}}})
    };
    overlays.iter().map(profile).collect()
}

/// Returns the name that a Kubernetes object can have for one that may be anything.
pub(crate) fn object_name(name: &str) -> String {
    let mut plain = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            plain.push(c);
        } else if !plain.ends_with('-') {
            plain.push('-');
        }
    }
    plain.chars().take(LONGEST_NAME).collect::<String>().trim_matches('-').to_owned()
}

/// Returns a value as YAML.
///
/// # Errors
/// When it cannot be written as YAML.
pub(crate) fn yaml(value: &Value) -> Result<String, Diagnostic> {
    serde_saphyr::to_string(value)
        .map_err(|error| Diagnostic::error("init/unwritable", "YAML cannot be written").because(error.to_string()))
}
