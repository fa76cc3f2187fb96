//! What changed files are when they are sent.

use std::io;
use std::path::Path;

use super::ledger::Change;

/// What belongs at a place in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A file.
    File { mode: u32, bytes: Vec<u8> },
    /// A symbolic link.
    Link(String),
    /// A directory.
    Directory { mode: u32 },
    /// Nothing.
    Nothing,
}

/// Returns what belongs at the place of `change` now; a file that is gone by now is as good as deleted, and the change that says
/// so is on its way.
///
/// # Errors
/// When the file cannot be read.
pub(super) async fn of(change: &Change) -> io::Result<Content> {
    let Some(source) = change.source.clone() else { return Ok(Content::Nothing) };
    tokio::task::spawn_blocking(move || match read(&source) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Content::Nothing),
        read => read,
    })
    .await
    .unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

fn read(path: &Path) -> io::Result<Content> {
    let metadata = path.symlink_metadata()?;
    let mode = permissions(&metadata);
    if metadata.is_symlink() {
        return Ok(Content::Link(std::fs::read_link(path)?.to_string_lossy().into_owned()));
    }
    if metadata.is_dir() {
        return Ok(Content::Directory { mode });
    }
    Ok(Content::File { mode, bytes: std::fs::read(path)? })
}

#[cfg(unix)]
fn permissions(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

/// Without permission bits of its own, a file may be anything that images let files be.
#[cfg(not(unix))]
fn permissions(_: &std::fs::Metadata) -> u32 {
    0o755
}
