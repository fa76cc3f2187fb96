//! What `--analyze` prints.
//!
//! Facts: Skaffold's `pkg/skaffold/initializer/build/json.go`, which IDE plug-ins read: what is decided first, builders and images in step,
//! then what is open.

use serde::Serialize;
use serde_json::Value;

use crate::builder::Builder;
use crate::builder::Kind;
use crate::matching::Matching;

#[derive(Debug, Serialize)]
struct Analysis<'m> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    builders: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image<'m>>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    payload: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Image<'m> {
    name: &'m str,
    found_match: bool,
}

#[derive(Debug, Serialize)]
struct OldAnalysis<'m> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dockerfiles: Vec<&'m str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'m str>,
}

/// Returns the analysis as one line of JSON.
pub fn analysis(matching: &Matching) -> String {
    let named = |builder: &Builder| Named { name: builder.kind.name(), payload: builder.payload() };
    let decided = matching.artifacts.iter().map(|artifact| artifact.builder.as_ref().map_or_else(none, named));
    let done = matching.artifacts.iter().map(|artifact| Image { name: &artifact.image, found_match: true });
    line(&Analysis {
        builders: decided.chain(matching.builders.iter().map(named)).collect(),
        images: done.chain(matching.images.iter().map(|image| Image { name: image, found_match: false })).collect(),
    })
}

/// Returns the analysis as it was before there was more than Dockerfiles, as one line of JSON.
pub fn old_analysis(matching: &Matching) -> String {
    let decided = matching.artifacts.iter().filter_map(|artifact| artifact.builder.as_ref());
    let dockerfiles = decided.chain(&matching.builders).filter(|builder| builder.kind == Kind::Docker);
    line(&OldAnalysis {
        dockerfiles: dockerfiles.map(|builder| builder.path.as_str()).collect(),
        images: matching.images.iter().chain(matching.artifacts.iter().map(|artifact| &artifact.image)).map(String::as_str).collect(),
    })
}

fn none() -> Named {
    Named { name: "none", payload: Value::Object(serde_json::Map::new()) }
}

fn line(analysis: &impl Serialize) -> String {
    // Names and texts alone: nothing in it can fail.
    serde_json::to_string(analysis).unwrap_or_default() + "\n"
}
