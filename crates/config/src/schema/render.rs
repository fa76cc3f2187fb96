//! `manifests`: where manifests come from.

use schemars::JsonSchema;
use serde::Deserialize;

use super::AnyMap;
use super::RenderHooks;
use super::TextMap;

/// Where manifests come from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RenderConfig {
    /// Files: paths, globs and URLs.
    #[schemars(extend("x-path" = true))]
    pub raw_yaml: Vec<String>,
    /// Objects that are in the cluster already.
    pub remote_manifests: Vec<RemoteManifest>,
    /// By Kustomize.
    pub kustomize: Option<Kustomize>,
    /// By `helm template`.
    pub helm: Option<Helm>,
    /// By kpt.
    #[schemars(extend("x-path" = true))]
    pub kpt: Vec<String>,
    /// Commands around rendering.
    pub hooks: RenderHooks,
    /// kpt functions that change manifests.
    pub transform: Vec<KptFunction>,
    /// kpt functions that check manifests.
    pub validate: Vec<KptFunction>,
    /// Where rendered manifests are written.
    pub output: String,
}

/// An object that is in the cluster already.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RemoteManifest {
    /// `namespace:kind/name` or `kind/name`.
    pub manifest: String,
    /// Kubernetes context; the current one by default.
    pub kube_context: String,
}

/// Manifests by Kustomize.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Kustomize {
    /// Directories of kustomizations; `.` by default.
    #[schemars(extend("x-template" = true, "x-path" = true))]
    pub paths: Vec<String>,
    /// More arguments of `kustomize build`.
    pub build_args: Vec<String>,
}

/// Manifests by `helm template`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["releases"]))]
pub struct Helm {
    /// Flags of helm.
    pub flags: HelmDeployFlags,
    /// The releases.
    pub releases: Vec<HelmRelease>,
}

/// Flags of helm's commands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HelmDeployFlags {
    /// For every command.
    pub global: Vec<String>,
    /// For `helm install`.
    pub install: Vec<String>,
    /// For `helm upgrade`.
    pub upgrade: Vec<String>,
    /// For `helm dependency build`.
    pub dep_build: Vec<String>,
    /// For `helm template`.
    pub template: Vec<String>,
}

/// A release of helm.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]), extend("x-one-of" = {"chart source": ["chartPath", "remoteChart"]}))]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of another program")]
pub struct HelmRelease {
    /// Its name.
    #[schemars(extend("x-template" = true))]
    pub name: String,
    /// Directory of the chart.
    #[schemars(extend("x-template" = true, "x-path" = true))]
    pub chart_path: String,
    /// Name or URL of the chart.
    pub remote_chart: String,
    /// Files of values.
    #[schemars(extend("x-template" = true, "x-path" = true))]
    pub values_files: Vec<String>,
    /// Its namespace.
    #[schemars(extend("x-template" = true))]
    pub namespace: String,
    /// Version of the chart.
    #[schemars(extend("x-template" = true))]
    pub version: String,
    /// Values; nested ones are flattened.
    #[schemars(extend("x-template" = true))]
    pub set_values: AnyMap,
    /// Values that are templates over the built images.
    #[schemars(extend("x-template" = true))]
    pub set_value_templates: AnyMap,
    /// Values that are files.
    #[schemars(extend("x-path" = true))]
    pub set_files: TextMap,
    /// Whether its namespace is created.
    pub create_namespace: Option<bool>,
    /// Whether helm waits until it is ready.
    pub wait: bool,
    /// Whether its pods are recreated.
    pub recreate_pods: bool,
    /// Whether `helm dependency build` is left out.
    pub skip_build_dependencies: bool,
    /// Whether its tests are left out.
    pub skip_tests: bool,
    /// Whether helm-secrets is used.
    pub use_helm_secrets: bool,
    /// Repository of the chart.
    pub repo: String,
    /// Whether a change of the chart upgrades it.
    pub upgrade_on_change: Option<bool>,
    /// Values that win over the files.
    pub overrides: AnyMap,
    /// How the chart is packaged first.
    pub packaged: Option<HelmPackaged>,
    /// Releases that come first.
    pub depends_on: Vec<String>,
}

/// How a chart is packaged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HelmPackaged {
    /// Version of the chart.
    pub version: String,
    /// Version of the application.
    pub app_version: String,
}

/// A kpt function.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct KptFunction {
    /// Its name.
    pub name: String,
    /// Its settings, `key: value`.
    pub config_map: Vec<String>,
}
