//! Reading from registries: digests, manifests, configurations, blobs.

use std::path::Path;

use bytes::Bytes;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Platform;
use oci_spec::image::ImageIndex;
use oci_spec::image::ImageManifest;
use reqwest::Method;
use reqwest::StatusCode;
use sha2::Digest as _;
use tokio::io::AsyncWriteExt as _;

use super::MANIFEST_TYPES;
use super::Place;
use super::Registry;
use super::RegistryError;
use super::RemoteImage;
use super::digest_from;
use super::digest_of;
use super::manifest_key;
use super::request::Call;
use super::request::Purpose;
use super::request::next_chunk;
use super::request::read_body;

/// A manifest as a registry has it.
#[derive(Debug, Clone)]
pub struct RemoteManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Byte for byte.
    pub bytes: Bytes,
}

impl Registry {
    /// Returns the digest that `reference` points to, or none if there is no such image.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or answers wrongly.
    pub async fn digest(&self, reference: &ImageRef, cx: &Cx) -> Result<Option<Digest>, RegistryError> {
        let place = Place::of(&reference.name);
        let host = self.host(&place.host, cx).await?;
        let url = format!("{}/v2/{}/manifests/{}", host.base, place.repository, manifest_key(reference));
        let purpose = Purpose::pull(&place.repository);
        let accept = MANIFEST_TYPES.join(", ");
        let response = self
            .retrying(cx, || self.ask(&host, Call::new(Method::HEAD, &url, &purpose), |request| request.header("Accept", &accept), cx))
            .await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let header = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
                match header.and_then(|text| Digest::parse(text).ok()) {
                    Some(digest) => Ok(Some(digest)),
                    // The header is not required of a registry: the content tells as well.
                    None => Ok(Some(self.manifest(reference, cx).await?.digest)),
                }
            }
            status => Err(RegistryError::Answer {
                host: host.name.clone(),
                request: format!("HEAD {}", url.strip_prefix(&host.base).unwrap_or(&url)),
                status: status.as_u16(),
                message: String::new(),
            }),
        }
    }

    /// Returns the manifest or index that `reference` points to, checked against its digest.
    ///
    /// # Errors
    /// When there is none, or the registry cannot be reached, refuses, or answers wrongly.
    pub async fn manifest(&self, reference: &ImageRef, cx: &Cx) -> Result<RemoteManifest, RegistryError> {
        let place = Place::of(&reference.name);
        let host = self.host(&place.host, cx).await?;
        let url = format!("{}/v2/{}/manifests/{}", host.base, place.repository, manifest_key(reference));
        let purpose = Purpose::pull(&place.repository);
        let accept = MANIFEST_TYPES.join(", ");
        let (media_type, bytes) = self
            .retrying(cx, || async {
                let response =
                    self.ask(&host, Call::new(Method::GET, &url, &purpose), |request| request.header("Accept", &accept), cx).await?;
                if response.status() == StatusCode::NOT_FOUND {
                    return Err(RegistryError::ManifestUnknown { reference: reference.to_string(), host: host.name.clone() });
                }
                let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
                let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
                Ok((media_type, read_body(&host.name, response, self.inner.limits).await?))
            })
            .await?;
        let digest = digest_of(&bytes);
        if reference.digest.as_ref().is_some_and(|wanted| *wanted != digest) {
            return Err(RegistryError::Malformed {
                host: host.name.clone(),
                what: format!("a manifest of digest `{digest}` for `{reference}`"),
            });
        }
        Ok(RemoteManifest { digest, media_type, bytes })
    }

    /// Returns the image that `reference` points to: of an index, the one for `platform`, which is
    /// this machine's architecture on Linux unless given.
    ///
    /// # Errors
    /// When there is none, or none for the platform, or the registry fails.
    pub async fn image(&self, reference: &ImageRef, platform: Option<&Platform>, cx: &Cx) -> Result<RemoteImage, RegistryError> {
        let place = Place::of(&reference.name);
        let top = self.manifest(reference, cx).await?;
        let digest = top.digest.clone();
        let own = if is_index(&top) { self.child_of(&top, reference, platform, cx).await? } else { top };
        let manifest: ImageManifest = serde_json::from_slice(&own.bytes).map_err(|error| RegistryError::Malformed {
            host: place.host.clone(),
            what: format!("a manifest of `{reference}` that is not valid: {error}"),
        })?;
        let config_digest = parse_digest(&place.host, manifest.config().digest())?;
        let config_bytes = self.small_blob(&place, &config_digest, cx).await?;
        let config = serde_json::from_slice(&config_bytes).map_err(|error| RegistryError::Malformed {
            host: place.host.clone(),
            what: format!("a configuration of `{reference}` that is not valid: {error}"),
        })?;
        Ok(RemoteImage {
            digest,
            manifest_digest: own.digest,
            media_type: own.media_type,
            manifest,
            manifest_bytes: own.bytes,
            config,
            config_bytes,
        })
    }

    async fn child_of(
        &self,
        top: &RemoteManifest,
        reference: &ImageRef,
        platform: Option<&Platform>,
        cx: &Cx,
    ) -> Result<RemoteManifest, RegistryError> {
        let place = Place::of(&reference.name);
        let index: ImageIndex = serde_json::from_slice(&top.bytes).map_err(|error| RegistryError::Malformed {
            host: place.host.clone(),
            what: format!("an index of `{reference}` that is not valid: {error}"),
        })?;
        let wanted = platform.cloned().unwrap_or_else(Platform::host);
        let named: Vec<(String, &oci_spec::image::Descriptor)> = index
            .manifests()
            .iter()
            .filter_map(|entry| {
                let platform = entry.platform().as_ref()?;
                let variant = platform.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
                Some((format!("{}/{}{variant}", platform.os(), platform.architecture()), entry))
            })
            .filter(|(name, _)| !name.starts_with("unknown/"))
            .collect();
        let base = format!("{}/{}", wanted.os(), wanted.arch());
        let exact = named.iter().find(|(name, _)| name == wanted.as_str());
        // `linux/arm64` is the same as `linux/arm64/v8`: without a variant, the first that fits is taken.
        let entry = exact.or_else(|| {
            named
                .iter()
                .find(|(name, _)| wanted.variant().is_none_or(|v| v == "v8") && (*name == base || name.starts_with(&format!("{base}/"))))
        });
        let Some((_, entry)) = entry else {
            let offered = named.into_iter().map(|(name, _)| name).collect();
            return Err(RegistryError::PlatformUnknown { reference: reference.to_string(), platform: wanted.to_string(), offered });
        };
        let child = ImageRef { name: reference.name.clone(), tag: None, digest: Some(parse_digest(&place.host, entry.digest())?) };
        self.manifest(&child, cx).await
    }

    async fn small_blob(&self, place: &Place, digest: &Digest, cx: &Cx) -> Result<Bytes, RegistryError> {
        let host = self.host(&place.host, cx).await?;
        let url = format!("{}/v2/{}/blobs/{digest}", host.base, place.repository);
        let purpose = Purpose::pull(&place.repository);
        let bytes = self
            .retrying(cx, || async {
                let response = self.ask(&host, Call::new(Method::GET, &url, &purpose), |request| request, cx).await?;
                check_blob(response.status(), &host.name, place, digest)?;
                read_body(&host.name, response, self.inner.limits).await
            })
            .await?;
        if digest_of(&bytes) != *digest {
            return Err(RegistryError::Malformed { host: host.name.clone(), what: format!("another blob than `{digest}`") });
        }
        Ok(bytes)
    }

    /// Writes a blob of `repository` into `file`, checked against its digest, so that layers can be given to a
    /// daemon or another registry.
    ///
    /// # Errors
    /// When there is no such blob, the registry fails, or the file cannot be written.
    pub async fn download(&self, repository: &ImageName, digest: &Digest, file: &Path, cx: &Cx) -> Result<(), RegistryError> {
        let place = Place::of(repository);
        let host = self.host(&place.host, cx).await?;
        let url = format!("{}/v2/{}/blobs/{digest}", host.base, place.repository);
        let purpose = Purpose::pull(&place.repository);
        self.retrying(cx, || async {
            let mut response = self.ask(&host, Call::new(Method::GET, &url, &purpose), |request| request, cx).await?;
            check_blob(response.status(), &host.name, &place, digest)?;
            let (total, label) = (response.content_length(), format!("pull {}", &digest.hex()[..12]));
            let file_error = |source| RegistryError::File { path: file.to_owned(), source };
            let mut out = tokio::fs::File::create(file).await.map_err(file_error)?;
            let (mut hash, mut done) = (sha2::Sha256::new(), 0);
            while let Some(chunk) = next_chunk(&host.name, &mut response, self.inner.limits).await? {
                hash.update(&chunk);
                out.write_all(&chunk).await.map_err(file_error)?;
                done += chunk.len() as u64;
                cx.progress(&label, done, total, true);
            }
            out.flush().await.map_err(file_error)?;
            if digest_from(&hash.finalize()) == *digest {
                return Ok(());
            }
            Err(RegistryError::Broken { host: host.name.clone(), why: format!("what came is not `{digest}`") })
        })
        .await
    }
}

fn check_blob(status: StatusCode, host: &str, place: &Place, digest: &Digest) -> Result<(), RegistryError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => {
            Err(RegistryError::BlobUnknown { host: host.to_owned(), repository: place.repository.clone(), digest: digest.to_string() })
        }
        status => Err(RegistryError::Answer {
            host: host.to_owned(),
            request: format!("GET /v2/{}/blobs/{digest}", place.repository),
            status: status.as_u16(),
            message: String::new(),
        }),
    }
}

fn is_index(manifest: &RemoteManifest) -> bool {
    MANIFEST_TYPES[..2].contains(&manifest.media_type.as_str())
        || serde_json::from_slice::<serde_json::Value>(&manifest.bytes).is_ok_and(|value| value["manifests"].is_array())
}

fn parse_digest(host: &str, digest: &oci_spec::image::Digest) -> Result<Digest, RegistryError> {
    Digest::parse(digest.as_ref()).map_err(|error| RegistryError::Malformed { host: host.to_owned(), what: error.to_string() })
}
