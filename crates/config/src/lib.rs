//! skaffold.yaml text to a fully resolved plan: versions, modules, profiles, templates, defaults, checks.

mod check;
mod decode;
mod defaults;
mod effective;
mod env_file;
mod global;
mod load;
mod loaded;
mod modules;
mod names;
pub mod node;
mod patch;
mod plan;
mod profile;
pub mod schema;
mod unsupported;
mod upgrade;

pub use effective::effective_yaml;
pub use env_file::ENV_FILE;
pub use env_file::load_env_file;
pub use env_file::read_env_file;
pub use global::ContextSettings;
pub use global::GlobalConfig;
pub use load::ConfigSource;
pub use load::Options;
pub use load::load;
pub use modules::FetchRepo;
pub use modules::GitSource;
pub use modules::ModuleDocument;
pub use modules::ModuleOptions;
pub use modules::NoFetch;
pub use modules::ReadFile;
pub use names::Names;
pub use names::names;
pub use node::Key;
pub use node::Node;
pub use node::Source;
pub use node::Span;
pub use node::Value;
pub use node::parse_documents;
pub use profile::Applied;
pub use profile::ProfileOptions;
pub use schema::json_schema;
pub use schema::schema_versions;

use devloop_model::Diagnostic;

/// Everything that is wrong with a configuration, in file order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
pub struct ConfigError {
    /// At least one error.
    pub diagnostics: Vec<Diagnostic>,
}

impl From<Vec<Diagnostic>> for ConfigError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}
