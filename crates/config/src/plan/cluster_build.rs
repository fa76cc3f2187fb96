//! `build.cluster`: the pods that images are built in.

use std::sync::Arc;
use std::time::Duration;

use devloop_model::ClusterBuild;
use devloop_model::DockerConfigSecret;
use devloop_model::GoDuration;
use devloop_model::Namespace;
use devloop_model::PullSecret;
use serde_json::Map;
use serde_json::Value;

use super::convert::Converter;
use super::convert::set;
use crate::schema;

impl Converter<'_> {
    /// Returns the settings of builds in the cluster.
    pub(super) fn cluster_build(&mut self, cluster: &schema::ClusterDetails) -> Arc<ClusterBuild> {
        if cluster.concurrency < 0 {
            self.fault_once("config/negative", "/build/cluster/concurrency", "`build.cluster.concurrency` cannot be negative");
        }
        Arc::new(ClusterBuild {
            builder_image: set(&cluster.builder_image),
            namespace: set(&cluster.namespace).map(Namespace),
            timeout: self.duration("/build/cluster/timeout", &cluster.timeout),
            http_proxy: set(&cluster.http_proxy),
            https_proxy: set(&cluster.https_proxy),
            pull_secret: set(&cluster.pull_secret_name).map(|name| PullSecret {
                name,
                path: set(&cluster.pull_secret_path).map(|path| self.absolute(&path)),
                mount_path: cluster.pull_secret_mount_path.clone(),
                is_random: cluster.random_pull_secret,
            }),
            docker_config: cluster.docker_config.as_ref().map(|config| DockerConfigSecret {
                name: config.secret_name.clone(),
                path: set(&config.path).map(|path| self.absolute(&path)),
                is_random: cluster.random_docker_config_secret,
            }),
            service_account: set(&cluster.service_account),
            tolerations: cluster.tolerations.clone(),
            node_selector: cluster.node_selector.clone(),
            annotations: cluster.annotations.clone(),
            labels: cluster.labels.clone(),
            run_as_user: cluster.run_as_user,
            resources: cluster.resources.as_ref().map(resources),
            concurrency: cluster.concurrency.max(0) as usize,
            volumes: cluster.volumes.clone(),
        })
    }

    /// Returns the duration at `pointer`; one that is none is a fault, and zero.
    pub(super) fn duration(&mut self, pointer: &str, text: &str) -> Duration {
        text.parse::<GoDuration>().map_or_else(
            |error| {
                let field = pointer.rsplit('/').next().unwrap_or_default();
                self.fault_once("config/duration", pointer, &format!("`{field}: {text}` is no duration: {error}"));
                Duration::ZERO
            },
            |duration| duration.0,
        )
    }

    /// Notes a fault of what several artifacts share.
    fn fault_once(&mut self, code: &'static str, pointer: &str, what: &str) {
        let fault = self.module.error(code, pointer, what);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// Returns Kubernetes' `ResourceRequirements`.
fn resources(resources: &schema::ResourceRequirements) -> Value {
    let amounts = |amounts: &schema::ResourceRequirement| {
        let named = [
            ("cpu", &amounts.cpu),
            ("memory", &amounts.memory),
            ("ephemeral-storage", &amounts.ephemeral_storage),
            ("storage", &amounts.resource_storage),
        ];
        let set = named.into_iter().filter(|(_, amount)| !amount.is_empty());
        Value::Object(set.map(|(name, amount)| (name.to_owned(), Value::from(amount.as_str()))).collect())
    };
    let parts = [("requests", &resources.requests), ("limits", &resources.limits)];
    let parts: Map<String, Value> = parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), amounts(part.as_ref()?)))).collect();
    Value::Object(parts)
}
