//! The only crate that opens sockets or starts processes: Kubernetes, container daemon, registry, git, helm, hooks, child processes.

mod activity;
pub mod buildkit;
mod clients;
pub mod compose;
pub mod docker;
pub mod exec;
pub mod git;
pub mod helm;
pub mod hooks;
pub mod http;
pub mod kube;
pub mod local_port;
pub mod process;
pub mod registry;
pub mod session_api;

pub use clients::ClientSettings;
pub use clients::Clients;
