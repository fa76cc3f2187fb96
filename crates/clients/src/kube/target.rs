//! Where a session builds for and deploys to.
//!
//! Which clusters are local, and what that means for images: Skaffold's `pkg/skaffold/config/util.go`. Where a cluster's
//! own registry is: KEP-1755.

use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Delivery;
use devloop_model::LoadInto;
use devloop_model::Namespace;
use devloop_model::Platform;
use devloop_model::Target;

use super::Cluster;
use super::KubeError;

/// How long a cluster may take to say what only helps.
const LIMIT: Duration = Duration::from_secs(10);

/// What the command line, the environment and the machine's settings say about the target; none is "not said".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag or setting of its own")]
pub struct TargetInput {
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--default-repo`; an empty text means none at all.
    pub default_repo: Option<String>,
    /// `default-repo` of the machine's settings for this context.
    pub settings_default_repo: Option<String>,
    /// `multi-level-repo` of the machine's settings.
    pub multi_level_repo: Option<bool>,
    /// `local-cluster` of the machine's settings.
    pub local_cluster: Option<bool>,
    /// `kind-disable-load` of the machine's settings.
    pub kind_disable_load: bool,
    /// `k3d-disable-load` of the machine's settings.
    pub k3d_disable_load: bool,
    /// `--minikube-profile`.
    pub minikube_profile: Option<String>,
    /// `--detect-minikube`.
    pub detect_minikube: bool,
    /// `--push`.
    pub push: Option<bool>,
    /// Whether the platforms of the nodes are of interest.
    pub ask_platforms: bool,
}

/// What kind of cluster a context leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Remote,
    Kind(String),
    K3d(String),
    /// minikube, Docker Desktop, or what the settings call local.
    Daemon,
}

/// Returns the target; without a cluster, images are pushed.
///
/// The cluster is asked for its local registry unless a repository is named, and for its nodes' platforms if wanted, both
/// at once. What it does not answer is taken as not there: whether it can be reached matters to those that deploy, and
/// they ask with [`Cluster::reachable`].
///
/// # Errors
/// When the step is cancelled.
pub async fn resolve(input: &TargetInput, cluster: Option<&Cluster>, cx: &Cx) -> Result<Target, KubeError> {
    let context = cluster.and_then(Cluster::context);
    let place = match cluster {
        Some(cluster) => place(input, context.unwrap_or_default(), cluster.is_minikube()),
        None => Place::Remote,
    };
    let named = input.default_repo.as_ref().or(input.settings_default_repo.as_ref()).map(|repo| repo.trim_end_matches('/').to_owned());
    let ask_registry = named.is_none() && input.local_cluster != Some(false);
    let (registry, node_platforms) =
        tokio::join!(registry(cluster.filter(|_| ask_registry), cx), platforms(cluster.filter(|_| input.ask_platforms), cx));
    let registry = registry?;
    let delivery = delivery(input, &place, registry.is_some());
    let forced = input.namespace.clone().filter(|namespace| !namespace.is_empty());
    Ok(Target {
        context: context.map(str::to_owned),
        namespace_is_forced: forced.is_some(),
        namespace: Namespace(forced.unwrap_or_else(|| cluster.map_or("default", Cluster::default_namespace).to_owned())),
        delivery,
        default_repo: named.or(registry).filter(|repo| !repo.is_empty()),
        multi_level_repo: input.multi_level_repo.unwrap_or_default(),
        node_platforms: node_platforms?,
    })
}

fn place(input: &TargetInput, context: &str, is_minikube: bool) -> Place {
    let by_name = match context {
        "minikube" | "docker-desktop" | "docker-for-desktop" => Place::Daemon,
        _ => {
            let kind = context.strip_suffix("@kind").or_else(|| context.strip_prefix("kind-"));
            let k3d = context.strip_prefix("k3d-");
            match (kind, k3d) {
                (Some(name), _) => Place::Kind(name.to_owned()),
                (None, Some(name)) => Place::K3d(name.to_owned()),
                (None, None) => Place::Remote,
            }
        }
    };
    let is_local = input.minikube_profile.is_some()
        || input.local_cluster.unwrap_or(by_name != Place::Remote || (input.detect_minikube && is_minikube));
    match by_name {
        _ if !is_local => Place::Remote,
        Place::Remote => Place::Daemon,
        known => known,
    }
}

fn delivery(input: &TargetInput, place: &Place, has_registry: bool) -> Delivery {
    let usual = match place {
        Place::Remote => Delivery::Push,
        _ if has_registry => Delivery::Push,
        Place::Kind(_) if input.kind_disable_load => Delivery::Push,
        Place::K3d(_) if input.k3d_disable_load => Delivery::Push,
        Place::Kind(cluster) => Delivery::Load(LoadInto::Kind { cluster: cluster.clone() }),
        Place::K3d(cluster) => Delivery::Load(LoadInto::K3d { cluster: cluster.clone() }),
        Place::Daemon => Delivery::Load(LoadInto::Daemon),
    };
    match (input.push, usual) {
        (Some(true), _) => Delivery::Push,
        (Some(false), Delivery::Push) => Delivery::Load(LoadInto::Daemon),
        (_, usual) => usual,
    }
}

/// A registry beside a cluster, and how it is called from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRegistry {
    /// Its host on this machine, which also names the images that nodes run: `localhost:5000`.
    pub host: String,
    /// Its host inside of pods, where that is another one: `registry.kube-system:5000`.
    pub from_pods: Option<String>,
}

impl Cluster {
    /// Returns the registry that the cluster says is beside it (KEP-1755); none where it does not say so in time.
    ///
    /// # Errors
    /// When the step is cancelled.
    pub async fn local_registry(&self, cx: &Cx) -> Result<Option<LocalRegistry>, KubeError> {
        let namespace = Namespace("kube-public".to_owned());
        let data = optional(self.config_map(&namespace, "local-registry-hosting", cx)).await?.flatten();
        Ok(data.and_then(|data| LocalRegistry::parse(data.get("localRegistryHosting.v1")?)))
    }
}

/// Returns the registry that the cluster says it runs images from.
async fn registry(cluster: Option<&Cluster>, cx: &Cx) -> Result<Option<String>, KubeError> {
    let Some(cluster) = cluster else { return Ok(None) };
    Ok(cluster.local_registry(cx).await?.map(|registry| registry.host))
}

async fn platforms(cluster: Option<&Cluster>, cx: &Cx) -> Result<Vec<Platform>, KubeError> {
    match cluster {
        Some(cluster) => Ok(optional(cluster.node_platforms(cx)).await?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// Returns what a question gives, if it gives it in time and without an error.
async fn optional<T>(question: impl Future<Output = Result<T, KubeError>>) -> Result<Option<T>, KubeError> {
    match tokio::time::timeout(LIMIT, question).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(KubeError::Cancelled)) => Err(KubeError::Cancelled),
        Ok(Err(error)) => {
            tracing::debug!(%error, "not known");
            Ok(None)
        }
        Err(_) => Ok(None),
    }
}

impl LocalRegistry {
    /// Reads a `LocalRegistryHostingV1`.
    fn parse(yaml: &str) -> Option<Self> {
        let hosting: serde_json::Value = serde_saphyr::from_str(yaml).ok()?;
        let named = |field: &str| hosting[field].as_str().map(|host| host.trim_end_matches('/').to_owned()).filter(|host| !host.is_empty());
        let host = named("host")?;
        Some(Self { from_pods: named("hostFromClusterNetwork").filter(|inside| *inside != host), host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cluster: &str) -> Delivery {
        Delivery::Load(LoadInto::Kind { cluster: cluster.into() })
    }

    #[test]
    fn the_context_says_how_images_get_there() {
        let none = TargetInput::default();
        let settings = |change: fn(&mut TargetInput)| {
            let mut input = TargetInput::default();
            change(&mut input);
            input
        };
        let daemon = Delivery::Load(LoadInto::Daemon);
        for (context, input, minikube, has_registry, expected) in [
            ("gke_p_z_c", none.clone(), false, false, Delivery::Push),
            ("minikube", none.clone(), false, false, daemon.clone()),
            ("docker-desktop", none.clone(), false, false, daemon.clone()),
            ("docker-for-desktop", none.clone(), false, false, daemon.clone()),
            ("kind-kind", none.clone(), false, false, kind("kind")),
            ("other@kind", none.clone(), false, false, kind("other")),
            ("k3d-dev", none.clone(), false, false, Delivery::Load(LoadInto::K3d { cluster: "dev".into() })),
            ("kind-kind", none.clone(), false, true, Delivery::Push),
            ("kind-kind", settings(|i| i.kind_disable_load = true), false, false, Delivery::Push),
            ("k3d-dev", settings(|i| i.k3d_disable_load = true), false, false, Delivery::Push),
            ("kind-kind", settings(|i| i.local_cluster = Some(false)), false, false, Delivery::Push),
            ("office", settings(|i| i.local_cluster = Some(true)), false, false, daemon.clone()),
            ("profile", none.clone(), true, false, Delivery::Push),
            ("profile", settings(|i| i.detect_minikube = true), true, false, daemon.clone()),
            ("profile", settings(|i| i.minikube_profile = Some("profile".into())), false, false, daemon.clone()),
            ("minikube", settings(|i| i.push = Some(true)), false, false, Delivery::Push),
            ("gke_p_z_c", settings(|i| i.push = Some(false)), false, false, daemon),
            ("", none, false, false, Delivery::Push),
        ] {
            assert_eq!(delivery(&input, &place(&input, context, minikube), has_registry), expected, "{context} {input:?}");
        }
    }

    #[test]
    fn a_local_registry_is_found_as_the_kep_says() {
        for (yaml, host, from_pods) in [
            ("host: \"localhost:5000\"\nhelp: \"https://example.com\"\n", Some("localhost:5000"), None),
            ("host: localhost:5000/\nhostFromClusterNetwork: registry:5000\n", Some("localhost:5000"), Some("registry:5000")),
            ("host: r:5000\nhostFromClusterNetwork: r:5000\n", Some("r:5000"), None),
            ("help: none\n", None, None),
            ("- not\n- a map\n", None, None),
            (": bad", None, None),
        ] {
            let found = LocalRegistry::parse(yaml);
            assert_eq!(found.as_ref().map(|registry| registry.host.as_str()), host, "{yaml}");
            assert_eq!(found.and_then(|registry| registry.from_pods).as_deref(), from_pods, "{yaml}");
        }
    }
}
