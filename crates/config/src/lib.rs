//! skaffold.yaml text to a fully resolved plan: versions, modules, profiles, templates, defaults, checks.

mod check;
mod decode;
mod defaults;
mod edit;
mod effective;
mod env_file;
mod find;
mod fix;
mod global;
mod inspect;
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
pub use effective::effective_yaml_with_jobs;
pub use env_file::ENV_FILE;
pub use env_file::load_env_file;
pub use env_file::read_env_file;
pub use find::find_configs;
pub use fix::FixOptions;
pub use fix::Fixed;
pub use fix::fix;
pub use global::ContextSettings;
pub use global::GlobalConfig;
pub use global::Scope;
pub use global::list_settings;
pub use global::set_setting;
pub use global::settings_files;
pub use inspect::BuildEnv;
pub use inspect::Change;
pub use inspect::Fields;
pub use inspect::Inspection;
pub use inspect::refusal;
pub use load::ConfigSource;
pub use load::FILE_NAMES;
pub use load::Options;
pub use load::Unsaved;
pub use load::load;
pub use modules::FetchRepo;
pub use modules::GitSource;
pub use modules::ModuleDocument;
pub use modules::ModuleOptions;
pub use modules::NoFetch;
pub use modules::ReadFile;
pub use modules::clean as clean_path;
pub use modules::file_at as configuration_at;
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
pub use schema::annotated_schema;
pub use schema::json_schema;
pub use schema::schema_versions;
pub use upgrade::NEWEST_OF_SKAFFOLD;

use devloop_model::Diagnostic;

/// Everything that is wrong with a configuration, in file order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
pub struct ConfigError {
    /// At least one error.
    pub diagnostics: Vec<Diagnostic>,
}

impl From<Vec<Diagnostic>> for ConfigError {
    fn from(mut diagnostics: Vec<Diagnostic>) -> Self {
        load::once_each(&mut diagnostics);
        Self { diagnostics }
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}
