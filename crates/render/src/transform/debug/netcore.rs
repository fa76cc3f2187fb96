//! .NET: the support image brings `vsdbg`, which an editor starts by itself in the container.
//!
//! Source: Skaffold's `pkg/skaffold/debug/transform_netcore.go`.

use super::container::Debugged;

/// Returns what is made of any container: nothing but that the debugger is there.
pub(super) fn debug() -> Debugged {
    Debugged { runtime: "netcore", port: None, support: Some("netcore") }
}
