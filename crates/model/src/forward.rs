//! Ports of the cluster, or of containers, that are reachable on this machine.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::Namespace;

/// What a port is forwarded from; with the remote port it names a forward for the whole session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForwardSource {
    /// Kind in lower case, as `portForward[].resourceType` has it: `service`, `pod`, `deployment`, `container`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; empty for a container of the container daemon.
    pub namespace: Namespace,
    /// The port as configured: a number or a name.
    pub port: String,
}

impl fmt::Display for ForwardSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.kind, self.name, self.port)
    }
}

/// How a forward is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "state")]
pub enum ForwardState {
    /// The local port listens; no pod is behind it yet.
    Waiting {
        /// What is waited for: `no pod of service/web runs`.
        why: String,
    },
    /// A pod is behind it, and its port accepted a connection.
    Ready {
        /// The pod, or the container of the container daemon.
        pod: String,
    },
    /// It cannot be had: the port is taken, the resource has no such port.
    Failed {
        /// Why.
        why: String,
    },
    /// It is over: its resource is no longer part of the plan.
    Closed,
}
