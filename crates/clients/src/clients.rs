//! Every client of a session, each opened when it is first needed.

use std::fmt;
use std::sync::Arc;

use devloop_model::Cx;
use devloop_model::Env;
use tokio::sync::OnceCell;

use crate::docker::Docker;
use crate::docker::DockerError;
use crate::kube::Cluster;
use crate::kube::KubeError;
use crate::kube::KubeSettings;
use crate::registry::Registry;
use crate::registry::RegistrySettings;

/// What clients need to know to connect.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// The environment.
    pub env: Env,
    /// Which cluster.
    pub kube: KubeSettings,
    /// Registries that are spoken to without TLS, or without checking it.
    pub insecure_registries: Vec<String>,
}

/// The clients of a session; cheap to clone, and all clones share their connections.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    settings: ClientSettings,
    registry: Registry,
    docker: OnceCell<Docker>,
    cluster: OnceCell<Cluster>,
}

impl Clients {
    /// Returns clients that have not connected to anything yet.
    pub fn new(settings: ClientSettings) -> Self {
        let registry = Registry::new(RegistrySettings { insecure: settings.insecure_registries.clone(), env: settings.env.clone() });
        Self(Arc::new(Inner { settings, registry, docker: OnceCell::new(), cluster: OnceCell::new() }))
    }

    /// Returns the client of all registries.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Returns the container daemon; the first call connects, and a failed one is tried again by the next.
    ///
    /// # Errors
    /// When there is no daemon, or it does not answer.
    pub async fn docker(&self, cx: &Cx) -> Result<&Docker, DockerError> {
        self.0.docker.get_or_try_init(|| Docker::connect(&self.0.settings.env, cx)).await
    }

    /// Returns the cluster; the first call reads the kubeconfig, no request is made.
    ///
    /// # Errors
    /// When there is no kubeconfig, or it does not have the context.
    pub async fn cluster(&self, cx: &Cx) -> Result<&Cluster, KubeError> {
        self.0.cluster.get_or_try_init(|| Cluster::connect(&self.0.settings.kube, cx)).await
    }
}

impl fmt::Debug for Clients {
    /// Names nothing: settings hold the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}
