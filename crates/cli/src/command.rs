//! One module per command.

pub(crate) mod apply;
pub(crate) mod ask;
pub(crate) mod build;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod diagnose;
pub(crate) mod filter;
pub(crate) mod find_configs;
pub(crate) mod fix;
pub(crate) mod ide;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod lint;
pub(crate) mod lsp;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod tasks;
pub(crate) mod test;
pub(crate) mod version;
