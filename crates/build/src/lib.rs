//! Artifact to built image: inputs, tag, cache, graph order, builders, push or load.
//!
//! [`prepare`] looks at all artifacts at once and says which images exist already; [`build`] makes
//! one that does not.

mod builder;
mod cache;
mod deliver;
mod error;
mod explain;
pub mod graph;
mod hash_index;
pub mod inputs;
mod options;
mod outline;
mod platforms;
mod prepare;
mod remove;
mod tag;
mod test;
#[cfg(test)]
mod testing;

pub use builder::buildkit::ROOT as BUILDER_ROOT;
pub use builder::buildkit::examine as examine_builder;
pub use builder::buildkit::remove_builders;
pub use cache::CacheKey;
pub use cache::ingredients::Ingredients;
pub use deliver::load_named;
pub use error::BuildError;
pub use explain::ListedInputs;
pub use explain::explain;
pub use explain::inputs_of;
pub use explain::list_inputs;
pub use inputs::InputFile;
pub use inputs::InputKind;
pub use inputs::Inputs;
pub use inputs::context::context_files;
pub use inputs::dockerfile::outline::Copied;
pub use inputs::dockerfile::outline::StageOutline;
pub use inputs::dockerfile::ports::exposed_ports;
pub use inputs::jib::sync::Compiled;
pub use inputs::jib::sync::compile_for_sync;
pub use options::BuildOptions;
pub use options::BuilderOptions;
pub use options::now;
pub use outline::CopiedFiles;
pub use outline::copied_files;
pub use outline::outline;
pub use prepare::BuildJob;
pub use prepare::Prepared;
pub use prepare::PreparedState;
pub use prepare::Tagged;
pub use prepare::build;
pub use prepare::prepare;
pub use prepare::tag;
pub use remove::remove;
pub use test::TestJob;
pub use test::TestMemory;
pub use test::test;
pub use test::test_inputs;
