//! One module per command.

pub(crate) mod apply;
pub(crate) mod ask;
pub(crate) mod build;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod diagnose;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod tasks;
pub(crate) mod test;
pub(crate) mod version;
