//! The files below some paths of a build context, without going where everything is ignored.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::InputKind;
use super::dockerignore::IgnorePatterns;
use super::dockerignore::Matched;
use crate::BuildError;

/// A file that was found, and what tells that it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Path relative to the context.
    pub(crate) path: Box<str>,
    /// Its state when it was found.
    pub(crate) stat: Stat,
}

/// What tells that a file changed, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: InputKind,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Nanoseconds since 1970.
    pub(crate) ctime: i64,
    pub(crate) inode: u64,
}

impl Stat {
    /// Returns the state in `metadata`, which is that of a link and not of its target; none for what
    /// no image can hold (sockets, devices).
    pub(crate) fn of(metadata: &fs::Metadata) -> Option<Self> {
        let file_type = metadata.file_type();
        let kind = if file_type.is_file() {
            InputKind::File
        } else if file_type.is_symlink() {
            InputKind::Symlink
        } else if file_type.is_dir() {
            InputKind::EmptyDirectory
        } else {
            return None;
        };
        Some(Self {
            kind,
            mode: metadata.mode() & 0o7777,
            size: metadata.size(),
            mtime: metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
            ctime: metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec(),
            inode: metadata.ino(),
        })
    }

    /// Returns the state of an open file.
    pub(crate) fn of_file(file: &fs::File) -> io::Result<Option<Self>> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }
}

