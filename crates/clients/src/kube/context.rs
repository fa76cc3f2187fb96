//! Which cluster: kubeconfig files, contexts, or the pod that this process runs in.

use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Env;
use kube::config::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;

use super::Cluster;
use super::KubeError;
use super::cluster::chain;

/// How long a login plugin may take: it may wait for a person.
const LOGIN_LIMIT: Duration = Duration::from_mins(2);

/// What the command line and the environment say about the cluster.
#[derive(Debug, Clone, Default)]
pub struct KubeSettings {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--kube-context`, or `deploy.kubeContext`.
    pub context: Option<String>,
    /// The environment: `KUBECONFIG`, `HOME`.
    pub env: Env,
}

impl KubeSettings {
    /// Returns the files that are read, first wins (kubectl's loading rules).
    fn files(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.kubeconfig {
            return vec![path.clone()];
        }
        let listed: Vec<PathBuf> = self
            .env
            .get("KUBECONFIG")
            .map(|list| std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        if !listed.is_empty() {
            return listed;
        }
        self.env.get("HOME").map(|home| PathBuf::from(home).join(".kube/config")).into_iter().collect()
    }

    /// Returns the merged kubeconfig; none if there is no file.
    fn read(&self) -> Result<Option<Kubeconfig>, KubeError> {
        let files = self.files();
        let there: Vec<&PathBuf> = files.iter().filter(|path| path.exists()).collect();
        if let (Some(path), true) = (&self.kubeconfig, there.is_empty()) {
            return Err(KubeError::NoKubeconfig { tried: vec![path.clone()] });
        }
        if there.is_empty() {
            return Ok(None);
        }
        let merged =
            there.iter().try_fold(Kubeconfig::default(), |merged, path| Kubeconfig::read_from(path).and_then(|next| merged.merge(next)));
        merged.map(Some).map_err(|error| KubeError::BadKubeconfig { why: chain(&error).join(": ") })
    }

    fn in_pod(&self) -> bool {
        self.env.get("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty())
    }
}

fn names(config: &Kubeconfig) -> Vec<String> {
    config.contexts.iter().map(|context| context.name.clone()).collect()
}

/// Returns the context that would be used, without connecting to it; none where there is no kubeconfig or it names none.
///
/// # Errors
/// When a kubeconfig cannot be read.
pub fn current_context(settings: &KubeSettings) -> Result<Option<String>, KubeError> {
    if settings.context.is_some() {
        return Ok(settings.context.clone());
    }
    Ok(settings.read()?.and_then(|config| config.current_context).filter(|context| !context.is_empty()))
}

impl Cluster {
    /// Returns the cluster of the settings' context; no request is made, but a login plugin of the context may run.
    ///
    /// # Errors
    /// When there is no kubeconfig, no such context, or no credentials.
    pub async fn connect(settings: &KubeSettings, cx: &Cx) -> Result<Self, KubeError> {
        // A second call finds the provider installed, which is what is wanted.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let (mut config, context, is_minikube) = match settings.read()? {
            Some(kubeconfig) => of_context(kubeconfig, settings.context.as_deref()).await?,
            None if settings.in_pod() && settings.context.is_none() => {
                (Config::incluster().map_err(|error| KubeError::BadKubeconfig { why: chain(&error).join(": ") })?, None, false)
            }
            None => return Err(KubeError::NoKubeconfig { tried: settings.files() }),
        };
        // Retries and deadlines are ours: they know what is being done.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let plugin = config.auth_info.exec.clone().and_then(|exec| Some((exec.command?, exec.install_hint)));
        let login = |why: String| {
            let context = context.clone().unwrap_or_else(|| "in-cluster".to_owned());
            match &plugin {
                Some((program, hint)) if why.contains("unable to run auth exec") => {
                    KubeError::NoLoginProgram { context, program: program.clone(), hint: hint.clone(), why }
                }
                _ => KubeError::Login { context, why },
            }
        };
        let client = tokio::task::spawn_blocking(move || kube::Client::try_from(config));
        let client = match cx.unless_cancelled(tokio::time::timeout(LOGIN_LIMIT, client)).await? {
            Ok(Ok(client)) => client.map_err(|error| login(chain(&error).join(": ")))?,
            Ok(Err(panic)) => return Err(login(panic.to_string())),
            Err(_) => return Err(KubeError::TimedOut { action: "logging in".to_owned(), limit: LOGIN_LIMIT }),
        };
        Ok(Self::new(client, context, server, is_minikube))
    }
}

async fn of_context(kubeconfig: Kubeconfig, wanted: Option<&str>) -> Result<(Config, Option<String>, bool), KubeError> {
    let known = names(&kubeconfig);
    let Some(context) = wanted.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()).filter(|name| !name.is_empty()) else {
        return Err(KubeError::NoCurrentContext { known });
    };
    if !known.contains(&context) {
        return Err(KubeError::UnknownContext { context, known });
    }
    let is_minikube = is_minikube(&kubeconfig, &context);
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| match error {
        KubeconfigError::LoadContext(_) => KubeError::UnknownContext { context: context.clone(), known },
        error => KubeError::BadKubeconfig { why: chain(&error).join(": ") },
    })?;
    Ok((config, Some(context), is_minikube))
}

/// Returns whether minikube wrote the cluster of this context: it leaves an extension, or its certificates lie in its folder.
fn is_minikube(kubeconfig: &Kubeconfig, context: &str) -> bool {
    let cluster = kubeconfig.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref()).map(|c| &c.cluster);
    let cluster = kubeconfig.clusters.iter().find(|c| Some(&c.name) == cluster).and_then(|c| c.cluster.as_ref());
    cluster.is_some_and(|cluster| {
        let extensions = cluster.extensions.iter().flatten();
        extensions.into_iter().any(|e| e.extension["provider"] == "minikube.sigs.k8s.io")
            || cluster.certificate_authority.as_ref().is_some_and(|path| path.contains("/.minikube/"))
    })
}

#[cfg(test)]
mod tests;
