//! One module per command.

pub(crate) mod completion;
pub(crate) mod schema;
pub(crate) mod version;
