//! Which tests succeeded, for which image and which files: of this session in memory, of earlier ones on disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_model::BuiltImage;
use devloop_model::Identity;
use devloop_model::Test;
use devloop_model::TestKind;

use crate::CacheKey;
use crate::Inputs;
use crate::cache;

/// Told apart from what an earlier version of the rules would have given.
const VERSION: &[u8] = b"devloop-test-1";

/// Which tests succeeded.
#[derive(Debug, Default)]
pub struct TestMemory {
    directory: Option<PathBuf>,
    session: Mutex<BTreeSet<CacheKey>>,
}

impl TestMemory {
    /// Returns a memory of this session alone.
    pub fn of_session() -> Self {
        Self::default()
    }

    /// Returns a memory of earlier sessions too, beside the build cache in `cache_dir`; nothing is read or made yet.
    pub fn on_disk(cache_dir: &Path) -> Self {
        Self { directory: Some(cache_dir.join("tests")), ..Self::default() }
    }

    /// Returns whether a test succeeded before.
    pub(super) fn has(&self, key: &CacheKey) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.contains(key)
            || self.file(key).is_some_and(|file| {
                cache::touch(&file);
                file.exists()
            })
    }

    /// Remembers that a test succeeded, beyond this session if `for_later`.
    pub(super) fn note(&self, key: CacheKey, for_later: bool) {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        let Some((file, directory)) = self.file(&key).zip(self.directory.as_ref()).filter(|_| for_later) else { return };
        // One that is not remembered is run once more.
        if let Err(error) = cache::store(&file, &()).and_then(|()| cache::bound(directory)) {
            tracing::debug!("cannot remember a test: {error}");
        }
    }

    fn file(&self, key: &CacheKey) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(key.to_string()))
    }
}

/// Returns what a test and all that it depends on are, as one hash.
pub(super) fn key(test: &Test, command: Option<&str>, image: &BuiltImage, inputs: &Inputs) -> CacheKey {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    add(VERSION);
    match &image.identity {
        Identity::Digest(digest) => add(digest.as_str().as_bytes()),
        Identity::Id(id) => add(id.as_str().as_bytes()),
        Identity::AsNamed => add(image.deployed().as_bytes()),
    }
    add(test.context.as_os_str().as_encoded_bytes());
    match &test.kind {
        TestKind::Custom(_) => add(command.unwrap_or_default().as_bytes()),
        TestKind::Structure(structure) => {
            add(b"structure");
            structure.args.iter().for_each(|argument| add(argument.as_bytes()));
        }
    }
    for file in inputs.files.iter() {
        add(file.path.as_bytes());
        add(&file.mode.to_le_bytes());
        add(&file.hash);
    }
    CacheKey(*hasher.finalize().as_bytes())
}
