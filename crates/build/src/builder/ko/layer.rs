//! The two layers of a ko image, and the ones of earlier builds that are used again.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use devloop_model::Digest;
use devloop_model::Platform;
use flate2::Compression;
use serde::Deserialize;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::kodata::Member;
use super::tar::Archive;
use crate::builder::packer::Packer;

/// How many compressed layers are kept for the next build.
const KEPT: usize = 32;
/// Raised when the bytes of layers change, so that older ones are not used.
const FORMAT: &[u8] = b"3";
/// What lets a program of a Windows image be run. Source: ko `pkg/build/gobuild.go`.
const WINDOWS_OWNER: (&str, &str) = ("MSWINDOWS.rawsd", "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==");

/// A compressed layer in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Digest of its archive.
    pub(super) diff_id: Digest,
    /// Digest of the compressed archive.
    pub(super) digest: Digest,
    /// Size of the compressed archive.
    pub(super) size: u64,
    /// The compressed archive.
    pub(super) file: PathBuf,
}

/// How a layer is packed; its diff ID is the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Small, as fast as that goes.
    Compressed,
    /// As large as it is, in gzip's format all the same: on the way to a registry of this machine and from there into
    /// its cluster, packing and unpacking take longer than the bytes do.
    Stored,
}

impl Packing {
    fn level(self) -> Compression {
        match self {
            Self::Compressed => Compression::fast(),
            Self::Stored => Compression::none(),
        }
    }
}

/// What is remembered of a layer.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    diff_id: Digest,
    digest: Digest,
    size: u64,
}

/// Compressed layers on disk: an image whose program is byte for byte the same needs no work.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    dir: PathBuf,
    packing: Packing,
}

impl Layers {
    /// Returns the layers in `cache_dir` that are packed like this.
    pub(super) fn new(cache_dir: &Path, packing: Packing) -> Self {
        Self { dir: cache_dir.join("ko-layers"), packing }
    }

    /// Returns the layer of a program, at `/ko-app/<name>`.
    pub(super) fn program(&self, binary: &Path, name: &str, platform: &Platform) -> io::Result<Layer> {
        self.layer(|out| program_archive(out, binary, name, platform.os()))
    }

    /// Returns the layer of kodata, at `/var/run/ko`; `modified` is in seconds since 1970.
    pub(super) fn kodata(&self, members: &[Member], platform: &Platform, modified: u64) -> io::Result<Layer> {
        self.layer(|out| kodata_archive(out, members, platform.os(), modified))
    }

    /// The archive is made twice, once to know it and once to pack it, so that it is never in memory.
    fn layer(&self, archive: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<Layer> {
        let mut key = hasher();
        archive(&mut key)?;
        if let Some(layer) = self.recall(&key) {
            return Ok(layer);
        }
        fs::create_dir_all(&self.dir)?;
        // A file may change in between: what is remembered is what was packed.
        let mut both = Both(hasher(), Packer::new(NamedTempFile::new_in(&self.dir)?, self.packing.level()));
        archive(&mut both)?;
        let Both(key, packer) = both;
        let packed = packer.finish()?;
        let (blob, entry_at) = self.files(&key);
        packed.out.persist(&blob)?;
        let entry = Entry { diff_id: packed.diff_id, digest: packed.digest, size: packed.size };
        let mut file = NamedTempFile::new_in(&self.dir)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        file.persist(&entry_at)?;
        self.forget_the_oldest();
        Ok(entry.layer(blob))
    }

    /// Returns where a packed layer stands, and what is remembered of it.
    fn files(&self, key: &blake3::Hasher) -> (PathBuf, PathBuf) {
        let key = &key.finalize().to_hex()[..40];
        let packed = match self.packing {
            Packing::Compressed => "",
            Packing::Stored => "-stored",
        };
        (self.dir.join(format!("{key}{packed}.tar.gz")), self.dir.join(format!("{key}{packed}.json")))
    }

    /// Returns a layer that is remembered if its blob is whole, and marks it as used.
    fn recall(&self, key: &blake3::Hasher) -> Option<Layer> {
        let (blob, entry_at) = self.files(key);
        let entry: Entry = serde_json::from_slice(&fs::read(entry_at).ok()?).ok()?;
        let file = fs::File::open(&blob).ok()?;
        if file.metadata().ok()?.len() != entry.size {
            return None;
        }
        // Only the order of forgetting depends on it.
        file.set_modified(SystemTime::now()).ok();
        Some(entry.layer(blob))
    }

    /// Keeps what was used last; a file that another process removes first is gone all the same.
    fn forget_the_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let blobs = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "gz"));
        let mut blobs: Vec<_> = blobs.filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path))).collect();
        blobs.sort_by(|a, b| b.cmp(a));
        for (_, blob) in blobs.into_iter().skip(KEPT) {
            let name = blob.to_string_lossy().replace(".tar.gz", ".json");
            for path in [Path::new(&name), &blob] {
                if let Err(error) = fs::remove_file(path) {
                    tracing::debug!(path = %path.display(), %error, "old layer not removed");
                }
            }
        }
    }
}

impl Entry {
    fn layer(self, file: PathBuf) -> Layer {
        Layer { diff_id: self.diff_id, digest: self.digest, size: self.size, file }
    }
}

/// Writes the same to two places.
struct Both<A, B>(A, B);

impl<A: Write, B: Write> Write for Both<A, B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.1.write(bytes)?;
        self.0.write_all(&bytes[..written])?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

fn hasher() -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(FORMAT);
    hasher
}

/// Source of the layout: ko `pkg/build/gobuild.go` (`tarBinary`).
fn program_archive(out: &mut dyn Write, binary: &Path, name: &str, os: &str) -> io::Result<()> {
    let content = fs::File::open(binary)?;
    let size = content.metadata()?.len();
    let mut archive = Archive::new(out, 0);
    if os == "windows" {
        ["Hives", "Files", "Files/ko-app"].iter().try_for_each(|dir| archive.directory(dir))?;
        archive.file(&format!("Files/ko-app/{name}"), size, content, &[WINDOWS_OWNER])?;
    } else {
        archive.directory("ko-app")?;
        archive.file(&format!("/ko-app/{name}"), size, content, &[])?;
    }
    archive.finish()
}

/// Source of the layout: ko `pkg/build/gobuild.go` (`tarKoData`, `walkRecursive`).
fn kodata_archive(out: &mut dyn Write, members: &[Member], os: &str, modified: u64) -> io::Result<()> {
    let mut archive = Archive::new(out, modified);
    let windows = os == "windows";
    let (parents, root): (&[&str], &str) = if windows {
        (&["Hives", "Files", "Files/var", "Files/var/run", "Files/var/run/ko"], "Files/var/run/ko")
    } else {
        (&["/var", "/var/run", "/var/run/ko"], "/var/run/ko")
    };
    parents.iter().try_for_each(|dir| archive.directory(dir))?;
    let records: &[_] = if windows { &[WINDOWS_OWNER] } else { &[] };
    // The ko that Skaffold has inside (0.18) writes no headers for directories below: files bring theirs.
    for member in members.iter().filter(|member| !member.is_directory) {
        let file = fs::File::open(&member.source)?;
        archive.file(&format!("{root}/{}", member.name), file.metadata()?.len(), file, records)?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests;
