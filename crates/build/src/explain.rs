//! Why each image would be built, for `devloop diagnose --explain`.

use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::ImageRef;

use crate::BuildError;
use crate::BuildOptions;
use crate::Prepared;
use crate::cache::lookup::Effects;
use crate::hash_index::HashIndex;
use crate::inputs;
use crate::inputs::Gathered;
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
    let index = Arc::new(HashIndex::open(&options.cache_dir));
    let name = ImageRef { name: artifact.image.clone(), tag: None, digest: None };
    let gathered = inputs::gather(&[(Arc::clone(artifact), name)], options, Arc::clone(&index), clients, cx).await?;
    let size = |gathered: &Gathered| {
        let files = &gathered.inputs.files;
        files
            .iter()
            .filter_map(|file| gathered.inputs.absolute(file).symlink_metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|found| found.len())
            .sum()
    };
    Ok(gathered
        .first()
        .map_or(ListedInputs { files: 0, bytes: 0 }, |gathered| ListedInputs { files: gathered.inputs.files.len(), bytes: size(gathered) }))
}
