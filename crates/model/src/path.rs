//! Paths as texts: no file system is asked.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Returns a path without `.` and `..`, as file events name it.
pub fn normal_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
