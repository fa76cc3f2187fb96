//! The latest schema, `devloop/v1`, as types: `skaffold/v4beta14` and more; their documentation is the description in the JSON schema.
//!
//! Field names and meaning: Skaffold's `pkg/skaffold/schema/latest/config.go` and `docs-v2/content/en/schemas/v4beta14.json`. Seven
//! keywords of our own stand in the generated schema: `x-one-of` (groups of fields of which one may be set, by the name of the group),
//! `x-template` (a Go template is expanded), `x-path` (a path of this machine: `true` where the effective configuration has it absolute,
//! else where it starts, at the `module` or the `context`), `x-values` (the words that it takes), `x-duration` (text such as `90s`),
//! `x-instead` (what there is for a field of our own elsewhere) and, in the schema of an older version, `x-since` (the version that the
//! field came with).

mod artifact;
mod build;
mod deploy;
mod history;
mod hooks;
mod json;
mod kaniko;
mod render;
mod requires;
pub(crate) mod shape;
mod test;
pub(crate) mod trail;
pub(crate) mod words;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::artifact::*;
pub use self::build::*;
pub use self::deploy::*;
pub use self::hooks::*;
pub use self::json::annotated_schema;
pub use self::json::json_schema;
pub use self::json::schema_versions;
pub use self::kaniko::*;
pub use self::render::*;
pub use self::requires::*;
pub use self::test::*;

pub(crate) use self::history::schema_of;
pub(crate) use self::json::latest;

/// Text to text.
pub type TextMap = std::collections::BTreeMap<String, String>;
/// Text to text, or to a value that comes from elsewhere.
pub type OptionalTextMap = std::collections::BTreeMap<String, Option<String>>;
/// Any YAML mapping.
pub type AnyMap = serde_json::Map<String, serde_json::Value>;

/// A development workflow: what to build, test, render, deploy and forward.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["apiVersion", "kind"]))]
pub struct Config {
    /// Version of this schema, for example `skaffold/v4beta14` or `devloop/v1`.
    pub api_version: String,
    /// Always `Config`.
    #[schemars(extend("x-values" = words::KINDS))]
    pub kind: String,
    /// Name and labels of this configuration.
    pub metadata: Metadata,
    /// Other configurations that this one needs.
    pub requires: Vec<ConfigDependency>,
    /// How images are built.
    pub build: BuildConfig,
    /// How images are tested.
    pub test: Vec<TestCase>,
    /// Where manifests come from.
    pub manifests: RenderConfig,
    /// How manifests are deployed.
    pub deploy: DeployConfig,
    /// Ports that are forwarded on request.
    pub port_forward: Vec<PortForwardResource>,
    /// Which fields of manifests hold images and labels.
    pub resource_selector: ResourceSelectorConfig,
    /// Containers that check a deployment.
    pub verify: Vec<VerifyTestCase>,
    /// Actions that `exec` runs.
    pub custom_actions: Vec<Action>,
    /// Variants of this configuration.
    pub profiles: Vec<Profile>,
}

/// Name and labels of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    /// Its name, for `--module` and `requires`.
    pub name: String,
    /// Labels of the configuration itself.
    pub labels: TextMap,
    /// Annotations of the configuration itself.
    pub annotations: TextMap,
}

/// A variant: what it sets replaces what the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct Profile {
    /// Its name, for `--profile`.
    pub name: String,
    /// When it is active without being asked for; one entry has to hold.
    pub activation: Vec<Activation>,
    /// Whether all entries of `activation` have to hold.
    pub requires_all_activations: bool,
    /// Changes at single places.
    pub patches: Vec<JsonPatch>,
    /// Replaces what is set of `build`.
    pub build: BuildConfig,
    /// Replaces `test`.
    pub test: Vec<TestCase>,
    /// Replaces what is set of `manifests`.
    pub manifests: RenderConfig,
    /// Replaces what is set of `deploy`.
    pub deploy: DeployConfig,
    /// Replaces `portForward`.
    pub port_forward: Vec<PortForwardResource>,
    /// Replaces what is set of `resourceSelector`.
    pub resource_selector: ResourceSelectorConfig,
    /// Replaces `verify`.
    pub verify: Vec<VerifyTestCase>,
    /// Replaces `customActions`.
    pub custom_actions: Vec<Action>,
}

/// Conditions that have to hold together.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Activation {
    /// `NAME=pattern`: an environment variable matches a regular expression; `!` before the pattern turns it around.
    pub env: String,
    /// The Kubernetes context matches a regular expression; `!` before it turns it around.
    pub kube_context: String,
    /// The command is this one: `dev`, `run`, `build`.
    #[schemars(extend("x-values" = words::COMMANDS))]
    pub command: String,
}

/// A change at one place (RFC 6902).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["path"]))]
pub struct JsonPatch {
    /// `add`, `remove`, `replace` (the default), `move`, `copy` or `test`.
    #[schemars(extend("x-values" = words::PATCH_OPERATIONS))]
    pub op: String,
    /// The place, for example `/build/artifacts/0/docker/dockerfile`.
    pub path: String,
    /// The place that `move` and `copy` take the value from.
    pub from: String,
    /// The value: any YAML.
    pub value: serde_json::Value,
}

/// A port that is forwarded on request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PortForwardResource {
    /// `Service`, `Pod`, a controller of pods, or `Container` for the docker deployer.
    #[schemars(extend("x-values" = words::FORWARDED))]
    pub resource_type: String,
    /// Name of the resource.
    #[schemars(extend("x-template" = true))]
    pub resource_name: String,
    /// Namespace of the resource.
    #[schemars(extend("x-template" = true))]
    pub namespace: String,
    /// Port of the resource, a number or a name.
    #[schemars(extend("type" = ["string", "integer"]))]
    pub port: String,
    /// Local address to listen at; `127.0.0.1` by default.
    pub address: String,
    /// Local port to listen at; the resource's own by default.
    pub local_port: i64,
}

/// Which fields of manifests hold images and labels, beyond the built-in kinds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceSelectorConfig {
    /// Kinds and fields that are changed.
    pub allow: Vec<ResourceFilter>,
    /// Kinds and fields that are left alone.
    pub deny: Vec<ResourceFilter>,
}

/// Fields of some kinds of objects.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["groupKind"]))]
pub struct ResourceFilter {
    /// Regular expression over `Kind.group`.
    pub group_kind: String,
    /// JSON paths of fields that hold an image; `.*` is all.
    pub image: Vec<String>,
    /// JSON paths of fields that hold labels; `.*` is all.
    pub labels: Vec<String>,
    /// JSON paths of fields that hold a pod specification.
    pub pod_spec: Vec<String>,
}
