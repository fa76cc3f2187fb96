//! Every client of a session, each opened when it is first needed.

use std::fmt;
use std::sync::Arc;

use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use tokio::sync::OnceCell;

use crate::docker::Docker;
use crate::docker::DockerError;
use crate::docker::minikube_env;
use crate::kube::Cluster;
use crate::kube::KubeError;
use crate::kube::KubeSettings;
use crate::process::ProcessError;
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
    /// `--minikube-profile`: build in the daemon of this profile, whatever the context is.
    pub minikube_profile: Option<String>,
    /// `--detect-minikube`: whether a cluster that minikube made is known by more than its context's name.
    pub detect_minikube: bool,
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

    /// Returns the container daemon, that of minikube where it runs the cluster; the first call connects, and a failed one is
    /// tried again by the next.
    ///
    /// # Errors
    /// When there is no daemon, or it does not answer.
    pub async fn docker(&self, cx: &Cx) -> Result<&Docker, DockerError> {
        let connect = || async { Docker::connect(&self.daemon_env(cx).await?, cx).await };
        self.0.docker.get_or_try_init(connect).await
    }

    /// Returns the environment that leads to the daemon. Source: skaffold `pkg/skaffold/docker/client.go`.
    async fn daemon_env(&self, cx: &Cx) -> Result<Env, DockerError> {
        let own = &self.0.settings.env;
        let Some(profile) = self.minikube_profile(cx).await else { return Ok(own.clone()) };
        match minikube_env(&profile, own, cx).await {
            Ok(env) => Ok(env),
            Err(ProcessError::Cancelled) => Err(Cancelled.into()),
            Err(error) => {
                let fault = error.diagnostic();
                let warning = Diagnostic::warning("docker/minikube", format!("the daemon of minikube profile `{profile}` is not known"));
                let warning = fault.why.into_iter().fold(warning.because(fault.what), Diagnostic::because);
                cx.warn(warning.help("images are built in the daemon of this machine; start the profile with `minikube start`"));
                Ok(own.clone())
            }
        }
    }

    /// Returns the minikube profile that runs the cluster, if one does; it is called as the context.
    async fn minikube_profile(&self, cx: &Cx) -> Option<String> {
        if let Some(profile) = &self.0.settings.minikube_profile {
            return Some(profile.clone());
        }
        let cluster = self.cluster(cx).await.ok()?;
        let context = cluster.context()?;
        (context == "minikube" || (self.0.settings.detect_minikube && cluster.is_minikube())).then(|| context.to_owned())
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
