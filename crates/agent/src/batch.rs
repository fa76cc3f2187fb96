//! A batch of changes: files come whole, and all of them at once.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::time::SystemTime;

use crate::protocol::Failure;
use crate::protocol::Request;
use crate::root::Root;

/// Changes that are under way; what is dropped before its end leaves nothing behind.
#[derive(Debug)]
pub struct Batch<'a> {
    root: &'a Root,
    staged: Vec<Staged>,
    failures: Vec<Failure>,
}

/// A file that waits beside its place.
#[derive(Debug)]
struct Staged {
    path: String,
    temporary: PathBuf,
    place: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It is gone if it went to its place.
        drop(fs::remove_file(&self.temporary));
    }
}

impl<'a> Batch<'a> {
    /// Returns a batch of changes below `root`.
    pub fn new(root: &'a Root) -> Self {
        Self { root, staged: Vec::new(), failures: Vec::new() }
    }

    /// Takes in a request, with the content of a file from `input`; what cannot be done is remembered.
    ///
    /// # Errors
    /// When the input breaks off.
    pub fn take(&mut self, request: Request, input: &mut impl Read) -> io::Result<()> {
        let (path, done) = match request {
            Request::Put { path, mode, size } => {
                let mut content = input.take(size);
                let done = self.put(&path, mode, &mut content);
                io::copy(&mut content, &mut io::sink())?;
                if content.limit() > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                (path, done)
            }
            Request::Link { path, target } => {
                let done = self.root.resolve(&path).and_then(|place| link(&place, &target));
                (path, done)
            }
            Request::Directory { path, mode } => {
                let done = self.root.resolve(&path).and_then(|place| directory(&place, mode));
                (path, done)
            }
            Request::Delete { path } => {
                let how = if path.ends_with('/') { delete_if_empty } else { delete };
                let done = self.root.resolve(&path).and_then(|place| how(&place));
                (path, done)
            }
            Request::End => return Ok(()),
        };
        if let Err(error) = done {
            self.fail(path, &error);
        }
        Ok(())
    }

    /// Puts all files into their places and returns what failed.
    pub fn end(mut self) -> Vec<Failure> {
        for staged in std::mem::take(&mut self.staged) {
            if let Err(error) = replace(&staged.temporary, &staged.place) {
                self.fail(staged.path.clone(), &error);
            }
        }
        self.failures
    }

    fn put(&mut self, path: &str, mode: u32, content: &mut impl Read) -> io::Result<()> {
        let place = self.root.resolve(path)?;
        let parent = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
        create_directories(parent)?;
        let temporary = parent.join(temporary_name());
        let file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o777).open(&temporary);
        let mut file = match file {
            Ok(file) => file,
            // Who may not write the directory may still write the file.
            Err(error) if is_denied(&error) => return in_place(&place, mode, content).map_err(|_| error),
            Err(error) => return Err(error),
        };
        // From here on it is removed whatever happens.
        let staged = Staged { path: path.to_owned(), temporary, place: place.clone() };
        io::copy(content, &mut file)?;
        keep_owner(&staged.temporary, &place, parent);
        file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
        self.staged.push(staged);
        Ok(())
    }

    fn fail(&mut self, path: String, error: &io::Error) {
        self.failures.push(Failure { path, denied: is_denied(error), why: error.to_string() });
    }
}

/// A name that no other agent takes, which may write to the same volume; most programs that watch files pass it by.
fn temporary_name() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!(".devloop-{:x}-{:x}~", process::id(), since.as_nanos())
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Makes a file at `place` what `temporary` is, so that a reader sees the one or the other.
fn replace(temporary: &Path, place: &Path) -> io::Result<()> {
    match fs::rename(temporary, place) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            // A directory that is empty by now made room for a file.
            fs::remove_dir(place)?;
            fs::rename(temporary, place)
        }
        // A file that is a mount of its own cannot be replaced.
        Err(error) if matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices) => {
            let mode = fs::metadata(temporary)?.mode();
            in_place(place, mode, &mut File::open(temporary)?)
        }
        done => done,
    }
}

fn in_place(place: &Path, mode: u32, content: &mut impl Read) -> io::Result<()> {
    if fs::symlink_metadata(place)?.is_symlink() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut file = OpenOptions::new().write(true).truncate(true).open(place)?;
    io::copy(content, &mut file)?;
    // The mode is the owner's to change.
    drop(file.set_permissions(fs::Permissions::from_mode(mode & 0o7777)));
    Ok(())
}

fn link(place: &Path, target: &str) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        create_directories(parent)?;
    }
    let temporary = place.with_file_name(temporary_name());
    symlink(target, &temporary)?;
    replace(&temporary, place).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn directory(place: &Path, mode: u32) -> io::Result<()> {
    // A link to a directory will do, wherever it points.
    if fs::symlink_metadata(place).is_ok_and(|found| found.is_symlink()) {
        return Ok(());
    }
    create_directories(place)?;
    if mode != 0 && fs::metadata(place)?.mode() & 0o7777 != mode & 0o7777 {
        // An image's directory may be another user's.
        drop(fs::set_permissions(place, fs::Permissions::from_mode(mode & 0o7777)));
    }
    Ok(())
}

/// Creates a directory and what leads to it; each is owned as the one that it is in.
fn create_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directories(parent)?;
        fs::create_dir(path)?;
        keep_owner(path, path, parent);
    }
    Ok(())
}

/// Deletes a directory, unless something is left in it.
fn delete_if_empty(place: &Path) -> io::Result<()> {
    match fs::remove_dir(place) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::ResourceBusy
            ) =>
        {
            Ok(())
        }
        deleted => deleted,
    }
}

fn delete(place: &Path) -> io::Result<()> {
    let deleted = match fs::symlink_metadata(place) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) => Err(error),
    };
    match deleted {
        // A file where a directory was is no place for what is deleted either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        deleted => deleted,
    }
}

/// Gives `new` the owner of what it replaces, else of its directory: an agent that is root serves programs that are not. Who is
/// not root has nothing to give.
fn keep_owner(new: &Path, replaced: &Path, parent: &Path) {
    let Ok(own) = fs::symlink_metadata(new) else { return };
    let before = if new == replaced { fs::metadata(parent) } else { fs::symlink_metadata(replaced).or_else(|_| fs::metadata(parent)) };
    if let Ok(before) = before
        && (own.uid(), own.gid()) != (before.uid(), before.gid())
    {
        drop(chown(new, Some(before.uid()), Some(before.gid())));
    }
}
