//! Writing to registries: blobs in parallel, mounted where possible, then the manifest.

use std::collections::HashSet;

use bytes::Bytes;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Tag;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use reqwest::Body;
use reqwest::Method;
use reqwest::Response;
use reqwest::StatusCode;
use tokio_util::io::ReaderStream;

use super::Blob;
use super::Place;
use super::PushImage;
use super::PushLayer;
use super::Registry;
use super::RegistryError;
use super::digest_of;
use super::host::Host;
use super::manifest_key;
use super::request::Call;
use super::request::Purpose;
use super::request::answer_message;
use crate::activity::Activity;

/// How many blobs are sent at once.
const PARALLEL_BLOBS: usize = 5;
/// How much of a blob is sent at a time.
const CHUNK: usize = 64 << 10;

impl Registry {
    /// Pushes an image and returns its digest. Blobs that the registry has are not sent again.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or does not take a part; or a layer cannot be read.
    pub async fn push(&self, target: &ImageRef, image: PushImage, cx: &Cx) -> Result<Digest, RegistryError> {
        let place = Place::of(&target.name);
        let host = self.host(&place.host, cx).await?;
        let config = PushLayer { digest: digest_of(&image.config), size: image.config.len() as u64, blob: Blob::Bytes(image.config) };
        let mut seen = HashSet::new();
        let blobs = image.layers.into_iter().chain([config]).filter(|layer| seen.insert(layer.digest.clone()));
        let work = blobs.map(|layer| {
            let (host, place) = (&host, &place);
            async move { self.ensure_blob(host, place, &layer, cx).await }
        });
        futures::stream::iter(work).buffer_unordered(PARALLEL_BLOBS).try_collect::<()>().await?;
        self.push_manifest(target, image.manifest, &image.media_type, cx).await
    }

    /// Pushes a manifest or index whose parts are there, under the tag of `target`, or its digest without one.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or does not take it.
    pub async fn push_manifest(&self, target: &ImageRef, bytes: Bytes, media_type: &str, cx: &Cx) -> Result<Digest, RegistryError> {
        let place = Place::of(&target.name);
        let host = self.host(&place.host, cx).await?;
        let digest = digest_of(&bytes);
        let key = match &target.tag {
            Some(tag) => tag.as_str(),
            None if target.digest.is_some() => manifest_key(target),
            None => digest.as_str(),
        };
        let url = format!("{}/v2/{}/manifests/{key}", host.base, place.repository);
        let purpose = Purpose::push(&place.repository);
        let put = || async {
            let with_body = |request: reqwest::RequestBuilder| request.header("Content-Type", media_type).body(bytes.clone());
            let response = self.ask(&host, Call::new(Method::PUT, &url, &purpose), with_body, cx).await?;
            self.expect(response, StatusCode::CREATED, &host, "PUT", &url).await
        };
        self.retrying(cx, put).await?;
        Ok(digest)
    }

    /// Gives the manifest that `reference` points to another tag; nothing is written if it has it.
    ///
    /// # Errors
    /// When there is no such manifest, or the registry fails.
    pub async fn tag(&self, reference: &ImageRef, tag: &Tag, cx: &Cx) -> Result<(), RegistryError> {
        let target = ImageRef::tagged(reference.name.clone(), tag.clone());
        if reference.digest.is_some() && self.digest(&target, cx).await? == reference.digest {
            return Ok(());
        }
        let manifest = self.manifest(reference, cx).await?;
        self.push_manifest(&target, manifest.bytes, &manifest.media_type, cx).await?;
        Ok(())
    }

    async fn ensure_blob(&self, host: &Host, place: &Place, layer: &PushLayer, cx: &Cx) -> Result<(), RegistryError> {
        let purpose = Purpose::push(&place.repository);
        let url = format!("{}/v2/{}/blobs/{}", host.base, place.repository, layer.digest);
        let head = self.retrying(cx, || self.ask(host, Call::new(Method::HEAD, &url, &purpose), |request| request, cx)).await?;
        let label = format!("push {}", &layer.digest.hex()[..12]);
        if head.status() == StatusCode::OK {
            cx.progress(label, layer.size, Some(layer.size), true);
            return Ok(());
        }
        match &layer.blob {
            Blob::InRepository(from) => self.mount(host, place, from, layer, cx).await,
            _ => self.upload(host, place, layer, cx).await,
        }
    }

