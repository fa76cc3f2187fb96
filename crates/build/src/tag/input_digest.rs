//! `inputDigest`: a digest of the inputs that is Skaffold's, letter for letter
//! (`pkg/skaffold/tag/input_digest.go`), so that images tagged by one are found by the other.
//!
//! Its oddities are part of it: the list is sorted by path as seen from the working directory, the
//! path itself is hashed as seen from the context, and the Dockerfile is looked up once more from the
//! working directory.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::ImageName;
use sha2::Digest as _;
use sha2::Sha256;

use super::TagError;
use crate::hash_index::HashIndex;
use crate::inputs::Gathered;
use crate::inputs::InputFile;
use crate::inputs::InputKind;
use crate::inputs::dockerfile::relative;
use crate::inputs::dockerfile_of;
use crate::inputs::walk::Stat;

/// The inputs of all artifacts, to make digests of.
pub(crate) struct Digests<'a> {
    pub(crate) artifacts: &'a [Arc<Artifact>],
    pub(crate) gathered: &'a [Gathered],
    pub(crate) working_dir: &'a Path,
    pub(crate) index: &'a HashIndex,
}

type Entry = (String, [u8; 16]);

impl Digests<'_> {
    /// Returns the digest of the artifact at `position`: 64 hexadecimal digits.
    ///
    /// # Errors
    /// When a file of an artifact that it requires cannot be read.
    pub(super) fn of(&self, position: usize) -> Result<String, TagError> {
        let artifact = &self.artifacts[position];
        let mut entries: Vec<Entry> = Vec::new();
        let here = self.seen_from(artifact);
        let counted = self.gathered[position].counted().iter().filter(|file| Self::counts(artifact, file));
        entries.extend(counted.map(|file| (join(&here, &file.path), file.md5)));
        let by_name: HashMap<&ImageName, usize> = self.artifacts.iter().enumerate().map(|(at, other)| (&other.image, at)).collect();
        self.required(artifact, artifact, &by_name, &mut entries)?;
        entries.extend(self.dockerfile_again(artifact)?);
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(encoded(&entries))
    }

    /// The context as Skaffold writes it: relative to the working directory, but absolute where the
    /// artifact comes from a configuration elsewhere.
    fn seen_from(&self, artifact: &Artifact) -> String {
        let home = artifact.at.file.parent().unwrap_or(Path::new(""));
        if home.as_os_str().is_empty() || home == self.working_dir {
            relative(self.working_dir, &artifact.context)
        } else {
            artifact.context.to_string_lossy().into_owned()
        }
    }

    /// `.dockerignore` is not counted, nor a Dockerfile outside of the context, which comes with
    /// [`Self::dockerfile_again`], nor a directory that only lost its files.
    fn counts(artifact: &Artifact, file: &InputFile) -> bool {
        let is_empty = || artifact.context.join(&*file.path).read_dir().is_ok_and(|mut entries| entries.next().is_none());
        match file.kind {
            InputKind::EmptyDirectory => is_empty(),
            _ => dockerfile_of(artifact).is_none() || (&*file.path != ".dockerignore" && !file.path.starts_with("../")),
        }
    }

    /// Adds what `of` requires, and what that requires; an artifact that is required twice counts twice.
    fn required(
        &self,
        of: &Artifact,
        top: &Artifact,
        by_name: &HashMap<&ImageName, usize>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), TagError> {
        for requirement in &of.requires {
            let Some(&position) = by_name.get(&requirement.image) else { continue };
            let required = &self.artifacts[position];
            let there = self.seen_from(required);
            for file in self.gathered[position].counted().iter().filter(|file| Self::counts(required, file)) {
                let path = relative(&top.context, &required.context.join(&*file.path));
                entries.extend(self.md5(&top.context, &path)?.map(|md5| (join(&there, &file.path), md5)));
            }
            self.required(required, top, by_name, entries)?;
        }
        Ok(())
    }

    fn dockerfile_again(&self, artifact: &Artifact) -> Result<Option<Entry>, TagError> {
        let Some((path, _)) = dockerfile_of(artifact) else { return Ok(None) };
        let written = path.to_string_lossy().into_owned();
        let is_relative = !self.seen_from(artifact).starts_with('/');
        let found = if is_relative || path.is_absolute() {
            self.md5(&artifact.context, &relative(&artifact.context, &self.working_dir.join(path)))?
        } else {
            self.md5(self.working_dir, &written)?
        };
        Ok(found.map(|md5| (written, md5)))
    }

    fn md5(&self, context: &Path, path: &str) -> Result<Option<[u8; 16]>, TagError> {
        let full: PathBuf = context.join(path);
        let Some(stat) = full.symlink_metadata().ok().as_ref().and_then(Stat::of) else { return Ok(None) };
        let hashes = self.index.hash(context, path, &stat).map_err(|source| TagError::Read { path: full.display().to_string(), source })?;
        Ok(hashes.map(|hashes| hashes.md5))
    }
}

fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

/// SHA-256 of the JSON list of MD5 sums, with the newline that Go's encoder puts behind it.
fn encoded(entries: &[Entry]) -> String {
    let mut json = Vec::with_capacity(entries.len() * 35 + 3);
    for (at, (_, md5)) in entries.iter().enumerate() {
        json.extend_from_slice(if at == 0 { b"[\"" } else { b",\"" });
        push_hex(&mut json, md5);
        json.push(b'"');
    }
    json.extend_from_slice(if entries.is_empty() { b"null\n" } else { b"]\n" });
    let mut hex = Vec::with_capacity(64);
    push_hex(&mut hex, &Sha256::digest(&json));
    hex.iter().map(|&byte| char::from(byte)).collect()
}

fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}
