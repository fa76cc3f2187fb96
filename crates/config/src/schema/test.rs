//! `test`, `verify` and `customActions`: containers and commands that check.

use schemars::JsonSchema;
use serde::Deserialize;

/// Tests of an image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["image"]))]
pub struct TestCase {
    /// The image.
    pub image: String,
    /// Directory that paths start from; `.` by default.
    #[schemars(extend("x-path" = true))]
    pub context: String,
    /// Commands.
    pub custom: Vec<CustomTest>,
    /// Files of container-structure-test.
    #[schemars(extend("x-path" = true))]
    pub structure_tests: Vec<String>,
    /// More arguments of container-structure-test.
    pub structure_tests_args: Vec<String>,
}

/// A command that tests an image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["command"]))]
pub struct CustomTest {
    /// The command.
    pub command: String,
    /// How many seconds it may take.
    pub timeout_seconds: i64,
    /// What it depends on.
    pub dependencies: Option<CustomTestDependencies>,
}

/// Inputs of a test.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"kind of dependencies": ["command", "paths"]}))]
pub struct CustomTestDependencies {
    /// A command that prints a JSON list of paths.
    pub command: String,
    /// Files and directories that count.
    #[schemars(extend("x-path" = "context"))]
    pub paths: Vec<String>,
    /// What of `paths` does not.
    #[schemars(extend("x-path" = "context"))]
    pub ignore: Vec<String>,
}

/// A container that checks a deployment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "container"]))]
pub struct VerifyTestCase {
    /// Its name.
    pub name: String,
    /// How many seconds it may take.
    pub timeout: Option<i64>,
    /// The container.
    pub container: VerifyContainer,
    /// Where it runs.
    pub execution_mode: ExecutionMode,
}

/// A container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "image"]))]
pub struct VerifyContainer {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its entry point.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<VerifyEnvVar>,
}

/// An environment variable.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct VerifyEnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where containers run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"execution mode": ["local", "kubernetesCluster"]}))]
pub struct ExecutionMode {
    /// In the container daemon: the default.
    pub local: Option<LocalVerifier>,
    /// As a Job.
    pub kubernetes_cluster: Option<KubernetesClusterVerifier>,
}

/// Containers in the container daemon.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LocalVerifier {
    /// Whether images of the daemon are used without pulling.
    pub use_local_images: bool,
}

/// Containers as a Job.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubernetesClusterVerifier {
    /// JSON that is merged into the Job.
    pub overrides: String,
    /// File of the Job that is used instead of the generated one.
    #[schemars(extend("x-path" = "module"))]
    pub job_manifest_path: String,
}

/// An action that `exec` runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "containers"]))]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Whether the first failure stops the others; yes by default.
    pub fail_fast: Option<bool>,
    /// How many seconds it may take.
    pub timeout: Option<i64>,
    /// Where it runs.
    pub execution_mode: ExecutionMode,
    /// Its containers.
    pub containers: Vec<VerifyContainer>,
}
