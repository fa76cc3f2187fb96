//! Everything that can go wrong between an artifact and its image.

use std::path::PathBuf;

use devloop_clients::docker::DockerError;
use devloop_clients::hooks::HookError;
use devloop_clients::kube::KubeError;
use devloop_clients::process::ProcessError;
use devloop_clients::registry::RegistryError;
use devloop_model::Artifact;
use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::Location;

/// Why an artifact could not be prepared or built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The step was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A child process failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A hook failed.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The cluster failed.
    #[error(transparent)]
    Kube(KubeError),
    /// The container daemon failed.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Artifacts require one another in a circle.
    #[error("artifacts require one another in a circle: {}", images.iter().map(|image| format!("`{image}`")).collect::<Vec<_>>().join(" -> "))]
    Circle {
        /// Along the circle; the first comes again at the end.
        images: Vec<ImageName>,
        /// Where the first of them stands.
        at: Option<Box<Location>>,
    },
    /// An artifact requires one that does not exist.
    #[error("artifact `{artifact}` requires `{required}`, which is no artifact")]
    UnknownRequirement {
        /// The artifact.
        artifact: ImageName,
        /// What it asks for.
        required: ImageName,
        /// Where it stands.
        at: Box<Location>,
    },
    /// The build context is not there.
    #[error("the build context of `{artifact}` does not exist: `{}`", path.display())]
    NoContext {
        /// The artifact.
        artifact: ImageName,
        /// Its context.
        path: PathBuf,
        /// Where the artifact stands.
        at: Box<Location>,
    },
    /// A file or directory could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was found wrong is told in full already: a Dockerfile with its line, a failing build
    /// with its last lines.
    #[error("{}", .0.what)]
    Told(Box<Diagnostic>),
}

impl BuildError {
    /// Returns this error with the place of `artifact`, where it was told without one.
    pub(crate) fn in_artifact(self, artifact: &Artifact) -> Self {
        match self {
            Self::Told(told) if told.at.is_none() => Self::Told(Box::new(told.at(artifact.at.clone()))),
            other => other,
        }
    }

    /// Returns what the user is told.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Cancelled(_) => Diagnostic::error("build/interrupted", self.to_string()),
            Self::Process(error) => error.diagnostic(),
            Self::Hook(error) => error.diagnostic(),
            Self::Registry(error) => error.diagnostic(),
            Self::Docker(error) => error.diagnostic(),
            Self::Kube(error) => error.diagnostic(),
            Self::Circle { at, .. } => {
                let diagnostic = Diagnostic::error("build/circle", self.to_string()).help("remove one of these `requires`");
                match at {
                    Some(at) => diagnostic.at((**at).clone()),
                    None => diagnostic,
                }
            }
            Self::UnknownRequirement { required, at, .. } => Diagnostic::error("build/unknown-requirement", self.to_string())
                .at((**at).clone())
                .help(format!("add an artifact with `image: {required}`, or require its module")),
            Self::NoContext { at, .. } => Diagnostic::error("build/no-context", self.to_string())
                .at((**at).clone())
                .help("set `context` to an existing directory, relative to skaffold.yaml"),
            Self::Read { source, .. } => Diagnostic::error("build/unreadable", self.to_string()).because(source.to_string()),
            Self::Told(diagnostic) => (**diagnostic).clone(),
        }
    }
}

impl From<KubeError> for BuildError {
    fn from(error: KubeError) -> Self {
        match error {
            KubeError::Cancelled => Self::Cancelled(Cancelled),
            error => Self::Kube(error),
        }
    }
}

impl From<Diagnostic> for BuildError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Told(Box::new(diagnostic))
    }
}
