//! `deploy`: how manifests get into the cluster.

use schemars::JsonSchema;
use serde::Deserialize;

use super::DeployHooks;
use super::HelmDeployFlags;
use super::HelmRelease;
use super::HostHooks;
use super::words;

/// How manifests are deployed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeployConfig {
    /// Into the container daemon.
    pub docker: Option<DockerDeploy>,
    /// By helm.
    pub helm: Option<HelmDeploy>,
    /// By kpt.
    pub kpt: Option<KptDeploy>,
    /// As `kubectl apply` does: the default.
    pub kubectl: Option<KubectlDeploy>,
    /// Into Cloud Run.
    pub cloudrun: Option<CloudRunDeploy>,
    /// Whether to wait until everything is ready; yes by default.
    pub status_check: Option<bool>,
    /// How many seconds that may take.
    pub status_check_deadline_seconds: i64,
    /// Whether a failing pod is waited for until then.
    pub tolerate_failures_until_deadline: bool,
    /// Kubernetes context to deploy to.
    pub kube_context: String,
    /// How logs of pods are shown.
    pub logs: LogsConfig,
}

/// Deployment into the container daemon.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DockerDeploy {
    /// Whether docker compose runs the project's Compose file, with the images of artifacts put in.
    pub use_compose: bool,
    /// The images that are run, each as one container; those that a service of the Compose file uses run as that service.
    pub images: Vec<String>,
}

/// Deployment by helm.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HelmDeploy {
    /// How many releases are deployed at once.
    pub concurrency: Option<i64>,
    /// The releases.
    pub releases: Vec<HelmRelease>,
    /// Flags of helm.
    pub flags: HelmDeployFlags,
    /// Commands around the deployment.
    pub hooks: DeployHooks,
}

/// Deployment by kpt.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KptDeploy {
    /// Directory of the package.
    pub dir: String,
    /// Flags of `kpt live apply`.
    pub apply_flags: Vec<String>,
    /// Flags of every command.
    pub flags: Vec<String>,
    /// Name of the inventory.
    pub name: String,
    /// Identity of the inventory.
    #[serde(rename = "inventoryID")]
    pub inventory_id: String,
    /// Namespace of the inventory.
    pub namespace: String,
    /// Whether an inventory is made anew.
    pub force: bool,
    /// Namespace of objects that name none.
    pub default_namespace: Option<String>,
}

/// Deployment as `kubectl apply` does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubectlDeploy {
    /// Flags of kubectl.
    pub flags: KubectlFlags,
    /// Objects that are in the cluster already.
    pub remote_manifests: Vec<String>,
    /// Namespace of objects that name none.
    #[schemars(extend("x-template" = true))]
    pub default_namespace: Option<String>,
    /// Commands around the deployment.
    pub hooks: DeployHooks,
}

/// Flags of kubectl's commands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubectlFlags {
    /// For every command.
    pub global: Vec<String>,
    /// For `kubectl apply`.
    pub apply: Vec<String>,
    /// For `kubectl delete`.
    pub delete: Vec<String>,
    /// Whether objects are not validated.
    pub disable_validation: bool,
}

/// Deployment into Cloud Run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CloudRunDeploy {
    /// Its project.
    pub projectid: String,
    /// Its region.
    pub region: String,
    /// Commands around the deployment.
    pub hooks: HostHooks,
}

/// How logs of pods are shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogsConfig {
    /// Put before a line: `container` (the default), `podAndContainer`, `auto` or `none`.
    #[schemars(extend("x-values" = words::LOG_PREFIXES))]
    pub prefix: String,
    /// How lines of JSON are shown.
    pub json_parse: JsonParseConfig,
}

/// How lines of JSON are shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JsonParseConfig {
    /// The fields that are shown.
    pub fields: Vec<String>,
}
