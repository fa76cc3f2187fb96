//! The directory that rules start from.

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::SyncMode;

use crate::AttachError;

/// Returns the working directory of an image, from which relative destinations of rules start; `/` without a look where no rule has
/// one.
///
/// # Errors
/// When neither the registry nor the daemon can tell.
pub async fn working_dir(artifact: &Artifact, image: &BuiltImage, clients: &Clients, cx: &Cx) -> Result<String, AttachError> {
    let is_needed = artifact.sync.as_ref().is_some_and(|spec| match &spec.mode {
        SyncMode::Manual(rules) => rules.iter().any(|rule| !rule.dest.starts_with('/')),
        _ => false,
    });
    if !is_needed {
        return Ok("/".to_owned());
    }
    let config = clients.image_config(image, cx).await.map_err(|why| {
        Diagnostic::error("attach/sync-working-dir", format!("the working directory of `{}` is not known", artifact.image)).caused_by(why)
    })?;
    Ok(config.working_dir)
}
