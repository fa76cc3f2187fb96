//! A language server for skaffold.yaml: what is wrong, what could be written, what it means and where it is defined.
//!
//! `wire` and `serve` speak the protocol; everything else is a function of the texts that are open and the files beside them.

mod complete;
mod define;
mod diagnose;
mod document;
mod fix;
mod hover;
mod names;
mod outline;
mod paths;
mod queue;
mod schema;
mod serve;
mod session;
mod symbols;
#[cfg(test)]
mod testing;
mod text;
mod uri;
mod wire;
mod workspace;

use std::fmt;

use devloop_config::FetchRepo;
use devloop_model::Env;

pub use serve::Ended;
pub use serve::serve;

/// What the server is told of the machine.
pub struct Settings {
    /// The environment; `skaffold.env` beside each configuration is added to it.
    pub env: Env,
    /// Profiles that are active: `-p`.
    pub profiles: Vec<String>,
    /// The repositories of required modules.
    pub repos: Box<dyn FetchRepo>,
    /// Returns the Kubernetes context in use, where there is one.
    pub kube_context: Box<dyn Fn() -> Option<String>>,
    /// Returns whether a process, the editor, still runs.
    pub is_running: Box<dyn Fn(i32) -> bool>,
    /// The version of the program.
    pub version: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("profiles", &self.profiles).finish_non_exhaustive()
    }
}
