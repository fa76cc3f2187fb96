//! The artifacts, and which needs which.

use devloop_model::ImageName;

/// The artifacts, and which needs which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Artifacts in the order of the configuration.
    pub artifacts: Vec<Node>,
    /// How many builds may run at once.
    pub concurrency: usize,
    /// How many images may be tested at once.
    pub tests_at_once: usize,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub image: ImageName,
    /// Artifacts that are built first.
    pub requires: Vec<ImageName>,
    /// Whether some of its files are copied into running containers.
    pub syncs: bool,
    /// Whether its image has tests.
    pub is_tested: bool,
}
