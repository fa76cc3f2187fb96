//! What is in a folder of sources, and the `skaffold.yaml` that builds and deploys it: a tree of files in, a configuration out.
//!
//! [`Tree`] reads the folder, [`Project`] says what is in it, [`Matching`] which image is built by what, and [`Outcome`] is the result.
//! Nobody is asked here, and no program is run: what Jib's plugins and helm know is put into the project by the caller.

mod analysis;
mod artifact;
mod builder;
mod chart;
mod compose;
mod deployment;
mod generate;
mod go;
mod jib;
mod kustomization;
mod likeness;
mod manifest;
mod matching;
mod options;
mod outcome;
mod project;
#[cfg(test)]
mod tests;
mod tree;

pub use analysis::analysis;
pub use analysis::old_analysis;
pub use artifact::Artifact;
pub use builder::Builder;
pub use builder::Kind;
pub use chart::Chart;
pub use compose::Converted;
pub use deployment::Deployment;
pub use jib::JibFile;
pub use matching::Matching;
pub use options::Options;
pub use options::ReadDockerfile;
pub use outcome::Generated;
pub use outcome::Outcome;
pub use project::Project;
pub use tree::Tree;
