//! Releases of helm, as configured.

use std::path::PathBuf;

use crate::Hooks;
use crate::Location;
use crate::Template;

/// `deploy.helm`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HelmDeploy {
    /// The releases; which come first is said by each.
    pub releases: Vec<HelmRelease>,
    /// How many are worked on at once; none is all that wait for nothing.
    pub concurrency: Option<usize>,
    /// What runs around a deploy.
    pub hooks: Hooks,
}

/// One entry of `releases`, of `manifests.helm` or `deploy.helm`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of another program")]
pub struct HelmRelease {
    /// Its name.
    pub name: Template,
    /// Where its chart is.
    pub chart: HelmChart,
    /// Repository of a remote chart.
    pub repo: Option<Template>,
    /// Version of the chart.
    pub version: Option<Template>,
    /// Files of values; a later one wins.
    pub values_files: Vec<HelmFile>,
    /// Its namespace; none means the session's.
    pub namespace: Option<Template>,
    /// `--set`, by the flattened key.
    pub set_values: Vec<(String, String)>,
    /// `--set`, of templates over the built images.
    pub set_value_templates: Vec<(Template, Template)>,
    /// `--set-file`.
    pub set_files: Vec<(String, HelmFile)>,
    /// Values that win over the files.
    pub overrides: serde_json::Map<String, serde_json::Value>,
    /// Whether its namespace is created.
    pub create_namespace: bool,
    /// Whether helm waits until it is ready.
    pub wait: bool,
    /// Whether its pods are made anew by an upgrade.
    pub recreate_pods: bool,
    /// Whether `helm dependency build` is left out.
    pub skip_build_dependencies: bool,
    /// Whether the chart's tests are left out of rendered manifests.
    pub skip_tests: bool,
    /// Whether helm-secrets runs helm.
    pub use_helm_secrets: bool,
    /// Whether a release that is there is upgraded; none means if its chart is a local one.
    pub upgrade_on_change: Option<bool>,
    /// Whether and how the chart is packaged first.
    pub packaged: Option<HelmPackage>,
    /// Names of the releases that come first, as they are written.
    pub depends_on: Vec<String>,
    /// Flags for helm.
    pub flags: HelmFlags,
    /// Where it stands in skaffold.yaml.
    pub at: Location,
}

impl HelmRelease {
    /// Returns a release of which nothing is said but its name and its chart.
    pub fn new(name: Template, chart: HelmChart, at: Location) -> Self {
        Self {
            name,
            chart,
            repo: None,
            version: None,
            values_files: Vec::new(),
            namespace: None,
            set_values: Vec::new(),
            set_value_templates: Vec::new(),
            set_files: Vec::new(),
            overrides: serde_json::Map::new(),
            create_namespace: false,
            wait: false,
            recreate_pods: false,
            skip_build_dependencies: false,
            skip_tests: false,
            use_helm_secrets: false,
            upgrade_on_change: None,
            packaged: None,
            depends_on: Vec::new(),
            flags: HelmFlags::default(),
            at,
        }
    }

    /// Returns whether a release that is there is upgraded when something of it changed (Skaffold's
    /// `pkg/skaffold/deploy/helm/helm.go`).
    pub fn upgrades(&self) -> bool {
        self.upgrade_on_change.unwrap_or(matches!(self.chart, HelmChart::Local(_)))
    }
}

/// Where a chart is.
#[derive(Debug, Clone, PartialEq)]
pub enum HelmChart {
    /// In a directory or archive of this machine.
    Local(HelmFile),
    /// In a repository: a name, or a URL.
    Remote(String),
}

/// A path of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct HelmFile {
    /// The path, as written.
    pub path: Template,
    /// The directory that a relative one starts from.
    pub dir: PathBuf,
    /// Where it stands in skaffold.yaml.
    pub at: Location,
}

/// `packaged`: the versions that a chart is packaged with; none leaves that of the chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HelmPackage {
    /// Version of the chart.
    pub version: Option<Template>,
    /// Version of the application.
    pub app_version: Option<Template>,
}

/// `flags`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelmFlags {
    /// For every command.
    pub global: Vec<String>,
    /// For `helm install`.
    pub install: Vec<String>,
    /// For `helm upgrade`.
    pub upgrade: Vec<String>,
    /// For `helm dependency build`.
    pub dependency_build: Vec<String>,
    /// For `helm template`.
    pub template: Vec<String>,
}
