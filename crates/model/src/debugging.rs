//! Containers that run under a debugger.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::Namespace;

/// Where a pod says which debuggers listen in it, for IDEs and for port forwards (`pkg/skaffold/debug/types/types.go` of Skaffold).
pub const DEBUG_ANNOTATION: &str = "debug.cloud.google.com/config";

/// A container that runs under a debugger: what an IDE has to know to attach to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DebuggingContainer {
    /// The namespace of its pod.
    pub namespace: Namespace,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The artifact that it runs, as the configuration names it.
    pub artifact: String,
    /// The runtime: `go`, `jvm`, `nodejs`, `python` or `netcore`.
    pub runtime: String,
    /// Where its program starts.
    pub working_dir: String,
    /// The ports of the pod that debuggers listen at, by the protocol's name: `dlv`, `jdwp`, `devtools`, `dap`.
    pub ports: BTreeMap<String, u16>,
}

impl DebuggingContainer {
    /// Returns whether both are the same container, whatever is known of it.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.namespace, &self.pod, &self.container) == (&other.namespace, &other.pod, &other.container)
    }
}
