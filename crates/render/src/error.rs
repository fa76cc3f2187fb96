//! Why manifests could not be rendered.

use std::path::PathBuf;

use devloop_clients::http::HttpError;
use devloop_clients::kube::KubeError;
use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::TemplateError;

/// Why manifests could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template in a path failed.
    #[error("`{pattern}` in `manifests.rawYaml` could not be expanded")]
    Template {
        /// The entry, as written.
        pattern: String,
        /// Where it stands.
        at: Option<Box<Location>>,
        /// Why.
        source: TemplateError,
    },
    /// A path leads nowhere.
    #[error("there is no manifest `{path}`")]
    Missing {
        /// The path, as written.
        path: String,
        /// The directory that it starts from.
        dir: PathBuf,
        /// Where it stands.
        at: Option<Box<Location>>,
    },
    /// A pattern is not one.
    #[error("`{pattern}` is not a valid pattern")]
    Pattern {
        /// The pattern, as written.
        pattern: String,
        /// Why.
        why: String,
        /// Where it stands.
        at: Option<Box<Location>>,
    },
    /// A kind of address that is not read from.
    #[error("manifests cannot be read from `{address}`")]
    Address {
        /// The address.
        address: String,
        /// Where it stands.
        at: Option<Box<Location>>,
    },
    /// A file cannot be read.
    #[error("manifest `{}` could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A URL cannot be read.
    #[error("manifest `{url}` could not be downloaded")]
    Fetch {
        /// The URL.
        url: String,
        /// Where it stands in skaffold.yaml.
        at: Option<Box<Location>>,
        /// Why.
        source: HttpError,
    },
    /// A text is not YAML.
    #[error("{} is not valid YAML", at.file.display())]
    Yaml {
        /// Where.
        at: Box<Location>,
        /// What the parser says.
        why: String,
    },
    /// A document is not a Kubernetes object.
    #[error("{what}")]
    NotAnObject {
        /// What is wrong, with the document's number.
        what: String,
        /// Where the document starts.
        at: Box<Location>,
        /// What to do.
        help: String,
    },
    /// An entry of `remoteManifests` is not written as it must be.
    #[error("`{manifest}` in `manifests.remoteManifests` names no object")]
    RemoteName {
        /// The entry.
        manifest: String,
    },
    /// There is no cluster to read remote manifests from.
    #[error("`{manifest}` in `manifests.remoteManifests` needs a cluster")]
    NoCluster {
        /// The entry.
        manifest: String,
    },
    /// An object of `remoteManifests` could not be read.
    #[error("`{manifest}` could not be read from the cluster")]
    Remote {
        /// The entry.
        manifest: String,
        /// Why.
        source: Box<KubeError>,
    },
    /// An object of `remoteManifests` is not there.
    #[error("there is no `{manifest}` in the cluster")]
    RemoteMissing {
        /// The entry.
        manifest: String,
    },
    /// An object cannot be written as YAML.
    #[error("{object} could not be written as YAML")]
    Write {
        /// The object.
        object: String,
        /// Why.
        why: String,
    },
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl RenderError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        let (diagnostic, at) = match self {
            Self::Template { at, source, .. } => (Diagnostic::error("render/template", what).because(&*source.why), at.as_ref()),
            Self::Missing { dir, at, .. } => (
                Diagnostic::error("render/no-such-manifest", what)
                    .because(format!("looked in {}", dir.display()))
                    .help("paths in `manifests.rawYaml` start from the directory of their skaffold.yaml"),
                at.as_ref(),
            ),
            Self::Pattern { why, at, .. } => (Diagnostic::error("render/pattern", what).because(&**why), at.as_ref()),
            Self::Address { at, .. } => {
                (Diagnostic::error("render/address", what).help("use a path, a pattern, or an `http://` or `https://` URL"), at.as_ref())
            }
            Self::Read { source, .. } => (Diagnostic::error("render/read", what).because(source.to_string()), None),
            Self::Fetch { source, at, .. } => (inherit(Diagnostic::error("render/fetch", what), source.diagnostic()), at.as_ref()),
            Self::Yaml { at, why } => (Diagnostic::error("render/yaml", what).because(&**why), Some(at)),
            Self::NotAnObject { at, help, .. } => (Diagnostic::error("render/not-an-object", what).help(&**help), Some(at)),
            Self::RemoteName { .. } => {
                (Diagnostic::error("render/remote-name", what).help("write `kind/name` or `namespace:kind/name`"), None)
            }
            Self::NoCluster { .. } => {
                (Diagnostic::error("render/no-cluster", what).help("leave out `--offline`, or remove the entry"), None)
            }
            Self::Remote { source, .. } => (inherit(Diagnostic::error("render/remote", what), source.diagnostic()), None),
            Self::RemoteMissing { .. } => (Diagnostic::error("render/remote-missing", what), None),
            Self::Write { why, .. } => (Diagnostic::error("render/write", what).because(&**why), None),
            Self::Cancelled(_) => (Diagnostic::error("render/interrupted", what), None),
        };
        match at {
            Some(at) => diagnostic.at((**at).clone()),
            None => diagnostic,
        }
    }
}

/// Returns `outer` with what `inner` says as its causes.
fn inherit(mut outer: Diagnostic, inner: Diagnostic) -> Diagnostic {
    outer.why.push(inner.what);
    outer.why.extend(inner.why);
    outer.help = outer.help.or(inner.help);
    outer
}
