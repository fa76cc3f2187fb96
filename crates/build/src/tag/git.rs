//! `gitCommit`: tags from the repository around a context.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_clients::git::Changes;
use devloop_clients::git::GitDir;
use devloop_clients::git::GitError;
use devloop_model::Artifact;
use devloop_model::GitVariant;
use devloop_model::Tagger;

use super::TagError;

/// The longest tag that registries accept.
const MAX_LENGTH: usize = 128;

/// What git answered in this session's pass: what holds for a whole repository is asked once.
#[derive(Debug, Default)]
pub(crate) struct GitAnswers {
    /// The contexts whose changes matter, without symbolic links.
    contexts: Vec<PathBuf>,
    by_repository: Mutex<HashMap<(PathBuf, GitVariant), String>>,
    changes: Mutex<HashMap<PathBuf, Arc<Changes>>>,
}

impl GitAnswers {
    /// Returns no answers yet, for the contexts of these artifacts.
    pub(crate) fn of(artifacts: &[Arc<Artifact>]) -> Self {
        let contexts = artifacts.iter().filter(|artifact| counts_changes(&artifact.tagger));
        Self { contexts: contexts.filter_map(|artifact| artifact.context.canonicalize().ok()).collect(), ..Self::default() }
    }

    /// Returns the tag of an image with this context.
    ///
    /// # Errors
    /// When the context is in no repository, or not in its last commit.
    pub(crate) fn tag(&self, context: &Path, variant: GitVariant, prefix: &str, ignore_changes: bool) -> Result<String, TagError> {
        let directory = GitDir::open(context)?;
        let name = self.name(&directory, variant)?;
        let dirty = if !ignore_changes && self.is_dirty(&directory)? { "-dirty" } else { "" };
        let room = MAX_LENGTH.saturating_sub(prefix.len() + dirty.len());
        Ok(format!("{prefix}{}{dirty}", &sanitized(&name, room)))
    }

    fn is_dirty(&self, directory: &GitDir) -> Result<bool, GitError> {
        let part = self.part_with_contexts(directory.root()).filter(|part| directory.inside().starts_with(part));
        match part {
            Some(part) => directory.is_dirty_in(&*self.changes_in(directory, &part)?),
            None => directory.is_dirty(),
        }
    }

    /// Returns what changed in `part` of the repository; others of it wait for the answer, which is theirs as well.
    fn changes_in(&self, directory: &GitDir, part: &Path) -> Result<Arc<Changes>, GitError> {
        let mut known = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changes) = known.get(directory.root()) {
            return Ok(Arc::clone(changes));
        }
        let changes = Arc::new(directory.changes(part)?);
        known.insert(directory.root().to_owned(), Arc::clone(&changes));
        Ok(changes)
    }

    /// Returns the deepest directory of a work tree that all contexts in it are in.
    fn part_with_contexts(&self, root: &Path) -> Option<PathBuf> {
        let inside = self.contexts.iter().filter_map(|context| context.strip_prefix(root).map(Path::to_owned).ok());
        inside.reduce(|all, next| shared(&all, &next))
    }

    fn name(&self, directory: &GitDir, variant: GitVariant) -> Result<String, GitError> {
        match variant {
            GitVariant::TreeSha => return directory.tree(),
            GitVariant::AbbrevTreeSha => return directory.short_tree(),
            _ => {}
        }
        let key = (directory.root().to_owned(), variant);
        let known = || self.by_repository.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known().get(&key) {
            return Ok(name.clone());
        }
        let name = match variant {
            GitVariant::CommitSha => directory.commit()?,
            GitVariant::AbbrevCommitSha => directory.short_commit()?,
            // With a detached HEAD there is no branch; the commit is then the best name.
            GitVariant::Branches => directory.branch()?.map_or_else(|| directory.short_commit(), Ok)?,
            _ => directory.describe()?,
        };
        known().insert(key, name.clone());
        Ok(name)
    }
}

fn counts_changes(tagger: &Tagger) -> bool {
    match tagger {
        Tagger::GitCommit { ignore_changes, .. } => !ignore_changes,
        // It may use git without naming it.
        Tagger::CustomTemplate { .. } => true,
        _ => false,
    }
}

/// Returns what two paths have in common from the left.
fn shared(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
}

/// Replaces what a tag cannot have by `_`, as well as `.` and `-` at its start, and cuts it.
fn sanitized(name: &str, length: usize) -> String {
    let start = name.len() - name.trim_start_matches(['.', '-']).len();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut tag: String = name.char_indices().map(|(at, c)| if at >= start && fits(c) { c } else { '_' }).collect();
    tag.truncate(length);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_tags() {
        for (name, expected) in
            [("v1.2-3-gabc", "v1.2-3-gabc"), ("feature/x+y", "feature_x_y"), ("-.-a.b-c", "___a.b-c"), ("äb", "_b"), ("", "")]
        {
            assert_eq!(sanitized(name, 128), expected, "{name}");
        }
        assert_eq!(sanitized(&"x".repeat(200), 128).len(), 128);
    }
}
