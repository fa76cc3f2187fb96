//! What git knows of a directory, through libgit2; only copies of other repositories are fetched by the program.

mod changes;
mod checkout;

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use git2::DescribeOptions;
use git2::ErrorClass;
use git2::ErrorCode;
use git2::Repository;

pub use self::changes::Changes;
pub use self::checkout::CheckoutError;
pub use self::checkout::CheckoutSettings;
pub use self::checkout::Checkouts;
pub use self::checkout::RepoWanted;
pub use self::checkout::SyncPolicy;

/// Why git's answer is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The directory is in no repository.
    #[error("`{}` is not in a git repository", directory.display())]
    NoRepository {
        /// The directory.
        directory: PathBuf,
    },
    /// The repository has no commit yet.
    #[error("the git repository of `{}` has no commit yet", directory.display())]
    NoCommit {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory is not in the last commit.
    #[error("`{}` is not in the last commit", directory.display())]
    NotCommitted {
        /// The directory.
        directory: PathBuf,
    },
    /// Anything else that git says.
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
}

/// The repository around a directory.
pub struct GitDir {
    repository: Repository,
    directory: PathBuf,
    /// The directory, relative to the root of the work tree.
    inside: PathBuf,
    root: PathBuf,
}

impl GitDir {
    /// Returns the repository that `directory` is in.
    ///
    /// # Errors
    /// When there is none, or it has no work tree.
    pub fn open(directory: &Path) -> Result<Self, GitError> {
        let none = || GitError::NoRepository { directory: directory.to_owned() };
        let repository = Repository::discover(directory).map_err(|error| match error.code() {
            ErrorCode::NotFound => none(),
            _ => GitError::Git(error),
        })?;
        let root = repository.workdir().ok_or_else(none)?.canonicalize().map_err(|_| none())?;
        let inside = directory.canonicalize().ok().and_then(|full| full.strip_prefix(&root).map(Path::to_owned).ok()).ok_or_else(none)?;
        Ok(Self { repository, directory: directory.to_owned(), inside, root })
    }

    /// Returns the root of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the directory, relative to the root.
    pub fn inside(&self) -> &Path {
        &self.inside
    }

    /// Returns what `git describe --tags --always` prints.
    ///
    /// # Errors
    /// When there is no commit.
    pub fn describe(&self) -> Result<String, GitError> {
        let commit = self.head()?;
        let abbreviated = self.short(commit.as_object())?;
        let mut options = DescribeOptions::new();
        options.describe_tags();
        match commit.as_object().describe(&options) {
            Ok(found) => Ok(found.format(Some(git2::DescribeFormatOptions::new().abbreviated_size(abbreviated.len() as u32)))?),
            Err(error) if error.code() == ErrorCode::NotFound || error.class() == ErrorClass::Describe => Ok(abbreviated),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the hash of the last commit: `git rev-list -1 HEAD`.
    ///
    /// # Errors
    /// When there is no commit.
    pub fn commit(&self) -> Result<String, GitError> {
        Ok(self.head()?.id().to_string())
    }

    /// Returns the short hash of the last commit, as long as it has to be to be unique.
    ///
    /// # Errors
    /// When there is no commit.
    pub fn short_commit(&self) -> Result<String, GitError> {
        let commit = self.head()?;
        self.short(commit.as_object())
    }

    /// Returns the hash of the directory's tree in the last commit: `git rev-parse HEAD:<directory>/`.
    ///
    /// # Errors
    /// When there is no commit, or the directory is not in it.
    pub fn tree(&self) -> Result<String, GitError> {
        Ok(self.tree_object()?.id().to_string())
    }

    /// Returns the short hash of the directory's tree.
    ///
    /// # Errors
    /// When there is no commit, or the directory is not in it.
    pub fn short_tree(&self) -> Result<String, GitError> {
        let tree = self.tree_object()?;
        self.short(&tree)
    }

    /// Returns the name of the branch that is checked out; none with a detached HEAD.
    ///
    /// # Errors
    /// When HEAD cannot be read.
    pub fn branch(&self) -> Result<Option<String>, GitError> {
        let head = self.repository.find_reference("HEAD")?;
        let Ok(Some(target)) = head.symbolic_target() else { return Ok(None) };
        Ok(target.strip_prefix("refs/heads/").map(str::to_owned))
    }

    fn head(&self) -> Result<git2::Commit<'_>, GitError> {
        match self.repository.head().and_then(|head| head.peel_to_commit()) {
            Ok(commit) => Ok(commit),
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                Err(GitError::NoCommit { directory: self.directory.clone() })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn tree_object(&self) -> Result<git2::Object<'_>, GitError> {
        let tree = self.head()?.tree()?;
        if self.inside.as_os_str().is_empty() {
            return Ok(tree.into_object());
        }
        let entry = tree.get_path(&self.inside).map_err(|_| GitError::NotCommitted { directory: self.directory.clone() })?;
        Ok(entry.to_object(&self.repository)?)
    }

    /// The abbreviation that git itself would print: `core.abbrev`, or a length that grows with the
    /// number of packed objects, and longer where two objects share that prefix (git's
    /// `object-name.c`; libgit2 knows the fixed seven digits only).
    fn short(&self, object: &git2::Object<'_>) -> Result<String, GitError> {
        let id = object.id();
        let text = id.to_string();
        let odb = self.repository.odb()?;
        let mut length = self.abbreviation()?.clamp(4, text.len());
        while length < text.len() && odb.exists_prefix(id, length).is_err_and(|error| error.code() == ErrorCode::Ambiguous) {
            length += 1;
        }
        Ok(text[..length].to_owned())
    }

    fn abbreviation(&self) -> Result<usize, GitError> {
        let configured = self.repository.config()?.get_string("core.abbrev").unwrap_or_default().to_lowercase();
        Ok(match configured.as_str() {
            "" | "auto" => automatic_abbreviation(packed_objects(&self.repository.commondir().join("objects"))),
            "no" | "off" | "false" => usize::MAX,
            number => number.parse().unwrap_or(SHORTEST),
        })
    }
}

/// What git never goes below by itself.
const SHORTEST: usize = 7;

/// Half as many digits as the count has bits, rounded up, and one bit more: then a clash is unlikely.
fn automatic_abbreviation(objects: u64) -> usize {
    let bits = (u64::BITS - objects.leading_zeros()) as usize;
    bits.div_ceil(2).max(SHORTEST)
}

/// Returns how many objects the packs of an object store have, by the last entry of the fan-out
/// table of each index (git's `pack-format`); what cannot be read counts as nothing.
fn packed_objects(store: &Path) -> u64 {
    let own = std::fs::read_dir(store.join("pack")).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let own: u64 =
        own.filter(|path| path.extension().is_some_and(|e| e == "idx")).map(|path| indexed_objects(&path).unwrap_or_default()).sum();
    let alternates = std::fs::read_to_string(store.join("info/alternates")).unwrap_or_default();
    own + alternates
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| packed_objects(&store.join(line)))
        .sum::<u64>()
}

fn indexed_objects(index: &Path) -> std::io::Result<u64> {
    let mut head = [0_u8; 8 + 1024];
    std::fs::File::open(index)?.read_exact(&mut head)?;
    let end = if head.starts_with(b"\xfftOc") { head.len() } else { 1024 };
    let count: [u8; 4] = head[end - 4..end].try_into().unwrap_or_default();
    Ok(u64::from(u32::from_be_bytes(count)))
}

#[cfg(test)]
mod tests;
