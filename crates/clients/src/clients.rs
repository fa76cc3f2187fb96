//! Every client of a session, each opened when it is first needed.

use devloop_model::Env;

/// What clients need to know to connect.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// The environment.
    pub env: Env,
    /// Registries that are spoken to without TLS, or without checking it.
    pub insecure_registries: Vec<String>,
}

/// The clients of a session; cheap to clone.
#[derive(Debug, Clone)]
pub struct Clients {
    settings: ClientSettings,
}

impl Clients {
    /// Returns clients that have not connected to anything yet.
    pub fn new(settings: ClientSettings) -> Self {
        Self { settings }
    }

    /// Returns what they connect with.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }
}
