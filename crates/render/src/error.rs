//! Why manifests could not be rendered.

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::helm::HelmError;
use devloop_clients::hooks::HookError;
use devloop_clients::http::HttpError;
use devloop_clients::kube::KubeError;
use devloop_clients::process::ProcessError;
use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::RemoteManifest;
use devloop_model::TemplateError;

/// Why manifests could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template in a path failed.
    #[error("`{pattern}` in `{field}` could not be expanded")]
    Template {
        /// The field that it stands in.
        field: &'static str,
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
    /// A path leads to no kustomization.
    #[error("there is no kustomization in `{}`", path.display())]
    NoKustomization {
        /// The path.
        path: PathBuf,
        /// Whether there is a directory.
        exists: bool,
        /// Where it stands in skaffold.yaml.
        at: Option<Box<Location>>,
    },
    /// No program builds kustomizations.
    #[error("neither `kustomize` nor `kubectl` was found on PATH")]
    NoKustomize,
    /// Kustomizations include one another.
    #[error("kustomizations include one another in a circle: {}", circle.iter().map(|dir| format!("`{}`", dir.display())).collect::<Vec<_>>().join(" -> "))]
    KustomizeCircle {
        /// Their directories; the first comes again at the end.
        circle: Vec<PathBuf>,
        /// Where the path that leads there stands in skaffold.yaml.
        at: Option<Box<Location>>,
    },
    /// Kustomize failed.
    #[error("Kustomize could not build `{address}`")]
    Kustomize {
        /// The directory or URL.
        address: String,
        /// Files that it names and that are not there.
        missing: Vec<PathBuf>,
        /// Where it stands in skaffold.yaml.
        at: Option<Box<Location>>,
        /// How it ended.
        source: ProcessError,
    },
    /// No file matches a pattern.
    #[error("`{pattern}` matches no manifest")]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The directory that it starts from.
        dir: PathBuf,
        /// Where it stands in skaffold.yaml.
        at: Option<Box<Location>>,
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
    #[error("`{}` in `{}` names no object", entry.manifest, entry.field)]
    RemoteName {
        /// The entry.
        entry: Box<RemoteManifest>,
    },
    /// There is no cluster to read remote manifests from.
    #[error("`{}` in `{}` needs a cluster", entry.manifest, entry.field)]
    NoCluster {
        /// The entry.
        entry: Box<RemoteManifest>,
    },
    /// An object of `remoteManifests` could not be read.
    #[error("`{}` could not be read from the cluster", entry.manifest)]
    Remote {
        /// The entry.
        entry: Box<RemoteManifest>,
        /// Why.
        source: Box<KubeError>,
    },
    /// An object of `remoteManifests` is not there.
    #[error("there is no `{}` in the cluster", entry.manifest)]
    RemoteMissing {
        /// The entry.
        entry: Box<RemoteManifest>,
    },
    /// An object cannot be written as YAML.
    #[error("{object} could not be written as YAML")]
    Write {
        /// The object.
        object: String,
        /// Why.
        why: String,
    },
    /// A hook failed.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A hook that changes manifests printed none.
    #[error("a post-render hook with `withChange: true` printed nothing: `{command}`")]
    HookOutput {
        /// Its command.
        command: String,
    },
    /// A release of helm could not be rendered.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

const INSTALL_KUSTOMIZE: &str =
    "install kubectl, which has Kustomize built in, or Kustomize itself: https://kubectl.docs.kubernetes.io/installation/kustomize";
/// Where relative paths start (Skaffold's `pkg/skaffold/parser/config.go`).
const PATHS_START: &str = "paths in `manifests.rawYaml` start from the working directory; those of a required configuration from its own";

/// Returns that nothing was found in a directory, and for an entry of skaffold.yaml which one that is.
fn looked_in(code: &'static str, what: String, dir: &Path, at: Option<&Location>) -> Diagnostic {
    let error = Diagnostic::error(code, what).because(format!("looked in {}", dir.display()));
    if at.is_some() { error.help(PATHS_START) } else { error }
}

impl RenderError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        let (diagnostic, at) = match self {
            Self::Template { at, source, .. } => (Diagnostic::error("render/template", what).because(&*source.why), at.as_deref()),
            Self::Missing { dir, at, .. } => (looked_in("render/no-such-manifest", what, dir, at.as_deref()), at.as_deref()),
            Self::NoMatch { dir, at, .. } => (looked_in("render/no-match", what, dir, at.as_deref()), at.as_deref()),
            Self::NoKustomization { exists, at, .. } => {
                let why = if *exists { "it has no `kustomization.yaml`" } else { "there is no such directory" };
                let help = "paths in `manifests.kustomize.paths` are directories, and start where those of `rawYaml` do";
                (Diagnostic::error("render/no-kustomization", what).because(why).help(help), at.as_deref())
            }
            Self::NoKustomize => (Diagnostic::error("render/no-kustomize", what).help(INSTALL_KUSTOMIZE), None),
            Self::KustomizeCircle { at, .. } => (
                Diagnostic::error("render/kustomize-circle", what).help("take one of them out of the `resources` of another"),
                at.as_deref(),
            ),
            Self::Kustomize { source, missing, at, .. } => {
                let error = Diagnostic::error("render/kustomize", what);
                let absent = missing.iter().map(|file| format!("it names `{}`, which does not exist", file.display()));
                (absent.fold(error, Diagnostic::because).caused_by(source.diagnostic()), at.as_deref())
            }
            Self::Pattern { why, at, .. } => (Diagnostic::error("render/pattern", what).because(&**why), at.as_deref()),
            Self::Address { at, .. } => {
                (Diagnostic::error("render/address", what).help("use a path, a pattern, or an `http://` or `https://` URL"), at.as_deref())
            }
            Self::Read { source, .. } => (Diagnostic::error("render/read", what).because(source.to_string()), None),
            Self::Fetch { source, at, .. } => (Diagnostic::error("render/fetch", what).caused_by(source.diagnostic()), at.as_deref()),
            Self::Yaml { at, why } => (Diagnostic::error("render/yaml", what).because(&**why), Some(&**at)),
            Self::NotAnObject { at, help, .. } => (Diagnostic::error("render/not-an-object", what).help(&**help), Some(&**at)),
            Self::RemoteName { entry } => {
                let help = "write `kind/name` or `namespace:kind/name`; a kind that kubectl has no short name for is `Kind.version.group`";
                (Diagnostic::error("render/remote-name", what).help(help), entry.at.as_ref())
            }
            Self::NoCluster { entry } => {
                (Diagnostic::error("render/no-cluster", what).help("leave out `--offline`, or remove the entry"), entry.at.as_ref())
            }
            Self::Remote { entry, source } => (Diagnostic::error("render/remote", what).caused_by(source.diagnostic()), entry.at.as_ref()),
            Self::RemoteMissing { entry } => (Diagnostic::error("render/remote-missing", what), entry.at.as_ref()),
            Self::Write { why, .. } => (Diagnostic::error("render/write", what).because(&**why), None),
            Self::Hook(error) => (error.diagnostic(), None),
            Self::HookOutput { .. } => (
                Diagnostic::error("render/hook-output", what)
                    .help("print the manifests that are to be deployed, or leave out `withChange` where it only looks at them"),
                None,
            ),
            Self::Helm(error) => (error.diagnostic(), None),
            Self::Cancelled(_) => (Diagnostic::error("render/interrupted", what), None),
        };
        match at {
            Some(at) => diagnostic.at(at.clone()),
            None => diagnostic,
        }
    }
}
