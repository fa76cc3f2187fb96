//! Kubernetes through kube-rs, in process: contexts, reading, applying, watching, logs, ports, commands in containers.
//!
//! Objects are JSON values, so that no type of kube or k8s-openapi leaves this crate.

mod apply;
mod cluster;
mod context;
mod delete;
mod differences;
mod ephemeral;
mod error;
mod exec;
mod forward;
mod kinds;
mod logs;
mod read;
mod take_over;
pub mod target;
mod unknown_field;
mod warnings;
mod watch;

pub use apply::Applied;
pub use apply::ApplyOptions;
pub use apply::FIELD_MANAGER;
pub use apply::Validation;
pub use cluster::Cluster;
pub use context::KubeSettings;
pub use context::current_context;
pub use delete::DeleteOptions;
pub use delete::Propagation;
pub use differences::differences;
pub use error::KubeError;
pub use error::Unreachable;
pub use exec::ContainerRef;
pub use forward::PortStream;
pub use kinds::ResolvedKind;
pub use kinds::built_in_kind;
pub use logs::LogOptions;
pub use read::Detail;
pub use read::Selection;
pub use watch::WatchEvent;

#[cfg(test)]
mod tests;
