//! Why a release did not come to be.

use std::time::Duration;

use devloop_clients::compose::ComposeError;
use devloop_clients::docker::DockerError;
use devloop_clients::helm::HelmError;
use devloop_clients::hooks::HookError;
use devloop_clients::kube::KubeError;
use devloop_clients::process::ProcessError;
use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::ObjectKey;
use devloop_model::TemplateError;

/// Why a deploy, a status check or a delete failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The cluster did not do something that is about no single object.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// The cluster did not take an object.
    #[error("{error}")]
    Object {
        /// The object.
        key: Box<ObjectKey>,
        /// Where it was read.
        source_of: String,
        /// What the cluster says.
        error: Box<KubeError>,
    },
    /// Several objects failed.
    #[error("{} objects could not be applied", .0.len())]
    Several(Vec<DeployError>),
    /// An object that is to be applied has no name.
    #[error("{kind} in {source_of} has no `metadata.name`")]
    NoName {
        /// Its kind.
        kind: String,
        /// Where it was read.
        source_of: String,
    },
    /// Objects that are being deleted do not go.
    #[error("{object} is still being deleted after {} s", limit.as_secs())]
    StillDeleting {
        /// The object.
        object: Box<ObjectKey>,
        /// How long they were waited for.
        limit: Duration,
    },
    /// `deploy.kubectl.defaultNamespace` does not render.
    #[error("`deploy.kubectl.defaultNamespace` cannot be rendered")]
    DefaultNamespace(#[from] TemplateError),
    /// The real kubectl, which the flags ask for, failed.
    #[error("kubectl {verb} failed")]
    Kubectl {
        /// `apply` or `delete`.
        verb: &'static str,
        /// How it ended.
        error: ProcessError,
    },
    /// A hook failed.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A name in a hook is no pattern.
    #[error("`{pattern}` in a hook is not a valid pattern")]
    HookPattern {
        /// The pattern.
        pattern: String,
        /// Why.
        why: String,
    },
    /// The container daemon did not do something.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// docker compose did not do its work.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// A container cannot be run as wanted.
    #[error("{}", .0.what)]
    Container(Box<Diagnostic>),
    /// helm did not do its work, or its records could not be read.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// A release of helm is not as a deploy needs it.
    #[error("{}", .0.what)]
    Release(Box<Diagnostic>),
    /// What was deployed does not become ready.
    #[error("{}", .0.what)]
    NotReady(Box<Diagnostic>),
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl From<Cancelled> for DeployError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl DeployError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Kube(error) => error.diagnostic(),
            Self::Object { key, source_of, error } => object_diagnostic(key, source_of, error),
            Self::Several(errors) => several_diagnostic(errors),
            Self::NoName { .. } => Diagnostic::error("deploy/no-name", self.to_string())
                .help("give it a name; `metadata.generateName` cannot be applied twice"),
            Self::StillDeleting { object, .. } => Diagnostic::error("deploy/still-deleting", self.to_string()).help(format!(
                "look at its finalizers with `kubectl get {} -o yaml`, or wait longer with `--wait-for-deletions-max`",
                object.for_kubectl()
            )),
            Self::DefaultNamespace(error) => Diagnostic::error("deploy/default-namespace", self.to_string()).because(error.to_string()),
            Self::Kubectl { error, .. } => Diagnostic::error("deploy/kubectl", self.to_string()).caused_by(error.diagnostic()),
            Self::Hook(error) => error.diagnostic(),
            Self::HookPattern { why, .. } => Diagnostic::error("deploy/hook-pattern", self.to_string())
                .because(&**why)
                .help("`podName` and `containerName` are globs: `*`, `?` and `[a-z]`"),
            Self::Docker(error) => error.diagnostic(),
            Self::Compose(error) => error.diagnostic(),
            Self::Helm(error) => error.diagnostic(),
            Self::Container(diagnostic) | Self::Release(diagnostic) | Self::NotReady(diagnostic) => (**diagnostic).clone(),
            Self::Cancelled => Diagnostic::error("deploy/interrupted", self.to_string()),
        }
    }

    /// Returns an error about an object that was read in `source_of`.
    pub(crate) fn object(key: &ObjectKey, source_of: &str, error: KubeError) -> Self {
        Self::Object { key: Box::new(key.clone()), source_of: source_of.to_owned(), error: Box::new(error) }
    }

    /// Returns whether the cluster is away rather than unwilling, so that the same may work a little later.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Kube(error) | Self::Helm(HelmError::Kube(error)) => error.is_outage(),
            Self::Object { error, .. } => error.is_outage(),
            Self::Several(errors) => errors.iter().all(Self::is_outage),
            _ => false,
        }
    }

    /// Returns whether the step was cancelled, so that this is no failure.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled
            | Self::Kube(KubeError::Cancelled)
            | Self::Hook(HookError::Cancelled)
            | Self::Docker(DockerError::Cancelled(_))
            | Self::Kubectl { error: ProcessError::Cancelled, .. } => true,
            Self::Object { error, .. } => matches!(**error, KubeError::Cancelled),
            Self::Helm(error) => error.is_cancelled(),
            Self::Compose(error) => error.is_cancelled(),
            Self::Several(errors) => errors.iter().any(Self::is_cancelled),
            _ => false,
        }
    }
}

fn object_diagnostic(key: &ObjectKey, source_of: &str, error: &KubeError) -> Diagnostic {
    let mut diagnostic = error.diagnostic();
    if error.is_immutable_field() {
        diagnostic.help = Some(format!("this field can never be changed: run with `--force`, which deletes {key} and creates it anew"));
    }
    if !source_of.is_empty() {
        diagnostic = diagnostic.because(format!("from {source_of}"));
    }
    diagnostic
}

/// The first one in full, the others in a line each.
fn several_diagnostic(errors: &[DeployError]) -> Diagnostic {
    let mut diagnostics = errors.iter().map(DeployError::diagnostic);
    let Some(mut first) = diagnostics.next() else { return Diagnostic::error("deploy/failed", "objects could not be applied") };
    for other in diagnostics {
        let why = other.why.first().map(|why| format!(": {}", why.replace('\n', "; "))).unwrap_or_default();
        first = first.because(format!("also: {}{why}", other.what));
    }
    first
}
