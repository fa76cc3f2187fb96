//! `hooks`: commands around a stage.

use schemars::JsonSchema;
use serde::Deserialize;

/// Commands before and after builds, and around a Cloud Run deployment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HostHooks {
    /// Run before.
    pub before: Vec<HostHook>,
    /// Run after.
    pub after: Vec<HostHook>,
}

/// Commands before and after a file sync.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SyncHooks {
    /// Run before.
    pub before: Vec<SyncHookItem>,
    /// Run after.
    pub after: Vec<SyncHookItem>,
}

/// A command on this machine or in the container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"place": ["host", "container"]}))]
pub struct SyncHookItem {
    /// On this machine.
    pub host: Option<HostHook>,
    /// In the container that is synced.
    pub container: Option<ContainerHook>,
}

/// Commands before and after rendering.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RenderHooks {
    /// Run before.
    pub before: Vec<RenderHookItem>,
    /// Run after, with the manifests on standard input.
    pub after: Vec<PostRenderHookItem>,
}

/// A command on this machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RenderHookItem {
    /// On this machine.
    pub host: Option<HostHook>,
}

/// A command on this machine that may change the manifests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PostRenderHookItem {
    /// On this machine.
    pub host: Option<PostRenderHostHook>,
}

/// A command that is given manifests.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["command"]))]
pub struct PostRenderHostHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Operating systems that it is for, in Go's words; all by default.
    pub os: Vec<String>,
    /// Directory to run in.
    #[schemars(extend("x-path" = true))]
    pub dir: String,
    /// Whether its output replaces the manifests.
    pub with_change: bool,
    /// How long it may take, for example `90s`; what `--hook-timeout` says by default.
    #[schemars(extend("x-duration" = true, "x-instead" = "`--hook-timeout` holds for every hook"))]
    pub timeout: String,
}

/// Commands before and after a deployment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeployHooks {
    /// Run before.
    pub before: Vec<DeployHookItem>,
    /// Run after.
    pub after: Vec<DeployHookItem>,
}

/// A command on this machine or in containers of the deployment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"place": ["host", "container"]}))]
pub struct DeployHookItem {
    /// On this machine.
    pub host: Option<HostHook>,
    /// In containers.
    pub container: Option<NamedContainerHook>,
}

/// A command on this machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["command"]))]
pub struct HostHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Operating systems that it is for, in Go's words; all by default.
    pub os: Vec<String>,
    /// Directory to run in.
    #[schemars(extend("x-path" = true))]
    pub dir: String,
    /// How long it may take, for example `90s`; what `--hook-timeout` says by default.
    #[schemars(extend("x-duration" = true, "x-instead" = "`--hook-timeout` holds for every hook"))]
    pub timeout: String,
}

/// A command in a container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["command"]))]
pub struct ContainerHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// How long it may take, for example `90s`; what `--hook-timeout` says by default.
    #[schemars(extend("x-duration" = true, "x-instead" = "`--hook-timeout` holds for every hook"))]
    pub timeout: String,
}

/// A command in the containers that names select.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["podName", "command"]))]
pub struct NamedContainerHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Name of the pods, a glob.
    pub pod_name: String,
    /// Name of the containers, a glob; all by default.
    pub container_name: String,
    /// How long it may take, for example `90s`; what `--hook-timeout` says by default.
    #[schemars(extend("x-duration" = true, "x-instead" = "`--hook-timeout` holds for every hook"))]
    pub timeout: String,
}
