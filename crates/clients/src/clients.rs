//! Every client of a session, each opened when it is first needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_model::BuiltImage;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Identity;
use devloop_model::ImageConfig;
use devloop_model::ImageRef;
use tokio::sync::OnceCell;

use crate::buildkit::BuildKit;
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
    /// Whether no cluster is of interest, so that none is asked where its daemon is.
    pub without_cluster: bool,
}

/// The clients of a session; cheap to clone, and all clones share their connections.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    settings: ClientSettings,
    registry: Registry,
    docker: OnceCell<Docker>,
    /// The environment that minikube gave: it takes a second to ask, and a daemon that does not answer is tried again and again.
    minikube: OnceCell<Env>,
    cluster: OnceCell<Cluster>,
    /// Images by digest, by their names.
    pinned: Mutex<BTreeMap<String, String>>,
    /// Builders, by what leads to them; each is opened by one build at a time.
    builders: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<BuildKit>>>>>,
    /// Clusters of other contexts.
    elsewhere: Mutex<BTreeMap<String, Cluster>>,
}

impl Clients {
    /// Returns clients that have not connected to anything yet.
    pub fn new(settings: ClientSettings) -> Self {
        let registry = Registry::new(RegistrySettings { insecure: settings.insecure_registries.clone(), env: settings.env.clone() });
        Self(Arc::new(Inner {
            settings,
            registry,
            docker: OnceCell::new(),
            minikube: OnceCell::new(),
            cluster: OnceCell::new(),
            pinned: Mutex::default(),
            builders: Mutex::default(),
            elsewhere: Mutex::default(),
        }))
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

    /// Returns the environment that leads to the daemon; minikube is asked until it says where its own is, and then no more. Source: skaffold `pkg/skaffold/docker/client.go`.
    async fn daemon_env(&self, cx: &Cx) -> Result<Env, DockerError> {
        let own = &self.0.settings.env;
        let Some(profile) = self.minikube_profile(cx).await else { return Ok(own.clone()) };
        match self.0.minikube.get_or_try_init(|| minikube_env(&profile, own, cx)).await {
            Ok(env) => Ok(env.clone()),
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
        if self.0.settings.without_cluster {
            return None;
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

    /// Returns the cluster of a context, or that of the session; the first call reads the kubeconfig, no request is made.
    ///
    /// # Errors
    /// As [`Clients::cluster`].
    pub async fn cluster_in(&self, context: Option<&str>, cx: &Cx) -> Result<Cluster, KubeError> {
        let Some(context) = context else { return self.cluster(cx).await.cloned() };
        let known = || self.0.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = known().get(context) {
            return Ok(cluster.clone());
        }
        let settings = KubeSettings { context: Some(context.to_owned()), ..self.0.settings.kube.clone() };
        let cluster = Cluster::connect(&settings, cx).await?;
        Ok(known().entry(context.to_owned()).or_insert(cluster).clone())
    }
}

impl Clients {
    /// Returns an image by its digest, which its registry is asked for once, so that a node does not take an older image of that name
    /// for it; as it is named where the registry cannot tell this machine.
    pub async fn pinned(&self, image: &str, cx: &Cx) -> String {
        let known = || self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = known().get(image) {
            return pinned.clone();
        }
        let Ok(reference) = image.parse::<ImageRef>() else { return image.to_owned() };
        let digest = if reference.digest.is_some() { None } else { self.registry().digest(&reference, cx).await.ok().flatten() };
        let pinned = digest.map_or_else(|| image.to_owned(), |digest| format!("{}@{digest}", reference.name));
        known().insert(image.to_owned(), pinned.clone());
        pinned
    }

    /// Returns the BuildKit that is known by `key` if it still answers, else the one that `open` gives.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn builder<F, E>(&self, key: &str, open: impl FnOnce() -> F) -> Result<BuildKit, E>
    where
        F: Future<Output = Result<BuildKit, E>>,
    {
        let known = Arc::clone(self.0.builders.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default());
        let mut known = known.lock().await;
        if let Some(buildkit) = &*known
            && buildkit.answers().await
        {
            return Ok(buildkit.clone());
        }
        Ok(known.insert(open().await?).clone())
    }

    /// Returns what an image says of how it is run, asked of what has it: the daemon that built it, or its registry.
    ///
    /// # Errors
    /// When neither can tell.
    pub async fn image_config(&self, image: &BuiltImage, cx: &Cx) -> Result<ImageConfig, Diagnostic> {
        let failed =
            |why: Diagnostic| Diagnostic::error("image/config", format!("how `{}` is run cannot be read", image.artifact)).caused_by(why);
        let document = if let Identity::Id(id) = &image.identity {
            let docker = self.docker(cx).await.map_err(|error| failed(error.diagnostic()))?;
            docker.image_config(id.as_str(), cx).await.map_err(|error| failed(error.diagnostic()))?.unwrap_or_default()
        } else {
            let no_name = |error: devloop_model::ImageNameError| failed(Diagnostic::error("image/name", error.to_string()));
            let reference = ImageRef::parse(&image.deployed()).map_err(no_name)?;
            self.registry().image(&reference, None, cx).await.map_err(|error| failed(error.diagnostic()))?.config
        };
        Ok(ImageConfig::of(&document))
    }
}

impl fmt::Debug for Clients {
    /// Names nothing: settings hold the environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    const KUBECONFIG: &str = "apiVersion: v1
kind: Config
current-context: minikube
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {}}]
contexts: [{name: minikube, context: {cluster: c, user: u}}]
";

    /// Returns clients of a context `minikube`, and a program of that name which counts its calls; it fails while there is a file `off`.
    fn clients(dir: &Path, detect_minikube: bool) -> Clients {
        let folder = dir.display();
        let script =
            format!("#!/bin/sh\necho asked >> {folder}/calls\n[ ! -e {folder}/off ] || exit 85\necho DOCKER_HOST=unix://{folder}/gone\n");
        let program = dir.join("minikube");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(dir.join("kubeconfig"), KUBECONFIG).unwrap();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
        let variables = [("PATH", path), ("HOME", folder.to_string()), ("DOCKER_HOST", format!("unix://{folder}/own"))];
        let env = Env::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>());
        let kube = KubeSettings { kubeconfig: Some(dir.join("kubeconfig")), context: None, env: env.clone() };
        Clients::new(ClientSettings { env, kube, detect_minikube, ..ClientSettings::default() })
    }

    fn calls(dir: &Path) -> usize {
        std::fs::read_to_string(dir.join("calls")).unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn minikube_is_asked_once_though_its_daemon_does_not_answer() {
        let cx = Cx::silent(StepId::of(Stage::Build));
        for detect in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let clients = clients(dir.path(), detect);
            for _ in 0..3 {
                let (one, other) = tokio::join!(clients.docker(&cx), clients.docker(&cx));
                let error = one.and(other).unwrap_err().diagnostic().to_string();
                assert!(error.contains("/gone"), "{error}");
            }
            assert_eq!(calls(dir.path()), 1);
        }
    }

    #[tokio::test]
    async fn minikube_that_was_started_meanwhile_is_found() {
        let cx = Cx::silent(StepId::of(Stage::Build));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("off"), "").unwrap();
        let clients = clients(dir.path(), true);
        let error = clients.docker(&cx).await.unwrap_err().diagnostic().to_string();
        assert!(error.contains("/own"), "{error}");
        std::fs::remove_file(dir.path().join("off")).unwrap();
        let error = clients.docker(&cx).await.unwrap_err().diagnostic().to_string();
        assert!(error.contains("/gone"), "{error}");
        assert_eq!(calls(dir.path()), 2);
    }
}
