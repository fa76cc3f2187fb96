//! Where the images of a session come from, when they are not built.

use devloop_build::Tagged;
use devloop_clients::registry::Registry;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Identity;
use futures::future::try_join_all;

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// The build cache, and builds of what it does not have.
    Build,
    /// They are given: `deploy --images`, `--build-artifacts`.
    Given(Vec<BuiltImage>),
    /// The taggers' tags, whether such images exist or not: `--digest-source tag`.
    Tags,
    /// The digests that the registry has for the taggers' tags: `--digest-source remote`.
    Registry,
    /// Manifests keep the images that they name: `--digest-source none`.
    None,
}

/// Returns the image of an artifact by its tag alone.
pub(crate) fn by_tag(tagged: &Tagged) -> BuiltImage {
    BuiltImage {
        artifact: tagged.artifact.image.clone(),
        name: tagged.reference.name.clone(),
        tag: tagged.reference.tag.clone(),
        identity: Identity::AsNamed,
        runtime: tagged.artifact.runtime,
    }
}

/// Returns the images that the registry has under the taggers' tags, all asked at once.
///
/// # Errors
/// When the registry does not answer, or has no such image.
pub(crate) async fn by_registry(all: &[Tagged], registry: &Registry, cx: &Cx) -> Result<Vec<BuiltImage>, Diagnostic> {
    try_join_all(all.iter().map(|tagged| async {
        match registry.digest(&tagged.reference, cx).await {
            Ok(Some(digest)) => Ok(BuiltImage { identity: Identity::Digest(digest), ..by_tag(tagged) }),
            Ok(None) => Err(Diagnostic::error("engine/no-such-image", format!("the registry has no image {}", tagged.reference))
                .help("push it with `devloop build`, or take another `--digest-source`")),
            Err(error) => Err(error.diagnostic()),
        }
    }))
    .await
}
