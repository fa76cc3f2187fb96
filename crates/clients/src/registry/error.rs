//! What a registry refuses or gets wrong, in the user's words.

use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cancelled;
use devloop_model::Diagnostic;

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It answered 401 or 403.
    #[error("registry `{host}` refuses to {action} `{repository}` ({status})")]
    Refused {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// `push to` or `pull from`.
        action: &'static str,
        /// The status.
        status: u16,
        /// Which credentials were used.
        credentials: String,
        /// Its own words; may be empty.
        message: String,
    },
    /// Its name does not resolve.
    #[error("registry `{host}` is not known: its name does not resolve")]
    UnknownHost {
        /// The registry.
        host: String,
    },
    /// Nothing listens there.
    #[error("registry `{host}` refuses connections")]
    ConnectionRefused {
        /// The registry.
        host: String,
    },
    /// It stopped answering.
    #[error("registry `{host}` did not answer for {} s", limit.as_secs_f32())]
    TimedOut {
        /// The registry.
        host: String,
        /// What was asked.
        request: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// TLS failed.
    #[error("no trusted TLS connection to registry `{host}`")]
    Tls {
        /// The registry.
        host: String,
        /// Why.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to registry `{host}` broke")]
    Broken {
        /// The registry.
        host: String,
        /// Why.
        why: String,
    },
    /// It has no such manifest.
    #[error("there is no image `{reference}`")]
    ManifestUnknown {
        /// What was asked for.
        reference: String,
        /// The registry.
        host: String,
    },
    /// The image is for other platforms.
    #[error("image `{reference}` is not made for `{platform}`")]
    PlatformUnknown {
        /// What was asked for.
        reference: String,
        /// The platform.
        platform: String,
        /// What it is made for.
        offered: Vec<String>,
    },
    /// It has no such blob.
    #[error("registry `{host}` has no blob `{digest}` in `{repository}`")]
    BlobUnknown {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// The blob.
        digest: String,
    },
    /// It answered something else than was expected.
    #[error("registry `{host}` answered {status} to `{request}`")]
    Answer {
        /// The registry.
        host: String,
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// Its own words; may be empty.
        message: String,
    },
    /// What it sent is not what a registry sends.
    #[error("registry `{host}` sent {what}")]
    Malformed {
        /// The registry.
        host: String,
        /// What.
        what: String,
    },
    /// A layer could not be read or written here.
    #[error("`{}` could not be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled(#[from] Cancelled),
}

impl RegistryError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = |code| Diagnostic::error(code, self.to_string());
        match self {
            Self::Refused { host, status, credentials, message, .. } => {
                let refused = with_message(error("registry/refused").because(format!("used {credentials}")), message);
                if *status == 401 || credentials.starts_with("no credentials") {
                    refused.help(format!("run `docker login {host}`"))
                } else {
                    refused.help("ask for the right to do this, or name another repository with `--default-repo`")
                }
            }
            Self::UnknownHost { .. } => {
                error("registry/unknown-host").help("check the image name, `--default-repo`, and the connection to the network")
            }
            Self::ConnectionRefused { .. } => error("registry/connection-refused").help("start the registry, or check host and port in the image name or `--default-repo`"),
            Self::TimedOut { request, .. } => {
                error("registry/timed-out").because(format!("waiting for `{request}`")).help("check the registry and the connection to it, proxies included")
            }
            Self::Tls { host, why } => error("registry/tls")
                .because(why.clone())
                .help(format!("if this registry is meant to have no trusted certificate, add `{host}` to `--insecure-registry` or `build.insecureRegistries`")),
            Self::Broken { why, .. } => error("registry/broken-connection").because(why.clone()),
            Self::ManifestUnknown { host, .. } => {
                error("registry/manifest-unknown").because(format!("registry `{host}` does not have it")).help("check its name and tag, or push it first")
            }
            Self::PlatformUnknown { offered, .. } => {
                error("registry/platform-unknown").because(format!("it is made for {}", offered.join(", "))).help("choose one of these with `--platform`, or another base image")
            }
            Self::BlobUnknown { .. } => error("registry/blob-unknown").help("push the image again"),
            Self::Answer { status, message, .. } => {
                let answer = with_message(error("registry/unexpected-answer"), message);
                match status {
                    429 => answer.help("wait a little: the registry limits how often it is asked; `docker login` may raise that limit"),
                    500.. => answer.help("try again; if it stays so, look at the registry's log"),
                    _ => answer,
                }
            }
            Self::Malformed { .. } => error("registry/malformed").help("check that this host is a registry"),
            Self::File { source, .. } => error("registry/file").because(source.to_string()),
            Self::Cancelled(_) => error("registry/interrupted"),
        }
    }

    /// Returns whether the same request may succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Answer { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

fn with_message(diagnostic: Diagnostic, message: &str) -> Diagnostic {
    if message.is_empty() { diagnostic } else { diagnostic.because(format!("the registry says: {message}")) }
}
