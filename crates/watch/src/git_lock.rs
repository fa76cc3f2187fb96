//! Whether git is in the middle of changing a work tree.
//!
//! A checkout, a merge and a stash hold `index.lock` from before the first file that they write until after the last one
//! (git's `builtin/checkout.c`, `merge_working_tree`), so that however slowly they go on, they are one change.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

/// A lock that is older was left behind by a git that was killed, or is held while a person writes a commit message.
const LONGEST_HELD: Duration = Duration::from_secs(10);

/// Returns whether git holds the index of the work tree that `path` is in, and has not done so for long.
pub(crate) fn is_held(path: &Path, now: SystemTime) -> bool {
    let taken = git_directory(path).and_then(|directory| directory.join("index.lock").symlink_metadata().ok()?.modified().ok());
    // One that was taken after `now` was taken this moment.
    taken.is_some_and(|taken| now.duration_since(taken).unwrap_or_default() < LONGEST_HELD)
}

fn git_directory(path: &Path) -> Option<PathBuf> {
    let at = path.ancestors().skip(1).map(|above| above.join(".git")).find(|at| at.symlink_metadata().is_ok())?;
    if at.is_dir() {
        return Some(at);
    }
    // A second work tree, or a submodule: a file that names the directory.
    let text = fs::read_to_string(&at).ok()?;
    Some(at.parent()?.join(text.strip_prefix("gitdir:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_counts_while_it_is_young() {
        let top = tempfile::tempdir().unwrap();
        let (tree, file) = (top.path().join("tree"), top.path().join("tree/src/main.go"));
        fs::create_dir_all(tree.join(".git")).unwrap();
        fs::create_dir_all(tree.join("src")).unwrap();
        let now = SystemTime::now();
        assert!(!is_held(&file, now));
        fs::write(tree.join(".git/index.lock"), "").unwrap();
        assert!(is_held(&file, now));
        assert!(!is_held(&file, now + LONGEST_HELD * 2));
        assert!(!is_held(&top.path().join("other"), now));
    }

    #[test]
    fn second_work_trees_have_their_own() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("main/.git/worktrees/second");
        fs::create_dir_all(&own).unwrap();
        fs::create_dir_all(top.path().join("second")).unwrap();
        fs::write(top.path().join("second/.git"), "gitdir: ../main/.git/worktrees/second\n").unwrap();
        let file = top.path().join("second/a");
        assert!(!is_held(&file, SystemTime::now()));
        fs::write(own.join("index.lock"), "").unwrap();
        assert!(is_held(&file, SystemTime::now()));
    }
}
