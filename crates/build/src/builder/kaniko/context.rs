//! The build context on its way into a pod: what the Dockerfile uses, owned by root, packed by all cores.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read as _;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use tempfile::NamedTempFile;

use crate::BuildError;
use crate::builder::packer::Packer;

/// Where a Dockerfile goes that COPY must not see.
const ASIDE: &str = ".devloop-dockerfile";

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// The context.
    pub(super) root: PathBuf,
    /// What of it the Dockerfile uses, relative to it.
    pub(super) files: Vec<PathBuf>,
    /// The Dockerfile, relative to the context or absolute.
    pub(super) dockerfile: PathBuf,
    /// How strongly it is compressed, 0 to 9.
    pub(super) level: u32,
}

impl Sent {
    /// Returns whether the Dockerfile is no part of what COPY sees: it lies outside of the context, or `.dockerignore` hides it.
    fn is_aside(&self) -> bool {
        !self.files.contains(&self.dockerfile)
    }

    /// Returns where the Dockerfile is in what was sent.
    pub(super) fn dockerfile_inside(&self) -> String {
        if self.is_aside() { format!("{ASIDE}/Dockerfile") } else { with_slashes(&self.dockerfile) }
    }

    /// Returns the packed context, in a file that is deleted with it.
    ///
    /// # Errors
    /// When a file cannot be read, or the packed context cannot be written.
    pub(super) fn pack(&self) -> Result<NamedTempFile, BuildError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BuildError::Read { path, source }
        };
        let temporary = NamedTempFile::new().map_err(failed(&std::env::temp_dir()))?;
        let mut archive = tar::Builder::new(Packer::new(temporary, Compression::new(self.level)));
        for (path, metadata) in entries(&self.root, &self.files)? {
            let at = self.root.join(&path);
            append(&mut archive, &path, &at, &metadata).map_err(failed(&at))?;
        }
        if self.is_aside() {
            let at = self.root.join(&self.dockerfile);
            put_aside(&mut archive, &at).map_err(failed(&at))?;
        }
        let packed = archive.into_inner().and_then(Packer::finish).map_err(failed(&std::env::temp_dir()))?;
        Ok(packed.out)
    }
}

/// Returns what is there of these files and the directories above them, parents first. A directory that is a symbolic link is sent as
/// that link, so that nothing behind it is read.
fn entries(root: &Path, files: &[PathBuf]) -> Result<BTreeMap<PathBuf, Metadata>, BuildError> {
    let mut entries = BTreeMap::new();
    for file in files.iter().filter(|file| file.components().all(|part| matches!(part, Component::Normal(_)))) {
        let mut path = PathBuf::new();
        for part in file {
            path.push(part);
            let metadata = match entries.get(&path) {
                Some(known) => known,
                None => match root.join(&path).symlink_metadata() {
                    Ok(metadata) => entries.entry(path.clone()).or_insert(metadata),
                    // Deleted since it was listed: kaniko says so if it is needed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(source) => return Err(BuildError::Read { path: root.join(&path), source }),
                },
            };
            if !metadata.is_dir() {
                break;
            }
        }
    }
    Ok(entries)
}

fn append<W: Write>(archive: &mut tar::Builder<W>, path: &Path, at: &Path, metadata: &Metadata) -> io::Result<()> {
    let mut header = header(metadata);
    let name = with_slashes(path);
    if metadata.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        return archive.append_data(&mut header, format!("{name}/"), io::empty());
    }
    if metadata.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        return archive.append_link(&mut header, name, std::fs::read_link(at)?);
    }
    if !metadata.is_file() {
        // A socket is no part of an image.
        return Ok(());
    }
    let file = File::open(at)?;
    // The size that counts is that of what is opened now; what is appended meanwhile comes with the next build.
    let size = file.metadata()?.len();
    header.set_size(size);
    let mut exactly = file.take(size);
    archive.append_data(&mut header, name, &mut exactly)?;
    if exactly.limit() > 0 { Err(io::Error::other("it became shorter while it was read")) } else { Ok(()) }
}

