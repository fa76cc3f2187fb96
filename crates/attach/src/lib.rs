//! Release to live connections: logs, file sync.

mod logs;
mod sync;

use devloop_clients::kube::KubeError;
use devloop_model::BuiltImage;
use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::Release;

pub use logs::LogSpec;
pub use logs::follow_logs;
pub use sync::Known;
pub use sync::Mark;
pub use sync::SyncItem;
pub use sync::SyncJob;
pub use sync::Synced;
pub use sync::Syncer;
pub use sync::destinations;
pub use sync::working_dir;

/// What is live now: each deploy of a session replaces it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The images of the release.
    pub images: Vec<BuiltImage>,
    /// Its objects.
    pub release: Release,
}

/// Why a connection to a release could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The cluster could not be watched.
    #[error("the pods of the release could not be watched")]
    Watch(#[source] KubeError),
    /// Files could not be synced.
    #[error("{}", .0.what)]
    Sync(Box<Diagnostic>),
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<Diagnostic> for AttachError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Sync(Box::new(diagnostic))
    }
}

impl AttachError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Watch(source) => {
                let inner = source.diagnostic();
                let mut error = Diagnostic::error("attach/watch", self.to_string()).because(inner.what);
                error.why.extend(inner.why);
                error.help = inner.help;
                error
            }
            Self::Sync(diagnostic) => Diagnostic::clone(diagnostic),
            Self::Cancelled(cancelled) => Diagnostic::error("attach/cancelled", cancelled.to_string()),
        }
    }
}
