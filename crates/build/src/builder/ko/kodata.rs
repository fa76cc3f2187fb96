//! The `kodata` directory of a program: static files that its image has under `/var/run/ko`.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// One member, in the order in which ko writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Path below kodata, with `/`.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) path: PathBuf,
    /// Where its content is: `path` with symbolic links followed.
    pub(crate) source: PathBuf,
    /// Whether it is a directory.
    pub(crate) is_directory: bool,
}

/// Returns what is in `root`: names sorted within each directory, symbolic links followed. A link
/// may not leave the source tree, so that nothing of the machine gets into an image by accident.
/// Source: ko `pkg/build/gobuild.go` (`walkRecursive`, `resolveKodataAllowedRoot`).
///
/// # Errors
/// When something cannot be read, or a link leads out of the tree or in a circle.
pub(crate) fn members(root: &Path, allowed_root: Option<&str>) -> io::Result<Vec<Member>> {
    let mut found = Vec::new();
    // ko does not follow a kodata that is itself a link, and needs none to exist.
    if !fs::symlink_metadata(root).is_ok_and(|data| data.is_dir()) {
        return Ok(found);
    }
    let root = root.canonicalize()?;
    let allowed = allowed(&root, allowed_root);
    let mut walk = Walk { allowed: &allowed, found: &mut found, above: Vec::new() };
    walk.directory(&root, "")?;
    Ok(found)
}

fn allowed(root: &Path, configured: Option<&str>) -> PathBuf {
    let candidate = match configured {
        Some(path) if !path.is_empty() => Path::new(path).canonicalize().ok(),
        _ => root.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned),
    };
    candidate.filter(|candidate| root.starts_with(candidate)).unwrap_or_else(|| root.to_owned())
}

struct Walk<'a> {
    allowed: &'a Path,
    found: &'a mut Vec<Member>,
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path, name: &str) -> io::Result<()> {
        if self.above.iter().any(|above| above == directory) {
            return Err(io::Error::other(format!("the symbolic link `{name}` in kodata leads in a circle")));
        }
        self.above.push(directory.to_owned());
        let mut names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for child in names {
            let text = child.to_str().ok_or_else(|| io::Error::other(format!("`{}` in kodata is not UTF-8", child.display())))?;
            let below = if name.is_empty() { text.to_owned() } else { format!("{name}/{text}") };
            self.member(directory.join(&child), below)?;
        }
        self.above.pop();
        Ok(())
    }

    fn member(&mut self, path: PathBuf, name: String) -> io::Result<()> {
        let source = path.canonicalize().map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))?;
        if !source.starts_with(self.allowed) {
            let (from, to, allowed) = (path.display(), source.display(), self.allowed.display());
            return Err(io::Error::other(format!("the symbolic link `{from}` leads to `{to}`, outside of `{allowed}`")));
        }
        let is_directory = source.is_dir();
        self.found.push(Member { name: name.clone(), path, source: source.clone(), is_directory });
        if is_directory { self.directory(&source, &name) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("kodata/b/c")).unwrap();
        fs::write(dir.path().join("kodata/a.txt"), "a").unwrap();
        fs::write(dir.path().join("kodata/b/c/d"), "d").unwrap();
        fs::write(dir.path().join("LICENSE"), "l").unwrap();
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        members(&dir.join("kodata"), None).unwrap().into_iter().map(|member| member.name).collect()
    }

    #[test]
    fn no_kodata_has_no_members() {
        assert!(members(Path::new("/nowhere/kodata"), None).unwrap().is_empty());
    }

    #[test]
    fn members_come_in_order() {
        assert_eq!(names(tree().path()), ["a.txt", "b", "b/c", "b/c/d"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_within_the_source_tree_only() {
        use std::os::unix::fs::symlink;
        let dir = tree();
        symlink("../LICENSE", dir.path().join("kodata/LICENSE")).unwrap();
        let error = members(&dir.path().join("kodata"), None).unwrap_err().to_string();
        assert!(error.contains("leads to") && error.contains("outside of"), "{error}");
        fs::create_dir(dir.path().join(".git")).unwrap();
        symlink("b", dir.path().join("kodata/linked")).unwrap();
        assert_eq!(names(dir.path()), ["LICENSE", "a.txt", "b", "b/c", "b/c/d", "linked", "linked/c", "linked/c/d"]);
        symlink("..", dir.path().join("kodata/b/up")).unwrap();
        assert!(members(&dir.path().join("kodata"), None).unwrap_err().to_string().contains("in a circle"));
    }
}
