//! Paths below a root that nothing leads out of.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// A directory that is the root of what is served.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// Returns the root at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns where `path` is, in the view of a program whose root this is: links on the way are followed as it would follow
    /// them, so that neither they nor `..` lead out. The last name is not followed: it may be a link that is replaced.
    ///
    /// # Errors
    /// When `path` is not absolute, names nothing, has `..` in it, or its links go round in a circle.
    pub fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let path = Path::new(path);
        if !path.is_absolute() || path.components().any(|component| component == Component::ParentDir) {
            return Err(invalid("the path is not absolute, or has `..` in it"));
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Err(invalid("the path names no file")) };
        Ok(self.directory(directory)?.join(name))
    }

    /// Follows the links of a directory's path; what does not exist is taken as it is written.
    fn directory(&self, path: &Path) -> io::Result<PathBuf> {
        let mut left: VecDeque<OsString> = names(path).collect();
        let mut inside = PathBuf::new();
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                inside.pop();
                continue;
            }
            let Ok(target) = fs::read_link(self.0.join(&inside).join(&name)) else {
                inside.push(name);
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::other("the links of its directory go round in a circle"));
            }
            if target.is_absolute() {
                inside.clear();
            }
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                left.push_front(name);
            }
        }
        Ok(self.0.join(inside))
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("srv/app")).unwrap();
        symlink("/srv/app", root.join("app")).unwrap();
        symlink("../../../..", root.join("srv/up")).unwrap();
        symlink("../srv/./app", root.join("srv/relative")).unwrap();
        symlink("/loop", root.join("loop")).unwrap();
        symlink(dir.path(), root.join("out")).unwrap();
        let served = Root::new(&root);
        for (path, expected) in [
            ("/a", "a"),
            ("/app/x/y", "srv/app/x/y"),
            ("/srv/up/etc/passwd", "etc/passwd"),
            ("/srv/relative/x", "srv/app/x"),
            ("/app", "app"),
            ("/./srv//app/./x", "srv/app/x"),
        ] {
            assert_eq!(served.resolve(path).unwrap(), root.join(expected), "{path}");
        }
        let inside = served.resolve("/out/x").unwrap();
        assert_eq!(inside, root.join(dir.path().strip_prefix("/").unwrap()).join("x"), "an absolute link starts from the root");
        for path in ["", "/", "a", "../a", "/../a", "/srv/../../a", "/loop/a", "/.."] {
            assert!(served.resolve(path).is_err(), "{path}");
        }
    }
}
