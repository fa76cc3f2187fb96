//! What is done to manifests that another stage has, as to those that are rendered here.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::Manifest;
use devloop_model::ResourceSelector;

use crate::DebugSpec;
use crate::Placement;
use crate::RenderError;
use crate::RenderJob;
use crate::source;
use crate::transform;

/// Returns the objects in a text of several documents; `name` is what the text is called in messages.
///
/// # Errors
/// When it is no YAML, or a document is no Kubernetes object.
pub fn objects_of(text: &str, name: &str) -> Result<Vec<Manifest>, RenderError> {
    Ok(source::objects(text, Path::new(name))?.manifests)
}

/// The images, nodes, debuggers and labels of a session, for manifests.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    images: Vec<BuiltImage>,
    placement: Placement,
    debug: Option<DebugSpec>,
    labels: BTreeMap<String, String>,
    resource_selector: ResourceSelector,
}

impl Changes {
    /// Returns the changes that `job` makes.
    pub fn of(job: &RenderJob) -> Self {
        Self {
            images: job.images.clone(),
            placement: job.placement.clone(),
            debug: job.debug.clone(),
            labels: job.labels.clone(),
            resource_selector: job.resource_selector.clone(),
        }
    }

    /// Puts images in where a manifest names their artifact, the nodes that they are for, debuggers and labels; returns what is to be said of it.
    pub fn make(&self, manifests: &mut [Manifest]) -> Vec<Diagnostic> {
        let fields = transform::Fields::new(&self.resource_selector);
        transform::Images::new(&self.images).replace(manifests, &fields);
        self.after_images(manifests, &fields)
    }

    /// Puts in all but the images, which are there already; returns what is to be said of it.
    pub(crate) fn after_images(&self, manifests: &mut [Manifest], fields: &transform::Fields) -> Vec<Diagnostic> {
        transform::place(manifests, &self.images, &self.placement, fields);
        let warnings = self.debug.as_ref().map(|debug| transform::set_debuggers(manifests, debug)).unwrap_or_default();
        transform::set_labels(manifests, &self.labels, fields);
        warnings
    }
}
