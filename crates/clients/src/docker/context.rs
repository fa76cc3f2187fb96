//! A build context: the entries that are sent, in a stable order, owned by root, and never from outside.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read as _;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use devloop_model::Cx;
use futures::Stream;
use tokio::sync::mpsc;

use super::DockerError;

/// How much of the archive may wait to be sent.
const WAITING_PARTS: usize = 8;
/// The size of one such part.
const PART: usize = 128 << 10;

/// One entry of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the context, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
    /// Permission bits, set-ID and sticky bits included.
    pub(crate) mode: u32,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Directory,
    /// With its size.
    File(u64),
    /// With its target.
    Link(String),
}

impl Entry {
    /// Returns the entry that stands at `path`; none for what an image cannot hold, such as a socket.
    pub(crate) fn read(path: String, at: &Path, metadata: &Metadata) -> std::io::Result<Option<Self>> {
        let file_type = metadata.file_type();
        let kind = if file_type.is_dir() {
            EntryKind::Directory
        } else if file_type.is_symlink() {
            EntryKind::Link(std::fs::read_link(at)?.to_string_lossy().into_owned())
        } else if file_type.is_file() {
            EntryKind::File(metadata.len())
        } else {
            return Ok(None);
        };
        let modified =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos() as i64);
        Ok(Some(Self { path, kind, mode: permissions(metadata), modified }))
    }
}

#[cfg(unix)]
fn permissions(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn permissions(_metadata: &Metadata) -> u32 {
    0o755
}

/// Returns the entries for these files and the directories above them, parents first.
///
/// The order is that of path components, which both BuildKit's receiver and a repeatable archive need.
/// A directory that is a symbolic link is sent as that link, so that nothing behind it is read.
pub(crate) fn list_entries(context: &Path, files: &[PathBuf]) -> Result<Vec<Entry>, DockerError> {
    let mut entries: BTreeMap<PathBuf, Option<Entry>> = BTreeMap::new();
    for file in files {
        let mut path = PathBuf::new();
        for component in file.components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::CurDir => continue,
                _ => return Err(DockerError::File { path: context.join(file), why: "it is outside of the build context".to_owned() }),
            }
            if !entries.contains_key(&path) {
                entries.insert(path.clone(), read_entry(context, &path)?);
            }
            if !matches!(entries[&path], Some(Entry { kind: EntryKind::Directory, .. })) {
                break;
            }
        }
    }
    Ok(entries.into_values().flatten().collect())
}

fn read_entry(context: &Path, path: &Path) -> Result<Option<Entry>, DockerError> {
    let at = context.join(path);
    let failed = |error: std::io::Error| DockerError::File { path: at.clone(), why: error.to_string() };
    let metadata = match at.symlink_metadata() {
        // Deleted since it was listed: the builder says so if it is needed.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(failed)?,
    };
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    Entry::read(parts.join("/"), &at, &metadata).map_err(failed)
}

/// An archive in the making: its parts, as they are written.
pub(super) struct Archive {
    parts: mpsc::Receiver<Result<Bytes, DockerError>>,
}

impl Archive {
    /// Returns the context as a tar archive that is written while it is read; `outside` is a file from elsewhere under another name.
    pub(super) fn of(context: PathBuf, files: Vec<PathBuf>, outside: Option<(PathBuf, String)>, cx: Cx) -> Self {
        let (sender, parts) = mpsc::channel(WAITING_PARTS);
        tokio::task::spawn_blocking(move || {
            let mut out = Parts { sender: sender.clone(), waiting: Vec::with_capacity(PART) };
            let result = write_archive(&context, &files, outside.as_ref(), &mut out, &cx);
            if let Err(error) =
                result.and_then(|()| out.flush().map_err(|error| DockerError::File { path: context, why: error.to_string() }))
            {
                // A receiver that is gone does not want to know.
                sender.blocking_send(Err(error)).ok();
            }
        });
        Self { parts }
    }

    /// Returns the parts in order; reading fails where a file cannot be read.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, DockerError>> + Send {
        futures::stream::unfold(self.parts, |mut parts| async move { parts.recv().await.map(|part| (part, parts)) })
    }
}

/// A writer that hands over what is written in parts.
struct Parts {
    sender: mpsc::Sender<Result<Bytes, DockerError>>,
    waiting: Vec<u8>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.waiting, Vec::with_capacity(PART));
        self.sender.blocking_send(Ok(part.into())).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

