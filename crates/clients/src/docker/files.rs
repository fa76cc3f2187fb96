//! Files of images, without running anything.

use std::io::Cursor;
use std::io::Read as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use bollard::query_parameters::DownloadFromContainerOptions;
use devloop_model::Cx;
use futures::StreamExt as _;
use tar::EntryType;

use super::CommandSpec;
use super::Docker;
use super::DockerError;

/// How much of an archive has the head of its first entry for sure.
const HEAD: usize = 64 << 10;
/// The largest archive of a file whose content is read.
const CONTENT: usize = 64 << 20;
/// How many links are followed to a file.
const LINKS: usize = 16;

/// A file of an image that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// Its absolute path.
    pub path: String,
    /// Whether its content is read; links are followed then.
    pub content: bool,
}

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with those for set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// The user that it belongs to.
    pub uid: u64,
    /// The group that it belongs to.
    pub gid: u64,
    /// Its content, where that was asked for.
    pub content: Vec<u8>,
}

/// What a file of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with what it points to.
    Symlink(PathBuf),
    /// A device, a pipe.
    Other,
}

impl Docker {
    /// Returns the files of an image that the daemon has, in the order of `requests`; none for those that it lacks.
    ///
    /// # Errors
    /// When the daemon cannot be asked, or a file is too large to be read.
    pub async fn image_files(&self, image: &str, requests: &[FileRequest], cx: &Cx) -> Result<Vec<Option<FoundFile>>, DockerError> {
        // A container needs a command, which never runs.
        let spec = CommandSpec { image: image.to_owned(), command: vec!["never-run".to_owned()], ..CommandSpec::default() };
        let container = self.create(&spec, cx).await?;
        let found = self.files_of(&container, requests, cx).await;
        self.discard(&container, cx).await;
        found
    }

    async fn files_of(&self, container: &str, requests: &[FileRequest], cx: &Cx) -> Result<Vec<Option<FoundFile>>, DockerError> {
        let mut found = Vec::with_capacity(requests.len());
        for request in requests {
            found.push(self.file_of(container, request, cx).await?);
        }
        Ok(found)
    }

    async fn file_of(&self, container: &str, request: &FileRequest, cx: &Cx) -> Result<Option<FoundFile>, DockerError> {
        let mut path = request.path.clone();
        for _ in 0..LINKS {
            let what = format!("read `{path}` of an image");
            let limit = if request.content { CONTENT } else { HEAD };
            let archive = match self.ask(&what, self.archive(container, &path, limit), cx).await {
                Err(DockerError::NotFound { .. }) => return Ok(None),
                archive => archive?,
            };
            if request.content && archive.len() >= CONTENT {
                return Err(DockerError::Answer { what, message: format!("it is larger than {} MiB", CONTENT >> 20) });
            }
            let wrong = |error: std::io::Error| DockerError::Answer { what: what.clone(), message: error.to_string() };
            let Some(file) = first_of(&archive, request.content).map_err(wrong)? else { return Ok(None) };
            match &file.kind {
                FileKind::Symlink(target) if request.content => path = linked(&path, target),
                _ => return Ok(Some(file)),
            }
        }
        Ok(None)
    }

    /// Returns the archive of one file or directory, at most about `limit` bytes of it.
    async fn archive(&self, container: &str, path: &str, limit: usize) -> Result<Vec<u8>, bollard::errors::Error> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut parts = Box::pin(self.client.download_from_container(container, Some(options)));
        let mut bytes = Vec::new();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part?);
            if bytes.len() >= limit {
                break;
            }
        }
        Ok(bytes)
    }
}

/// Returns the first entry of an archive: what was asked for; what is in a directory comes after it.
fn first_of(archive: &[u8], content: bool) -> std::io::Result<Option<FoundFile>> {
    let mut archive = tar::Archive::new(Cursor::new(archive));
    let Some(entry) = archive.entries()?.next() else { return Ok(None) };
    let mut entry = entry?;
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Regular | EntryType::Link => FileKind::File,
        EntryType::Directory => FileKind::Directory,
        EntryType::Symlink => FileKind::Symlink(entry.link_name()?.unwrap_or_default().into_owned()),
        _ => FileKind::Other,
    };
    let mut file = FoundFile { kind, mode: header.mode()? & 0o7777, uid: header.uid()?, gid: header.gid()?, content: Vec::new() };
    if content && file.kind == FileKind::File {
        entry.read_to_end(&mut file.content)?;
    }
    Ok(Some(file))
}

/// Returns where a link at `path` leads to.
fn linked(path: &str, target: &Path) -> String {
    let mut found = PathBuf::from("/");
    let beside = Path::new(path).parent().unwrap_or(Path::new("/"));
    for component in beside.join(target).components() {
        match component {
            Component::ParentDir => drop(found.pop()),
            Component::Normal(name) => found.push(name),
            _ => {}
        }
    }
    found.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_uid(1);
        header.set_gid(2);
        header.set_size(content.len() as u64);
        let mut builder = tar::Builder::new(Vec::new());
        if kind == EntryType::Symlink {
            builder.append_link(&mut header, "app", "../bin/app").unwrap();
        } else {
            builder.append_data(&mut header, "app", content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn the_first_entry_is_what_was_asked_for() {
        let whole = archive(EntryType::Regular, &[7; 4096]);
        let file = |content: Vec<u8>| Some(FoundFile { kind: FileKind::File, mode: 0o4755, uid: 1, gid: 2, content });
        assert_eq!(first_of(&whole, true).unwrap(), file(vec![7; 4096]));
        assert_eq!(first_of(&whole[..1024], false).unwrap(), file(Vec::new()), "a head is enough");
        let link = first_of(&archive(EntryType::Symlink, &[]), true).unwrap().unwrap();
        assert_eq!(link.kind, FileKind::Symlink("../bin/app".into()));
        assert_eq!(first_of(&[0; 1024], false).unwrap(), None);
    }

    #[test]
    fn links_lead_from_where_they_are() {
        for (path, target, expected) in [
            ("/usr/app", "../bin/app", "/bin/app"),
            ("/app", "../../bin/app", "/bin/app"),
            ("/a/b", "c", "/a/c"),
            ("/a/b", "/etc/./c", "/etc/c"),
        ] {
            assert_eq!(linked(path, Path::new(target)), expected, "{path} -> {target}");
        }
    }
}