    /// Makes a blob of another repository known in this one, or copies it where that cannot be.
    async fn mount(&self, host: &Host, place: &Place, from: &ImageName, layer: &PushLayer, cx: &Cx) -> Result<(), RegistryError> {
        let source = Place::of(from);
        if source.host == place.host {
            let purpose = Purpose { mount_from: Some(&source.repository), ..Purpose::push(&place.repository) };
            let url = format!("{}/v2/{}/blobs/uploads/?mount={}&from={}", host.base, place.repository, layer.digest, source.repository);
            let answer = self
                .retrying(cx, || self.ask(host, Call::new(Method::POST, &url, &purpose), |request| request.header("Content-Length", 0), cx))
                .await;
            match answer {
                Ok(response) if response.status() == StatusCode::CREATED => return Ok(()),
                // 202 opens an upload instead, and some registries refuse the scope of the source: the copy decides.
                Ok(_) | Err(RegistryError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let dir = tempfile::tempdir().map_err(|source| RegistryError::File { path: std::env::temp_dir(), source })?;
        let file = dir.path().join(layer.digest.hex());
        self.download(from, &layer.digest, &file, cx).await?;
        self.upload(host, place, &PushLayer { blob: Blob::File(file), ..layer.clone() }, cx).await
    }

    async fn upload(&self, host: &Host, place: &Place, layer: &PushLayer, cx: &Cx) -> Result<(), RegistryError> {
        let purpose = Purpose::push(&place.repository);
        // An upload that broke cannot be gone on with under the same address: each attempt opens its own.
        self.retrying(cx, || async {
            let start = format!("{}/v2/{}/blobs/uploads/", host.base, place.repository);
            let response =
                self.ask(host, Call::new(Method::POST, &start, &purpose), |request| request.header("Content-Length", 0), cx).await?;
            let response = self.expect(response, StatusCode::ACCEPTED, host, "POST", &start).await?;
            let location = upload_url(host, &response, &layer.digest)?;
            let activity = Activity::new();
            let file = match &layer.blob {
                Blob::File(path) => Some(std::sync::Mutex::new(Some(open(path).await?))),
                _ => None,
            };
            let body = |request: reqwest::RequestBuilder| {
                let request = request.header("Content-Type", "application/octet-stream").header("Content-Length", layer.size);
                let opened = file.as_ref().and_then(|file| file.lock().expect("no holder of this lock panics").take());
                request.body(body_of(layer, opened, activity.clone(), cx))
            };
            let response =
                self.ask(host, Call { activity: Some(&activity), ..Call::new(Method::PUT, &location, &purpose) }, body, cx).await?;
            self.expect(response, StatusCode::CREATED, host, "PUT", &start).await.map(drop)
        })
        .await
    }

    /// Returns the answer if it has this status, else what the registry says of it.
    async fn expect(
        &self,
        response: Response,
        status: StatusCode,
        host: &Host,
        method: &str,
        url: &str,
    ) -> Result<Response, RegistryError> {
        if response.status() == status || (status == StatusCode::CREATED && response.status().is_success()) {
            return Ok(response);
        }
        let path = url.strip_prefix(&host.base).unwrap_or(url);
        let status = response.status().as_u16();
        let message = answer_message(response, self.inner.limits).await;
        Err(RegistryError::Answer { host: host.name.clone(), request: format!("{method} {path}"), status, message })
    }
}

async fn open(path: &std::path::Path) -> Result<tokio::fs::File, RegistryError> {
    tokio::fs::File::open(path).await.map_err(|source| RegistryError::File { path: path.to_owned(), source })
}

/// The bytes of a layer, counted as they leave.
fn body_of(layer: &PushLayer, file: Option<tokio::fs::File>, activity: Activity, cx: &Cx) -> Body {
    let (cx, total, label) = (cx.clone(), layer.size, format!("push {}", &layer.digest.hex()[..12]));
    let mut done = 0;
    let mut count = move |bytes: &Bytes| {
        activity.mark();
        done += bytes.len() as u64;
        cx.progress(&label, done, Some(total), true);
    };
    match (&layer.blob, file) {
        (Blob::Bytes(bytes), _) => {
            let parts: Vec<Bytes> = (0..bytes.len()).step_by(CHUNK).map(|at| bytes.slice(at..bytes.len().min(at + CHUNK))).collect();
            Body::wrap_stream(futures::stream::iter(parts).map(move |part| {
                count(&part);
                Ok::<_, std::io::Error>(part)
            }))
        }
        (_, Some(file)) => Body::wrap_stream(ReaderStream::with_capacity(file, CHUNK).inspect_ok(count)),
        // A second try of one request: too short a body breaks it, and the upload starts anew.
        (_, None) => Body::from(Bytes::new()),
    }
}

/// The address that an upload goes to: the registry's, relative or not, with the digest added.
fn upload_url(host: &Host, response: &Response, digest: &Digest) -> Result<String, RegistryError> {
    let malformed = || RegistryError::Malformed { host: host.name.clone(), what: "no address to upload to".to_owned() };
    let location = response.headers().get("location").and_then(|value| value.to_str().ok()).ok_or_else(malformed)?;
    let base = reqwest::Url::parse(&host.base).map_err(|_| malformed())?;
    let mut url = base.join(location).map_err(|_| malformed())?;
    url.query_pairs_mut().append_pair("digest", digest.as_str());
    Ok(url.into())
}
