//! Artifact to built image: inputs, tag, cache, graph order, builders, push or load.
//!
//! [`prepare`] looks at all artifacts at once and says which images exist already; [`build`] makes
//! one that does not.

mod cache;
mod error;
mod explain;
pub mod graph;
mod hash_index;
pub mod inputs;
mod options;
mod prepare;
mod tag;

pub use cache::CacheKey;
pub use error::BuildError;
pub use explain::Explanation;
pub use explain::explain;
pub use inputs::InputFile;
pub use inputs::InputKind;
pub use inputs::Inputs;
pub use options::BuildOptions;
pub use prepare::BuildJob;
pub use prepare::Prepared;
pub use prepare::PreparedState;
pub use prepare::build;
pub use prepare::prepare;
