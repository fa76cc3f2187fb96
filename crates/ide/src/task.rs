//! The command that an editor starts before it attaches.

use std::path::PathBuf;

/// `devloop debug`, as an editor starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its arguments, after `debug`.
    pub arguments: Vec<String>,
    /// The directory to start it in, relative to the workspace.
    pub dir: PathBuf,
    /// A regular expression for the line that says that it is busy again.
    pub begins: String,
    /// A regular expression for the line that says that debuggers listen.
    pub ends: String,
}