/// Returns the files below `starts`, which are paths relative to `context`, that `ignore` does not
/// hide, sorted by path and each once. A directory in which nothing is left counts as an empty one.
/// What a symbolic link on the way to a start points to is there as well, as far as it is in the context.
///
/// # Errors
/// When a directory cannot be read.
pub(crate) fn walk(context: &Path, starts: &[PathBuf], ignore: &IgnorePatterns) -> Result<Vec<Listed>, BuildError> {
    let mut found = Vec::new();
    let mut roots: Vec<String> = Vec::new();
    for start in starts {
        let (links, end) = follow(context, start);
        found.extend(links);
        roots.extend(end.and_then(|end| end.to_str().map(str::to_owned)));
    }
    roots.sort_unstable();
    roots.dedup();
    let tops: Vec<&String> = roots.iter().filter(|root| !roots.iter().any(|other| other != *root && contains(other, root))).collect();
    for root in tops {
        found.extend(below(context, root, ignore)?);
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn contains(directory: &str, path: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Follows `path` through symbolic links as the builder does: inside of the context. Returns the
/// links, and where they lead if that exists.
fn follow(context: &Path, path: &Path) -> (Vec<Listed>, Option<PathBuf>) {
    let mut links = Vec::new();
    let mut todo: Vec<_> = path.components().rev().map(|component| component.as_os_str().to_owned()).collect();
    let mut at = PathBuf::new();
    while let Some(next) = todo.pop() {
        match next.to_str() {
            Some("." | "/") => continue,
            Some("..") => {
                at.pop();
                continue;
            }
            _ => at.push(&next),
        }
        let full = context.join(&at);
        let Ok(metadata) = full.symlink_metadata() else { return (links, None) };
        if metadata.is_symlink() && links.len() < 40 {
            let (Some(text), Some(stat), Ok(target)) = (at.to_str(), Stat::of(&metadata), fs::read_link(&full)) else {
                return (links, None);
            };
            links.push(Listed { path: text.into(), stat });
            at.pop();
            if target.is_absolute() {
                at.clear();
            }
            todo.extend(target.components().rev().map(|component| component.as_os_str().to_owned()));
        }
    }
    (links, Some(at))
}

fn below(context: &Path, root: &str, ignore: &IgnorePatterns) -> Result<Vec<Listed>, BuildError> {
    let full = context.join(root);
    let read = |source| BuildError::Read { path: full.clone(), source };
    let metadata = full.symlink_metadata().map_err(read)?;
    let (ignored, matched) = if root.is_empty() { (false, Matched::default()) } else { ignore.check(root, &ignore.above(root)) };
    let Some(stat) = Stat::of(&metadata) else { return Ok(Vec::new()) };
    if stat.kind != InputKind::EmptyDirectory {
        return Ok(if ignored { Vec::new() } else { vec![Listed { path: root.into(), stat }] });
    }
    if ignored && !ignore.may_see_below(root) {
        return Ok(Vec::new());
    }
    let mut found = directory(&full, root, ignore, &matched)?;
    if found.is_empty() && !ignored && !root.is_empty() {
        found.push(Listed { path: root.into(), stat });
    }
    Ok(found)
}

struct Child {
    path: String,
    stat: Stat,
    ignored: bool,
    matched: Matched,
}

fn directory(full: &Path, path: &str, ignore: &IgnorePatterns, matched: &Matched) -> Result<Vec<Listed>, BuildError> {
    let mut found = Vec::new();
    let mut directories = Vec::new();
    for entry in fs::read_dir(full).map_err(|source| BuildError::Read { path: full.to_owned(), source })? {
        let Some(child) = child(&entry, path, ignore, matched).map_err(|source| BuildError::Read { path: full.to_owned(), source })? else {
            continue;
        };
        if child.stat.kind == InputKind::EmptyDirectory {
            directories.push(child);
        } else {
            found.push(Listed { path: child.path.into(), stat: child.stat });
        }
    }
    let inside: Result<Vec<Vec<Listed>>, BuildError> = directories.into_par_iter().map(|child| descend(full, child, ignore)).collect();
    found.extend(inside?.into_iter().flatten());
    Ok(found)
}

fn descend(parent: &Path, child: Child, ignore: &IgnorePatterns) -> Result<Vec<Listed>, BuildError> {
    let name = child.path.rsplit('/').next().unwrap_or_default();
    let mut found = directory(&parent.join(name), &child.path, ignore, &child.matched)?;
    if found.is_empty() && !child.ignored {
        found.push(Listed { path: child.path.into(), stat: child.stat });
    }
    Ok(found)
}

/// Returns what has to be looked at: files that are not ignored, and directories in which something
/// may be seen. An entry that vanished in between is none.
fn child(entry: &io::Result<fs::DirEntry>, parent: &str, ignore: &IgnorePatterns, matched: &Matched) -> io::Result<Option<Child>> {
    let entry = entry.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let name = entry.file_name();
    let name =
        name.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("the name {} is not UTF-8", name.display())))?;
    let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
    let (ignored, matched) = if ignore.is_empty() { (false, Matched::default()) } else { ignore.check(&path, matched) };
    if ignored && !(entry.file_type()?.is_dir() && ignore.may_see_below(&path)) {
        return Ok(None);
    }
    match entry.metadata() {
        Ok(metadata) => Ok(Stat::of(&metadata).map(|stat| Child { path, stat, ignored, matched })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let full = dir.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            if path.ends_with('/') { fs::create_dir_all(full).unwrap() } else { fs::write(full, path).unwrap() }
        }
        dir
    }

    fn names(dir: &Path, starts: &[&str], ignore: &str) -> Vec<String> {
        let starts: Vec<PathBuf> = starts.iter().map(PathBuf::from).collect();
        walk(dir, &starts, &IgnorePatterns::parse(ignore).unwrap()).unwrap().into_iter().map(|listed| listed.path.to_string()).collect()
    }

    #[test]
    fn every_file_comes_once_and_in_order() {
        let dir = tree(&["b/x", "b/a/y", "a", "empty/", "b-c"]);
        assert_eq!(names(dir.path(), &["."], ""), ["a", "b-c", "b/a/y", "b/x", "empty"]);
        assert_eq!(names(dir.path(), &["b/a", "b", "a", "./b/x"], ""), ["a", "b/a/y", "b/x"]);
        assert_eq!(names(dir.path(), &["empty"], ""), ["empty"]);
        assert_eq!(names(dir.path(), &["none"], ""), [""; 0]);
    }

    #[test]
    fn ignored_directories_are_not_read() {
        let dir = tree(&["node_modules/x/y", "src/a", "src/b.log"]);
        let locked = dir.path().join("node_modules");
        // A directory in place of one that cannot be read, as root reads everything: a broken name.
        fs::write(locked.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff")), "").unwrap();
        assert_eq!(names(dir.path(), &["."], "node_modules\n**/*.log"), ["src/a"]);
        assert_eq!(names(dir.path(), &["."], "node_modules\n!src/b.log\n*.log"), ["src/a", "src/b.log"]);
        assert!(walk(dir.path(), &[".".into()], &IgnorePatterns::default()).is_err());
    }

    #[test]
    fn directories_that_lose_all_files_stay_as_empty_ones() {
        let dir = tree(&["logs/a.log", "src/a"]);
        assert_eq!(names(dir.path(), &["."], "**/*.log"), ["logs", "src/a"]);
        assert_eq!(names(dir.path(), &["logs"], "logs"), [""; 0]);
    }

    #[test]
    fn links_to_sources_bring_what_they_point_to() {
        let dir = tree(&["real/a", "other"]);
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/other", dir.path().join("real/abs")).unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        assert_eq!(names(dir.path(), &["link"], ""), ["link", "real/a", "real/abs"]);
        assert_eq!(names(dir.path(), &["link/abs"], ""), ["link", "other", "real/abs"]);
        assert_eq!(names(dir.path(), &["."], ""), ["link", "loop", "other", "real/a", "real/abs"]);
        assert_eq!(names(dir.path(), &["loop"], "").first().map(String::as_str), Some("loop"));
    }
}
