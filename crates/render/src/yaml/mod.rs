//! YAML as Kubernetes reads it, and as kubectl's users expect it to be written.

mod read;
mod scalar;
mod write;

pub(crate) use read::Document;
pub(crate) use read::read;
pub use write::to_yaml;
