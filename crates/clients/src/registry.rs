//! Image registries by the OCI distribution protocol: digests, manifests, blobs, pushes.

mod challenge;
pub(crate) mod credentials;
mod error;
mod host;
mod pull;
mod push;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use oci_spec::image::ImageManifest;
use sha2::Digest as _;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

pub use credentials::Credentials;
pub use credentials::Secret;
pub use error::RegistryError;
pub use pull::RemoteManifest;

/// The media types of manifests that are understood, most wanted first.
pub const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What a [`Registry`] is told by the user.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Registries that are spoken to without TLS, or without checking it; `host[:port]`.
    pub insecure: Vec<String>,
    /// Where docker's configuration is, and on which PATH its credential helpers are.
    pub env: Env,
}

/// All registries; cheap to clone, and clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: RegistrySettings,
    limits: Limits,
    clients: host::Clients,
    hosts: Mutex<HashMap<String, Arc<OnceCell<Arc<host::Host>>>>>,
}

/// How long things may take, and how often they are tried.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    stall: Duration,
    first_pause: Duration,
    attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), stall: Duration::from_secs(30), first_pause: Duration::from_millis(250), attempts: 4 }
    }
}

/// An image as a registry has it, without its layers.
#[derive(Debug, Clone)]
pub struct RemoteImage {
    /// Digest of what was asked for: of the index, if it is one.
    pub digest: Digest,
    /// Digest of the manifest for the platform.
    pub manifest_digest: Digest,
    /// Media type of that manifest: OCI's or Docker's.
    pub media_type: String,
    /// That manifest.
    pub manifest: ImageManifest,
    /// That manifest, byte for byte.
    pub manifest_bytes: Bytes,
    /// The image's configuration.
    pub config: serde_json::Value,
    /// The configuration, byte for byte.
    pub config_bytes: Bytes,
}

/// An image to push.
#[derive(Debug, Clone)]
pub struct PushImage {
    /// The manifest.
    pub manifest: Bytes,
    /// Its media type.
    pub media_type: String,
    /// The configuration that it names.
    pub config: Bytes,
    /// The layers that it names.
    pub layers: Vec<PushLayer>,
}

/// A layer to push, as the manifest's descriptor names it.
#[derive(Debug, Clone)]
pub struct PushLayer {
    /// Digest of the blob.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Where it comes from.
    pub blob: Blob,
}

/// Where a blob comes from.
#[derive(Debug, Clone)]
pub enum Blob {
    /// From memory.
    Bytes(Bytes),
    /// From a file.
    File(PathBuf),
    /// From another repository: mounted where the registry can, else copied through.
    InRepository(ImageName),
}

impl Registry {
    /// Returns a client for all registries; nothing is contacted yet.
    pub fn new(settings: RegistrySettings) -> Self {
        Self::with_limits(settings, Limits::default())
    }

    fn with_limits(settings: RegistrySettings, limits: Limits) -> Self {
        let clients = host::Clients::new(limits);
        Self { inner: Arc::new(Inner { settings, limits, clients, hosts: Mutex::new(HashMap::new()) }) }
    }
}

/// Returns whether the registry of an image is this very machine, so that no network is between.
pub fn is_here(name: &ImageName) -> bool {
    host::is_loopback(&Place::of(name).host)
}

/// Returns the digest of `bytes`.
pub fn digest_of(bytes: &[u8]) -> Digest {
    digest_from(&sha2::Sha256::digest(bytes))
}

/// Returns the digest whose bytes a SHA-256 hasher gave, so that what is hashed need not be in memory.
pub fn digest_from(hash: &[u8]) -> Digest {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in hash {
        write!(text, "{byte:02x}").expect("a String takes every text");
    }
    Digest::parse(&text).expect("64 hexadecimal digits")
}

/// Where a name points: Docker Hub when it names no registry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    repository: String,
}

impl Place {
    /// By the rule of `distribution/reference`: `web` is `docker.io/library/web`.
    fn of(name: &ImageName) -> Self {
        match name.domain() {
            None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io") => {
                let path = name.path();
                let repository = if path.contains('/') { path.to_owned() } else { format!("library/{path}") };
                Self { host: "docker.io".to_owned(), repository }
            }
            Some(host) => Self { host: host.to_owned(), repository: name.path().to_owned() },
        }
    }
}

/// What a manifest is asked for by: the digest if there is one, else the tag, else `latest`.
fn manifest_key(reference: &ImageRef) -> &str {
    match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.as_str(),
        (None, Some(tag)) => tag.as_str(),
        (None, None) => "latest",
    }
}
