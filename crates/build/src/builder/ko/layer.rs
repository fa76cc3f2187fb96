//! The two layers of a ko image, and the ones of earlier builds that are used again.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use devloop_clients::registry::digest_of;
use devloop_model::Digest;
use devloop_model::Platform;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use super::kodata::Member;
use super::tar::Archive;

/// How much is compressed at a time; each piece is a gzip member of its own, so that all cores work.
const PIECE: usize = 1 << 20;
/// How many compressed layers are kept for the next build.
const KEPT: usize = 32;
/// Raised when the bytes of layers change, so that older ones are not used.
const FORMAT: &[u8] = b"2";
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
        let content = fs::read(binary)?;
        let key = key(&[b"program", name.as_bytes(), platform.os().as_bytes(), &content]);
        self.remembered(&key, || program_archive(&content, name, platform.os()))
    }

    /// Returns the layer of kodata, at `/var/run/ko`; `modified` is in seconds since 1970.
    pub(super) fn kodata(&self, members: &[Member], platform: &Platform, modified: u64) -> io::Result<Layer> {
        let archive = kodata_archive(members, platform.os(), modified)?;
        let key = key(&[b"kodata", &archive]);
        self.remembered(&key, || Ok(archive))
    }

    fn remembered(&self, key: &str, archive: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Layer> {
        let packed = match self.packing {
            Packing::Compressed => "",
            Packing::Stored => "-stored",
        };
        let (blob, entry_at) = (self.dir.join(format!("{key}{packed}.tar.gz")), self.dir.join(format!("{key}{packed}.json")));
        if let Some(entry) = self.recall(&entry_at, &blob) {
            return Ok(Layer { diff_id: entry.diff_id, digest: entry.digest, size: entry.size, file: blob });
        }
        let archive = archive()?;
        let (diff_id, compressed) = rayon::join(|| digest_of(&archive), || compress(&archive, self.packing));
        let compressed = compressed?;
        let entry = Entry { diff_id, digest: digest_of(&compressed), size: compressed.len() as u64 };
        fs::create_dir_all(&self.dir)?;
        self.write(&blob, &compressed)?;
        self.write(&entry_at, &serde_json::to_vec(&entry)?)?;
        self.forget_the_oldest();
        Ok(Layer { diff_id: entry.diff_id, digest: entry.digest, size: entry.size, file: blob })
    }

    /// Returns what is remembered if its blob is whole, and marks it as used.
    fn recall(&self, entry_at: &Path, blob: &Path) -> Option<Entry> {
        let entry: Entry = serde_json::from_slice(&fs::read(entry_at).ok()?).ok()?;
        let file = fs::File::open(blob).ok()?;
        if file.metadata().ok()?.len() != entry.size {
            return None;
        }
        // Only the order of forgetting depends on it.
        file.set_modified(SystemTime::now()).ok();
        Some(entry)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
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

fn key(parts: &[&[u8]]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(FORMAT);
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hash.finalize().to_hex()[..40].to_owned()
}

/// Source of the layout: ko `pkg/build/gobuild.go` (`tarBinary`).
fn program_archive(content: &[u8], name: &str, os: &str) -> io::Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::with_capacity(content.len() + 4096), 0);
    if os == "windows" {
        ["Hives", "Files", "Files/ko-app"].iter().try_for_each(|dir| archive.directory(dir))?;
        archive.file(&format!("Files/ko-app/{name}"), content.len() as u64, content, &[WINDOWS_OWNER])?;
    } else {
        archive.directory("ko-app")?;
        archive.file(&format!("/ko-app/{name}"), content.len() as u64, content, &[])?;
    }
    archive.finish()
}

/// Source of the layout: ko `pkg/build/gobuild.go` (`tarKoData`, `walkRecursive`).
fn kodata_archive(members: &[Member], os: &str, modified: u64) -> io::Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new(), modified);
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

fn compress(archive: &[u8], packing: Packing) -> io::Result<Vec<u8>> {
    let level = match packing {
        Packing::Compressed => Compression::fast(),
        Packing::Stored => Compression::none(),
    };
    let members = archive.par_chunks(PIECE).map(|piece| {
        let mut encoder = GzEncoder::new(Vec::with_capacity(piece.len() / 2), level);
        encoder.write_all(piece)?;
        encoder.finish()
    });
    Ok(members.collect::<io::Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests;
