//! What is in a directory when it begins to be watched.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::ignore::is_ephemeral;

/// The entries of a directory, under the name by which it is wanted.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Directories, without links to some.
    pub(crate) directories: Vec<PathBuf>,
    /// Links.
    pub(crate) links: Vec<PathBuf>,
    /// Everything that is no directory, links among them.
    pub(crate) files: Vec<PathBuf>,
}

impl Listing {
    /// Returns what is in a directory; nothing if it cannot be read.
    pub(crate) fn of(directory: &Path) -> Self {
        let mut listing = Self::default();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            let path = directory.join(&name);
            if kind.is_dir() {
                listing.directories.push(path);
            } else if !name.to_str().is_some_and(is_ephemeral) {
                if kind.is_symlink() {
                    listing.links.push(path.clone());
                }
                listing.files.push(path);
            }
        }
        listing
    }

    /// Returns all entries.
    pub(crate) fn all(&self) -> impl Iterator<Item = PathBuf> {
        self.directories.iter().chain(&self.files).cloned()
    }

    /// Returns the entries that were made or changed since then.
    pub(crate) fn since(&self, since: SystemTime) -> Vec<PathBuf> {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = (since.as_secs().cast_signed(), i64::from(since.subsec_nanos()));
        let is_new = |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| (metadata.ctime(), metadata.ctime_nsec()) >= since);
        self.all().filter(is_new).collect()
    }
}
