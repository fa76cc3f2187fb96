//! Whether an image that was built once is still where it is needed.

use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::registry::RegistryError;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::Identity;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::RebuildCause;

use super::BuildCache;
use super::CacheKey;
use super::Entry;
use crate::BuildError;
use crate::BuildOptions;
use crate::deliver;

/// What the cache says of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The image exists; with how much was to be done for that.
    Found(CacheOutcome, BuiltImage),
    /// It does not, or not any more: then with the place that lost it.
    NotFound { gone_from: Option<String> },
}

/// Whether a lookup may tag and push what it finds under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effects {
    /// It leaves the image where it is needed.
    Deliver,
    /// It only looks.
    None,
}

/// One question to the cache.
pub(crate) struct Lookup<'a> {
    pub(crate) artifact: &'a Artifact,
    pub(crate) reference: &'a ImageRef,
    pub(crate) key: CacheKey,
    pub(crate) options: &'a BuildOptions,
    pub(crate) effects: Effects,
    pub(crate) clients: &'a Clients,
    pub(crate) cx: &'a Cx,
}

impl Lookup<'_> {
    /// Returns what `cache` has, checked against where the cluster pulls from: a registry when images
    /// are pushed, else the daemon (Skaffold's `pkg/skaffold/build/cache/lookup.go`).
    ///
    /// # Errors
    /// When the daemon cannot be asked, or the registry cannot be reached.
    pub(crate) async fn ask(&self, cache: &BuildCache) -> Result<Answer, BuildError> {
        let pushes = self.options.pushes(self.artifact);
        let Some(entry) = cache.find(self.key) else { return self.import(cache, pushes).await };
        if pushes { self.in_registry(cache, &entry).await } else { self.in_daemon(&entry).await }
    }

    async fn in_daemon(&self, entry: &Entry) -> Result<Answer, BuildError> {
        let Some(id) = &entry.id else { return Ok(Answer::NotFound { gone_from: None }) };
        let docker = self.clients.docker(self.cx).await?;
        let outcome = if docker.image_id(&self.reference.to_string(), self.cx).await?.as_ref() == Some(id) {
            CacheOutcome::FoundLocally
        } else if docker.image_id(id.as_str(), self.cx).await?.is_some() {
            if self.effects == Effects::Deliver {
                docker.tag(id.as_str(), self.reference, self.cx).await?;
            }
            CacheOutcome::FoundTagging
        } else {
            return Ok(Answer::NotFound { gone_from: Some("the container daemon".to_owned()) });
        };
        let image = self.image(Identity::Id(id.clone()));
        if self.effects == Effects::Deliver {
            deliver::deliver(&image, &self.options.target.delivery, docker, self.cx).await?;
        }
        Ok(Answer::Found(outcome, image))
    }

    async fn in_registry(&self, cache: &BuildCache, entry: &Entry) -> Result<Answer, BuildError> {
        if let Some(digest) = &entry.digest {
            if self.remote_digest(self.reference).await?.as_ref() == Some(digest) {
                return Ok(Answer::Found(CacheOutcome::FoundRemotely, self.image(Identity::Digest(digest.clone()))));
            }
            if self.retag(digest).await? {
                return Ok(Answer::Found(CacheOutcome::FoundTagging, self.image(Identity::Digest(digest.clone()))));
            }
        }
        if let Some(id) = &entry.id
            && let Some(docker) = self.daemon_with(id).await
        {
            return self.push_again(cache, docker, id).await;
        }
        let place = self.reference.name.to_string();
        Ok(Answer::NotFound { gone_from: entry.digest.is_some().then_some(place) })
    }

    /// Gives the tag to an image that is there under its digest; returns whether it is.
    async fn retag(&self, digest: &Digest) -> Result<bool, BuildError> {
        let pinned = ImageRef { name: self.reference.name.clone(), tag: None, digest: Some(digest.clone()) };
        if self.remote_digest(&pinned).await?.as_ref() != Some(digest) {
            return Ok(false);
        }
        if let (Effects::Deliver, Some(tag)) = (self.effects, &self.reference.tag) {
            self.clients.registry().tag(&pinned, tag, self.cx).await?;
        }
        Ok(true)
    }

    /// A registry that wants a login to tell may have the image or not; pushing will show.
    async fn remote_digest(&self, reference: &ImageRef) -> Result<Option<Digest>, BuildError> {
        match self.clients.registry().digest(reference, self.cx).await {
            Err(RegistryError::Refused { .. }) => Ok(None),
            answer => Ok(answer?),
        }
    }

    async fn daemon_with(&self, id: &ImageId) -> Option<&Docker> {
        let docker = self.clients.docker(self.cx).await.ok()?;
        docker.image_id(id.as_str(), self.cx).await.ok()?.map(|_| docker)
    }

    async fn push_again(&self, cache: &BuildCache, docker: &Docker, id: &ImageId) -> Result<Answer, BuildError> {
        if self.effects == Effects::None {
            return Ok(Answer::Found(CacheOutcome::FoundPushing, self.image(Identity::Id(id.clone()))));
        }
        docker.tag(id.as_str(), self.reference, self.cx).await?;
        let identity = Identity::Digest(docker.push(self.reference, self.cx).await?);
        remember(cache, self.key, &identity);
        Ok(Answer::Found(CacheOutcome::FoundPushing, self.image(identity)))
    }

    /// `tryImportMissing`: somebody else may have built it.
    async fn import(&self, cache: &BuildCache, pushes: bool) -> Result<Answer, BuildError> {
        let platforms = self.options.platforms_of(self.artifact);
        if !self.artifact.local().try_import_missing || platforms.len() > 1 || self.effects == Effects::None {
            return Ok(Answer::NotFound { gone_from: None });
        }
        let Some(identity) = deliver::import_missing(self.reference, platforms.first(), pushes, self.clients, self.cx).await? else {
            return Ok(Answer::NotFound { gone_from: None });
        };
        remember(cache, self.key, &identity);
        let image = self.image(identity);
        if !pushes {
            deliver::deliver(&image, &self.options.target.delivery, self.clients.docker(self.cx).await?, self.cx).await?;
        }
        Ok(Answer::Found(if pushes { CacheOutcome::FoundRemotely } else { CacheOutcome::FoundLocally }, image))
    }

    fn image(&self, identity: Identity) -> BuiltImage {
        let ImageRef { name, tag, .. } = self.reference.clone();
        BuiltImage { artifact: self.artifact.image.clone(), name, tag, identity, runtime: self.artifact.runtime }
    }
}

/// A cache that cannot be written costs a build another time, and nothing now.
pub(crate) fn remember(cache: &BuildCache, key: CacheKey, identity: &Identity) {
    if let Err(error) = cache.record_image(key, identity) {
        tracing::debug!("cannot remember an image: {error}");
    }
}

/// Returns why an image that the cache does not have is built.
pub(crate) fn causes(differences: Vec<RebuildCause>, gone_from: Option<String>) -> Vec<RebuildCause> {
    match gone_from {
        Some(place) => vec![RebuildCause::Gone { place }],
        // Nothing differs from the last build, whose image went elsewhere.
        None if differences.is_empty() => vec![RebuildCause::NeverBuilt],
        None => differences,
    }
}

#[cfg(test)]
mod tests;