fn write_archive(
    context: &Path,
    files: &[PathBuf],
    outside: Option<&(PathBuf, String)>,
    out: &mut Parts,
    cx: &Cx,
) -> Result<(), DockerError> {
    let entries = list_entries(context, files)?;
    let total = entries.iter().map(|entry| if let EntryKind::File(size) = entry.kind { size } else { 0 }).sum();
    let mut archive = tar::Builder::new(out);
    let mut done = 0;
    for entry in &entries {
        if cx.cancel.is_cancelled() {
            return Err(DockerError::Cancelled(devloop_model::Cancelled));
        }
        let at = context.join(&entry.path);
        write_entry(&mut archive, entry, &at).map_err(|error| DockerError::File { path: at, why: error.to_string() })?;
        if let EntryKind::File(size) = entry.kind {
            done += size;
            cx.progress("send context", done, Some(total), true);
        }
    }
    if let Some((path, name)) = outside {
        let failed = |error: std::io::Error| DockerError::File { path: path.clone(), why: error.to_string() };
        let metadata = path.metadata().map_err(failed)?;
        let entry = Entry::read(name.clone(), path, &metadata).map_err(failed)?;
        entry.map_or(Ok(()), |entry| write_entry(&mut archive, &entry, path)).map_err(failed)?;
    }
    archive.finish().map_err(|error| DockerError::File { path: context.to_owned(), why: error.to_string() })
}

fn write_entry(archive: &mut tar::Builder<&mut Parts>, entry: &Entry, at: &Path) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(entry.mode);
    header.set_mtime((entry.modified / 1_000_000_000) as u64);
    match &entry.kind {
        EntryKind::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, format!("{}/", entry.path), std::io::empty())
        }
        EntryKind::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, &entry.path, target)
        }
        EntryKind::File(_) => {
            let file = std::fs::File::open(at)?;
            // The size that counts is that of what is opened now; what is appended meanwhile comes with the next build.
            let size = file.metadata()?.len();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(size);
            let mut exactly = file.take(size);
            archive.append_data(&mut header, &entry.path, &mut exactly)?;
            if exactly.limit() > 0 { Err(std::io::Error::other("it became shorter while it was read")) } else { Ok(()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;
    use devloop_model::StepId;
    use futures::TryStreamExt as _;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("src/deep")).unwrap();
        std::fs::create_dir_all(at("empty")).unwrap();
        std::fs::create_dir_all(at("src-x")).unwrap();
        for (path, text) in [("Dockerfile", "FROM scratch\n"), ("src/deep/a", "a"), ("src/b", "bb"), ("src-x/c", "ccc")] {
            std::fs::write(at(path), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("out")).unwrap();
        std::os::unix::fs::symlink("b", at("src/link")).unwrap();
        dir
    }

    fn paths(texts: &[&str]) -> Vec<PathBuf> {
        texts.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn entries_come_parents_first_by_component() {
        let dir = tree();
        let entries = list_entries(dir.path(), &paths(&["src-x/c", "src/deep/a", "src/link", "./src/b", "empty", "gone"])).unwrap();
        let shown: Vec<String> = entries.iter().map(|entry| format!("{} {:?}", entry.path, entry.kind)).collect();
        assert_eq!(
            shown,
            [
                "empty Directory",
                "src Directory",
                "src/b File(2)",
                "src/deep Directory",
                "src/deep/a File(1)",
                "src/link Link(\"b\")",
                "src-x Directory",
                "src-x/c File(3)"
            ]
        );
    }

    #[test]
    fn nothing_outside_is_read() {
        let dir = tree();
        let through_link = list_entries(dir.path(), &paths(&["out/passwd"])).unwrap();
        assert_eq!(through_link.iter().map(|entry| entry.kind.clone()).collect::<Vec<_>>(), [EntryKind::Link("/etc".to_owned())]);
        for path in ["../x", "/etc/passwd", "src/../../x"] {
            let error = list_entries(dir.path(), &paths(&[path])).unwrap_err();
            assert!(error.diagnostic().to_string().contains("it is outside of the build context"), "{path}");
        }
    }

    #[tokio::test]
    async fn an_archive_belongs_to_root_and_is_the_same_twice() {
        let dir = tree();
        let archive = async || {
            let cx = Cx::silent(StepId::of(Stage::Build));
            let outside = Some((dir.path().join("Dockerfile"), ".dockerfile.x".to_owned()));
            let parts: Vec<Bytes> =
                Archive::of(dir.path().to_owned(), paths(&["src/b", "src/link"]), outside, cx).into_stream().try_collect().await.unwrap();
            parts.concat()
        };
        let bytes = archive().await;
        assert_eq!(bytes, archive().await);
        let mut reader = tar::Archive::new(bytes.as_slice());
        let shown: Vec<String> = reader
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                format!("{} {} {:?}", entry.path().unwrap().display(), entry.header().uid().unwrap(), entry.header().entry_type())
            })
            .collect();
        assert_eq!(shown, ["src/ 0 Directory", "src/b 0 Regular", "src/link 0 Symlink", ".dockerfile.x 0 Regular"]);
    }
}
