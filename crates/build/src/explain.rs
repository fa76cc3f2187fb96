//! Why each image would be built, for `devloop diagnose --explain`.

use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::ImageRef;

use crate::BuildError;
use crate::BuildOptions;
use crate::Inputs;
use crate::Prepared;
use crate::cache::lookup::Effects;
use crate::hash_index::HashIndex;
use crate::inputs;
use crate::prepare;

/// Returns every artifact with what a build would do and why, and changes nothing: an image that is
/// there under another tag stays so.
///
/// # Errors
/// When inputs cannot be listed or read.
pub async fn explain(artifacts: &[Arc<Artifact>], options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<Vec<Prepared>, BuildError> {
    prepare::run(artifacts, options, Effects::None, clients, cx).await
}

/// How much an artifact is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedInputs {
    /// How many files.
    pub files: usize,
    /// How large they are together.
    pub bytes: u64,
}

/// Returns how much `artifact` is built from.
///
/// # Errors
/// When inputs cannot be listed or read.
pub async fn list_inputs(artifact: &Arc<Artifact>, options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<ListedInputs, BuildError> {
    let inputs = inputs_of(artifact, options, clients, cx).await?;
    let found = inputs.files.iter().filter_map(|file| inputs.absolute(file).symlink_metadata().ok());
    let bytes = found.filter(std::fs::Metadata::is_file).map(|found| found.len()).sum();
    Ok(ListedInputs { files: inputs.files.len(), bytes })
}

/// Returns the inputs of `artifact` as they are now.
///
/// # Errors
/// When inputs cannot be listed or read.
pub async fn inputs_of(artifact: &Arc<Artifact>, options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<Inputs, BuildError> {
    let index = Arc::new(HashIndex::open(&options.cache_dir));
    let name = ImageRef { name: artifact.image.clone(), tag: None, digest: None };
    let gathered = inputs::gather(&[(Arc::clone(artifact), name)], options, index, clients, cx).await?;
    Ok(gathered.into_iter().next().map(|gathered| gathered.inputs).unwrap_or_default())
}
