//! Debuggers: containers of artifacts are started under the debugger of their runtime, and say where it listens.
//!
//! Source: Skaffold's `pkg/skaffold/debug` and `pkg/skaffold/kubernetes/debugging`, the annotation and the support images included.

mod buildpacks;
mod command_line;
mod container;
mod go;
mod jvm;
mod netcore;
mod nodejs;
mod pod;
mod probe;
mod python;
mod script;

use std::collections::BTreeMap;

use devloop_model::BuiltImage;
use devloop_model::DEBUG_ANNOTATION;
use devloop_model::Diagnostic;
use devloop_model::ImageConfig;
use devloop_model::ImageName;
use devloop_model::Manifest;
use devloop_model::Runtime;
use serde_json::json;

use super::template::template;

/// How containers are debugged.
#[derive(Debug, Clone, Default)]
pub struct DebugSpec {
    /// `--protocols`: which protocols are preferred, where a debugger has several.
    pub protocols: Vec<String>,
    /// The registry and repository of the images that bring debuggers.
    pub helpers: String,
    /// The images, each with what it says of how it is run.
    pub images: Vec<DebugImage>,
    /// The runtimes that sources are of, where they tell: they count where neither the configuration nor the image says one.
    pub sources: BTreeMap<ImageName, Runtime>,
}

/// An image that is debugged.
#[derive(Debug, Clone)]
pub struct DebugImage {
    /// The image; its `runtime` is what the configuration says.
    pub image: BuiltImage,
    /// How it is run.
    pub config: ImageConfig,
}

/// Starts the containers of artifacts under debuggers, one pod of each workload, and returns a warning for each that cannot be.
pub(crate) fn set_debuggers(manifests: &mut [Manifest], spec: &DebugSpec) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for manifest in manifests {
        let key = manifest.key();
        let Some(template) = template(&mut manifest.object) else { continue };
        for (container, why) in pod::debug(template, spec) {
            let what = format!("container `{container}` of {key} is not debugged");
            warnings.push(Diagnostic::warning("render/not-debugged", what).because(why.why).help(why.help));
        }
        let is_debugged = template["metadata"]["annotations"][DEBUG_ANNOTATION].is_string();
        if is_debugged && manifest.object["spec"]["replicas"].is_number() {
            manifest.object["spec"]["replicas"] = json!(1);
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
