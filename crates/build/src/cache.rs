//! Which images were built from which inputs, on disk.
//!
//! One small file per image that is known, by the key of what went into it, and one per artifact with
//! what went into its last build, to tell why the next one is not the same. Each is written by one
//! rename when its build is done, so that a failed sibling or another process costs nothing.

pub(crate) mod ingredients;
pub(crate) mod lookup;

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use devloop_model::Artifact;
use devloop_model::Digest;
use devloop_model::Identity;
use devloop_model::ImageId;
use devloop_model::RebuildCause;
use serde::Deserialize;
use serde::Serialize;

use self::ingredients::Ingredients;
use self::ingredients::Remembered;
use crate::Inputs;

/// How many images and artifacts are remembered.
const KEPT: usize = 2000;
/// A file that is used counts as new again after this time.
const REFRESH: Duration = Duration::from_hours(24);

/// What went into an image, as one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(pub(crate) [u8; 32]);

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An image that was built once; it may be known by its digest in a registry, its ID in a daemon, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) digest: Option<Digest>,
    pub(crate) id: Option<ImageId>,
}

/// The cache on disk.
#[derive(Debug, Clone)]
pub(crate) struct BuildCache {
    images: PathBuf,
    artifacts: PathBuf,
}

impl BuildCache {
    /// Returns the cache in `cache_dir`; nothing is read or made yet.
    pub(crate) fn new(cache_dir: &Path) -> Self {
        Self { images: cache_dir.join("images"), artifacts: cache_dir.join("artifacts") }
    }

    /// Returns the image of `key`, if one is remembered; a damaged file is none.
    pub(crate) fn find(&self, key: CacheKey) -> Option<Entry> {
        let path = self.image(key);
        let entry = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        touch(&path);
        Some(entry)
    }

    /// Remembers that `key` gives an image of this identity, beside what is known of it already.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub(crate) fn record_image(&self, key: CacheKey, identity: &Identity) -> io::Result<()> {
        let mut entry = self.find(key).unwrap_or_default();
        match identity {
            Identity::Digest(digest) => entry.digest = Some(digest.clone()),
            Identity::Id(id) => entry.id = Some(id.clone()),
            Identity::AsNamed => return Ok(()),
        }
        store(&self.image(key), &entry)?;
        bound(&self.images)
    }

    /// Remembers what went into the last build of `artifact`.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub(crate) fn record_ingredients(&self, artifact: &Artifact, ingredients: &Ingredients, inputs: &Inputs) -> io::Result<()> {
        store(&self.artifact(artifact), &Remembered::of(ingredients, inputs))?;
        bound(&self.artifacts)
    }

    /// Returns how what goes into `artifact` differs from what went into its last build.
    pub(crate) fn causes(&self, artifact: &Artifact, ingredients: &Ingredients, inputs: &Inputs) -> Vec<RebuildCause> {
        let last = fs::read(self.artifact(artifact)).ok().and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
        match last {
            Some(last) => last.differences(&Remembered::of(ingredients, inputs)),
            None => vec![RebuildCause::NeverBuilt],
        }
    }

    fn image(&self, key: CacheKey) -> PathBuf {
        self.images.join(format!("{key}.json"))
    }

    fn artifact(&self, artifact: &Artifact) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(artifact.image.as_str().as_bytes()).update(b"\0").update(artifact.context.as_os_str().as_encoded_bytes());
        self.artifacts.join(format!("{}.json", hasher.finalize().to_hex()))
    }
}

/// Writes a file in one rename.
pub(crate) fn store(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut next = tempfile::NamedTempFile::new_in(directory)?;
    next.write_all(&serde_json::to_vec(value)?)?;
    next.persist(path)?;
    Ok(())
}

/// Keeps what is used from being dropped as old.
pub(crate) fn touch(path: &Path) {
    let is_old = fs::metadata(path).and_then(|m| m.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > REFRESH));
    if is_old && let Ok(file) = File::options().write(true).open(path) {
        // The cache works without it.
        drop(file.set_modified(SystemTime::now()));
    }
}

/// Drops the oldest files when there are too many; some at once, so that not every build does it.
pub(crate) fn bound(directory: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(directory)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .map(|path| (SystemTime::UNIX_EPOCH, path))
        .collect();
    if files.len() <= KEPT {
        return Ok(());
    }
    for (modified, path) in &mut files {
        *modified = fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    }
    files.sort();
    for (_, path) in &files[..files.len() - KEPT * 9 / 10] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
