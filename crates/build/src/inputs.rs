//! The files whose change makes an image stale.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The inputs of one artifact.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The build context; paths of files start from it.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context; none for builders without one.
    pub dockerfile: Option<PathBuf>,
    /// The files, sorted by path.
    pub files: Arc<[InputFile]>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Path relative to the context, with `/`; starts with `..` where the file is outside.
    pub path: Box<str>,
    /// What it is.
    pub kind: InputKind,
    /// Permission bits, as the image gets them.
    pub mode: u32,
    /// BLAKE3 of the content; of the target for a symbolic link, of nothing for a directory.
    pub hash: [u8; 32],
    /// MD5 of path and content, as `inputDigest` counts it.
    pub md5: [u8; 16],
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// A regular file.
    File,
    /// A symbolic link; not followed.
    Symlink,
    /// A directory with nothing in it.
    EmptyDirectory,
}

impl Inputs {
    /// Returns the absolute path of `file`.
    pub fn absolute(&self, file: &InputFile) -> PathBuf {
        self.context.join(&*file.path)
    }

    /// Returns the paths, relative to the context.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| Path::new(&*file.path))
    }
}
