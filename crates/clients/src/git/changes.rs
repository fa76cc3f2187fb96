//! What `git status` says of a part of a work tree, so that many directories in it are asked about once.

use std::path::Path;

use git2::Repository;
use git2::StatusOptions;

use super::GitDir;
use super::GitError;

/// What is staged, changed, deleted or untracked at or below one path of a work tree.
#[derive(Debug)]
pub struct Changes {
    /// Relative to the root; an untracked directory stands for all that is in it, and ends with `/`.
    paths: Vec<String>,
    /// Whether the path itself may lie in an untracked directory, of which git then says nothing.
    hidden: bool,
}

impl GitDir {
    /// Returns whether `git status . --porcelain` in the directory prints anything: files that are
    /// staged, changed, deleted or untracked, but not ignored.
    ///
    /// # Errors
    /// When the work tree cannot be read.
    pub fn is_dirty(&self) -> Result<bool, GitError> {
        self.is_dirty_in(&self.changes(&self.inside)?)
    }

    /// Returns what changed at or below `part` of the work tree.
    ///
    /// # Errors
    /// When the work tree cannot be read.
    pub fn changes(&self, part: &Path) -> Result<Changes, GitError> {
        let paths = changed(&self.repository, part, false)?;
        let hidden = paths.is_empty() && !self.has_tracked_files(part)?;
        Ok(Changes { paths, hidden })
    }

    /// Returns what [`GitDir::is_dirty`] does, by what is known of a part of the work tree that the directory is in.
    ///
    /// # Errors
    /// When the work tree cannot be read.
    pub fn is_dirty_in(&self, changes: &Changes) -> Result<bool, GitError> {
        if changes.reach(&self.inside) {
            return Ok(true);
        }
        // libgit2 does not report a directory below an untracked one unless it goes into both.
        let below_untracked = changes.hidden || changes.cover(&self.inside);
        Ok(below_untracked && !self.has_tracked_files(&self.inside)? && !changed(&self.repository, &self.inside, true)?.is_empty())
    }

    fn has_tracked_files(&self, part: &Path) -> Result<bool, GitError> {
        Ok(part.as_os_str().is_empty() || self.repository.index()?.find_prefix(part.join("")).is_ok())
    }
}

impl Changes {
    /// Returns whether something at or below `directory` changed.
    fn reach(&self, directory: &Path) -> bool {
        self.paths.iter().any(|path| Path::new(path).starts_with(directory))
    }

    /// Returns whether `directory` lies in an untracked one.
    fn cover(&self, directory: &Path) -> bool {
        self.paths.iter().any(|path| path.ends_with('/') && directory.starts_with(path))
    }
}

fn changed(repository: &Repository, part: &Path, inside_untracked: bool) -> Result<Vec<String>, GitError> {
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(inside_untracked).include_ignored(false).disable_pathspec_match(true);
    if !part.as_os_str().is_empty() {
        options.pathspec(part);
    }
    let statuses = repository.statuses(Some(&mut options))?;
    Ok(statuses.iter().map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned()).collect())
}
