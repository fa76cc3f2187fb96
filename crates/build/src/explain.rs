//! Why each image would be built, for `devloop diagnose --explain`.

use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Cx;

use crate::BuildError;
use crate::BuildOptions;
use crate::Prepared;
use crate::prepare;

/// What a build of one artifact would do, and why.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The artifact with its inputs, tag and state.
    pub prepared: Prepared,
}

/// Returns, for each artifact, whether it would be built and why.
///
/// # Errors
/// When inputs cannot be listed or read.
pub async fn explain(artifacts: &[Arc<Artifact>], options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<Vec<Explanation>, BuildError> {
    let prepared = prepare(artifacts, options, clients, cx).await?;
    Ok(prepared.into_iter().map(|prepared| Explanation { prepared }).collect())
}