/// The ignore file beside it wins over `.dockerignore`, whose work is done: only what is used is sent.
fn put_aside<W: Write>(archive: &mut tar::Builder<W>, dockerfile: &Path) -> io::Result<()> {
    append(archive, &Path::new(ASIDE).join("Dockerfile"), dockerfile, &dockerfile.metadata()?)?;
    let mut header = header(&dockerfile.metadata()?);
    header.set_size(ASIDE.len() as u64);
    archive.append_data(&mut header, format!("{ASIDE}/Dockerfile.dockerignore"), ASIDE.as_bytes())
}

/// Returns the header of an empty file of root's, whoever owns it here.
fn header(metadata: &Metadata) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    header.set_mtime(modified.map_or(0, |since| since.as_secs()));
    header.set_mode(mode(metadata));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Regular);
    header
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_metadata: &Metadata) -> u32 {
    0o755
}

fn with_slashes(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sent(root: &Path, files: &[&str], dockerfile: &str) -> Sent {
        Sent { root: root.to_owned(), files: files.iter().map(PathBuf::from).collect(), dockerfile: dockerfile.into(), level: 1 }
    }

    fn listing(sent: &Sent) -> Vec<String> {
        let packed = sent.pack().unwrap();
        let unpacked = flate2::read::MultiGzDecoder::new(packed.reopen().unwrap());
        let mut archive = tar::Archive::new(unpacked);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let (header, link) = (entry.header(), entry.link_name().unwrap());
            let owner = (header.uid().unwrap(), header.gid().unwrap());
            let link = link.map(|target| format!(" -> {}", target.display())).unwrap_or_default();
            format!("{:o} {owner:?} {}{link}", header.mode().unwrap(), entry.path().unwrap().display())
        });
        entries.collect()
    }

    fn tree() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("src/deep")).unwrap();
        for path in ["Dockerfile", "src/deep/a", "run.sh"] {
            std::fs::write(dir.path().join(path), path).unwrap();
        }
        for (path, mode) in [("src", 0o755), ("src/deep", 0o700), ("src/deep/a", 0o640), ("run.sh", 0o4755), ("Dockerfile", 0o644)] {
            std::fs::set_permissions(dir.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("/etc/hosts", dir.path().join("src/absolute")).unwrap();
        symlink("../..", dir.path().join("src/up")).unwrap();
        dir
    }

    #[test]
    fn what_is_sent_is_roots_with_absolute_links_and_modes() {
        let dir = tree();
        let sent = sent(dir.path(), &["Dockerfile", "run.sh", "src/deep/a", "src/absolute", "src/up/etc", "gone", "../x"], "Dockerfile");
        insta::assert_snapshot!(listing(&sent).join("\n"), @"
        644 (0, 0) Dockerfile
        4755 (0, 0) run.sh
        755 (0, 0) src/
        777 (0, 0) src/absolute -> /etc/hosts
        700 (0, 0) src/deep/
        640 (0, 0) src/deep/a
        777 (0, 0) src/up -> ../..
        ");
        assert_eq!(sent.dockerfile_inside(), "Dockerfile");
    }

    #[test]
    fn a_dockerfile_that_copy_must_not_see_is_sent_aside() {
        let dir = tree();
        let elsewhere = dir.path().join("Dockerfile");
        for dockerfile in ["Dockerfile", elsewhere.to_str().unwrap()] {
            let sent = sent(dir.path(), &["run.sh"], dockerfile);
            let expected = [
                "4755 (0, 0) run.sh",
                "644 (0, 0) .devloop-dockerfile/Dockerfile",
                "644 (0, 0) .devloop-dockerfile/Dockerfile.dockerignore",
            ];
            assert_eq!(listing(&sent), expected);
            assert_eq!(sent.dockerfile_inside(), ".devloop-dockerfile/Dockerfile");
        }
    }

    #[test]
    fn every_level_of_compression_can_be_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(dir.path().join("Dockerfile"), &content).unwrap();
        for level in [0, 1, 9] {
            let packed = Sent { level, ..sent(dir.path(), &["Dockerfile"], "Dockerfile") }.pack().unwrap();
            let size = packed.as_file().metadata().unwrap().len();
            assert_eq!(size < content.len() as u64, level > 0, "{level}: {size}");
            let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(packed.reopen().unwrap()));
            let mut read = Vec::new();
            archive.entries().unwrap().next().unwrap().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == content, "{level}");
        }
    }
}
