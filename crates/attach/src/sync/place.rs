//! Where a container is, and the ways into it that there are for that.

use std::fmt;

use devloop_clients::docker::Docker;
use devloop_clients::exec::ExecTarget;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::registry::Registry;
use devloop_model::Cx;
use serde_json::Value;

use super::agent::Agent;
use super::beside::Beside;
use super::channel::Closed;
use super::channel::Route;
use super::put;
use super::upload;

/// Where a container is, for as long as it is itself.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a pod.
    Pod {
        container: ContainerRef,
        /// `securityContext` of the container, with what the pod says where it says nothing.
        security: Value,
        cluster: Cluster,
        /// Gets the image of what runs beside it.
        registry: Registry,
    },
    /// In the container daemon.
    Daemon { name: String, id: String, docker: Docker },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target().fmt(f)
    }
}

impl Place {
    /// Returns the container for commands.
    pub(super) fn target(&self) -> ExecTarget<'_> {
        match self {
            Self::Pod { container, cluster, .. } => ExecTarget::Pod { container, cluster },
            Self::Daemon { name, id, docker } => ExecTarget::Daemon { name, id, docker },
        }
    }

    /// Returns the ways in the order in which they are tried.
    pub(super) fn routes(&self) -> &'static [Route] {
        match self {
            Self::Pod { .. } => &[Route::Inside, Route::Beside, Route::AsRoot, Route::Archive],
            Self::Daemon { .. } => &[Route::Inside, Route::AsRoot, Route::Archive],
        }
    }

    /// Returns whether a way may be opened before it is needed: it leaves nothing beside the container.
    pub(super) fn opens_early(&self, route: Route) -> bool {
        match self {
            Self::Pod { .. } => route == Route::Inside,
            Self::Daemon { .. } => route != Route::Archive,
        }
    }

    /// Returns an agent that serves the container, which runs `image`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn agent(&self, route: Route, image: &str, cx: &Cx) -> Result<Agent, Closed> {
        let as_root = route == Route::AsRoot;
        match self {
            Self::Pod { container, cluster, .. } if route == Route::Inside => upload::start(container, cluster, cx).await,
            Self::Pod { container, security, cluster, registry } => {
                Beside { container, image, security, as_root, cluster, registry, cx }.start().await
            }
            Self::Daemon { id, docker, .. } => put::start(id, as_root, docker, cx).await,
        }
    }

    /// Returns what people are told of a way.
    pub(super) fn name(&self, route: Route) -> &'static str {
        match (self, route) {
            (_, Route::Archive) => "the container's tar",
            (Self::Pod { .. }, Route::Inside) => "an agent in the container, by its shell",
            (Self::Pod { .. }, Route::Beside) => "an agent in a container beside it",
            (Self::Pod { .. }, Route::AsRoot) => "an agent beside it, as root",
            (Self::Daemon { .. }, Route::AsRoot) => "an agent in the container, as root",
            (Self::Daemon { .. }, _) => "an agent in the container",
        }
    }

    /// Returns what to do where no way opens.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Pod { .. } => {
                "give the image a shell and a directory that its user can write, or allow ephemeral containers in the namespace; or take `sync` away from the artifact"
            }
            Self::Daemon { .. } => "build the image for the platform of this machine, or take `sync` away from the artifact",
        }
    }
}
