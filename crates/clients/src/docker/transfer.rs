//! Images on their way: to and from registries, and as archives.

use std::collections::HashSet;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptions;
use bollard::query_parameters::ImportImageOptions;
use bollard::query_parameters::PushImageOptions;
use bytes::Bytes;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::ImageRef;
use devloop_model::Platform;
use devloop_model::Stream as LogStream;
use devloop_model::Tag;
use futures::Stream;
use futures::StreamExt as _;

use super::Docker;
use super::DockerError;
use crate::registry::Credentials;
use crate::registry::Secret;
use crate::registry::credentials;

/// How long a registry may take or give nothing before the daemon is not waited for any more: it would wait for ever.
const STALL: Duration = Duration::from_mins(1);

impl Docker {
    /// Pushes an image through the daemon and returns the digest that the registry has it under.
    ///
    /// # Errors
    /// When the daemon has no such image, or the registry does not take it, or takes nothing for a minute.
    pub async fn push(&self, reference: &ImageRef, cx: &Cx) -> Result<Digest, DockerError> {
        let credentials = self.credentials(reference, cx).await;
        let tag = reference.tag.as_ref().map_or("latest", |tag| tag.as_str());
        let options = PushImageOptions { tag: Some(tag.to_owned()), platform: None };
        tracing::debug!("container daemon: push `{reference}`");
        let mut lines = self.client.push_image(reference.name.as_str(), Some(options), Some(for_daemon(&credentials)));
        self.moved.mark();
        let (mut total, mut done, mut digest) = (0, 0, None);
        while let Some(line) = self.next_line(&mut lines, reference, "pushed", cx).await? {
            let status = line.map_err(|error| transfer_error(reference, "pushed", &credentials, &error))?.status.unwrap_or_default();
            match status.as_str() {
                "Preparing" => total += 1,
                "Pushed" | "Layer already exists" => done += 1,
                _ if status.starts_with("Mounted from") => done += 1,
                _ => digest = digest_in(&status).or(digest),
            }
            if total > 0 {
                cx.progress("push", done, Some(total), false);
            }
        }
        digest.ok_or_else(|| DockerError::Answer { what: format!("push `{reference}`"), message: "it named no digest".to_owned() })
    }

    /// Pulls an image into the daemon.
    ///
    /// # Errors
    /// When the registry has no such image, or refuses, or gives nothing for a minute.
    pub async fn pull(&self, reference: &ImageRef, platform: Option<&Platform>, cx: &Cx) -> Result<(), DockerError> {
        let credentials = self.credentials(reference, cx).await;
        let version = reference.digest.as_ref().map(Digest::as_str).or(reference.tag.as_ref().map(Tag::as_str));
        let options = CreateImageOptions {
            from_image: Some(reference.name.to_string()),
            tag: Some(version.unwrap_or("latest").to_owned()),
            platform: platform.map(ToString::to_string).unwrap_or_default(),
            ..CreateImageOptions::default()
        };
        tracing::debug!("container daemon: pull `{reference}`");
        let mut lines = self.client.create_image(Some(options), None, Some(for_daemon(&credentials)));
        self.moved.mark();
        let mut layers: (HashSet<String>, u64) = Default::default();
        while let Some(line) = self.next_line(&mut lines, reference, "pulled", cx).await? {
            let line = line.map_err(|error| transfer_error(reference, "pulled", &credentials, &error))?;
            let (Some(id), Some(status)) = (line.id, line.status) else { continue };
            layers.0.insert(id);
            layers.1 += u64::from(matches!(status.as_str(), "Pull complete" | "Already exists"));
            cx.progress("pull", layers.1, Some(layers.0.len() as u64), false);
        }
        Ok(())
    }

    /// Returns images as an archive in Docker's format, part by part.
    pub fn save(&self, images: &[String]) -> impl Stream<Item = Result<Bytes, DockerError>> + Send + 'static {
        let names: Vec<&str> = images.iter().map(String::as_str).collect();
        let what = format!("save {}", images.join(", "));
        self.client.export_images(&names).map(move |part| part.map_err(|error| DockerError::from_answer(&what, &error))).boxed()
    }

    /// Loads an archive of images, in Docker's or OCI's format, into the daemon.
    ///
    /// # Errors
    /// When the archive cannot be read or is not one.
    pub async fn load<E>(&self, archive: impl Stream<Item = Result<Bytes, E>> + Send + 'static, cx: &Cx) -> Result<(), DockerError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let mut lines = self.client.import_image_stream(ImportImageOptions { quiet: true, platform: None }, archive, None);
        while let Some(line) = cx.unless_cancelled(lines.next()).await? {
            let line = line.map_err(|error| DockerError::from_answer("load an image", &error))?;
            if let Some(text) = line.stream {
                cx.log(LogStream::Stdout, text.trim_end());
            }
        }
        Ok(())
    }

    /// Returns the next line of a transfer; it has failed when neither it nor another one moved for the stall limit.
    async fn next_line<T>(
        &self,
        lines: &mut (impl Stream<Item = T> + Unpin),
        reference: &ImageRef,
        action: &'static str,
        cx: &Cx,
    ) -> Result<Option<T>, DockerError> {
        let next = async {
            tokio::select! {
                line = lines.next() => Ok(line),
                () = self.moved.stalled(STALL) => {
                    Err(DockerError::Stalled { reference: reference.to_string(), action, host: host_of(reference).to_owned(), limit: STALL })
                }
            }
        };
        let line = cx.unless_cancelled(next).await??;
        self.moved.mark();
        Ok(line)
    }

    /// Returns the credentials for the registry of an image.
    pub(super) async fn credentials(&self, reference: &ImageRef, cx: &Cx) -> Credentials {
        credentials::find(host_of(reference), &self.env, cx).await
    }
}

fn host_of(reference: &ImageRef) -> &str {
    reference.name.domain().unwrap_or("docker.io")
}

/// Returns credentials in the daemon's words; without any, an empty set, as the docker command sends.
pub(super) fn for_daemon(credentials: &Credentials) -> DockerCredentials {
    match &credentials.secret {
        None => DockerCredentials::default(),
        Some(Secret::Password { username, password }) => {
            DockerCredentials { username: Some(username.clone()), password: Some(password.clone()), ..DockerCredentials::default() }
        }
        Some(Secret::IdentityToken(token)) => DockerCredentials { identitytoken: Some(token.clone()), ..DockerCredentials::default() },
    }
}

fn transfer_error(reference: &ImageRef, action: &'static str, credentials: &Credentials, error: &bollard::errors::Error) -> DockerError {
    let message = match DockerError::from_answer("", error) {
        DockerError::NotFound { message, .. } | DockerError::Answer { message, .. } | DockerError::InUse { message, .. } => message,
        other => other.to_string(),
    };
    DockerError::Transfer {
        reference: reference.to_string(),
        action,
        message,
        host: host_of(reference).to_owned(),
        credentials: credentials.origin.clone(),
    }
}

/// Finds the digest in the last status of a push: `v1: digest: sha256:… size: 528`.
fn digest_in(status: &str) -> Option<Digest> {
    status.split(' ').skip_while(|word| *word != "digest:").nth(1).and_then(|text| Digest::parse(text).ok())
}
