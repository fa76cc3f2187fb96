//! File sync: what changed, and where an image has its files.

use std::collections::BTreeMap;

/// A file of an artifact that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedFile {
    /// Path relative to the context, with `/`; a directory only where it is empty.
    pub path: String,
    /// Whether it is gone.
    pub deleted: bool,
}

/// Where an image has the files of its context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncMap {
    /// Absolute paths in the image, by path relative to the context; a file may be copied more than once.
    pub files: BTreeMap<String, Vec<String>>,
}
