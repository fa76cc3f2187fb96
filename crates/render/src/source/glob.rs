//! Files that a `rawYaml` entry names: Go's `filepath.Glob`, and directories as a whole.
//!
//! Facts: `ExpandPathsGlob` in `pkg/skaffold/util/util.go`: a path that exists is taken as it is, a
//! directory that a pattern matches gives every file below it. `**` is a `*` there, and so it is here.

use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use globset::GlobBuilder;
use globset::GlobMatcher;

/// What an entry led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These files; a file that is named, not matched, may have any extension.
    Files(Vec<PathBuf>),
    /// A plain path that does not exist.
    NoSuchPath,
    /// A pattern that matches nothing.
    NoMatch,
}

/// Why an entry could not be expanded.
#[derive(Debug)]
pub(super) enum GlobError {
    /// It is not a pattern.
    Pattern(String),
    /// A directory could not be read.
    Io(PathBuf, io::Error),
}

/// Returns the files that `entry` names, sorted as Go sorts them: by name within each directory.
///
/// # Errors
/// When it is no pattern, or a directory cannot be read.
pub(super) fn expand(dir: &Path, entry: &str) -> Result<Found, GlobError> {
    let path = dir.join(entry);
    if let Ok(meta) = path.metadata() {
        return if meta.is_dir() { manifests_below(&path).map(Found::Files) } else { Ok(Found::Files(vec![path])) };
    }
    if !has_meta(entry) {
        return Ok(Found::NoSuchPath);
    }
    let mut files = Vec::new();
    for matched in matches(dir, Path::new(entry))? {
        if matched.is_dir() {
            files.extend(manifests_below(&matched)?);
        } else if is_manifest(&matched) {
            files.push(matched);
        }
    }
    Ok(if files.is_empty() { Found::NoMatch } else { Found::Files(files) })
}

/// Whether a file that a pattern matched is read: by its extension.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

/// Returns the directory that `entry` starts from: all of it that is no pattern.
pub(super) fn fixed_prefix(dir: &Path, entry: &str) -> PathBuf {
    let fixed = Path::new(entry).components().take_while(|component| !has_meta(&component.as_os_str().to_string_lossy()));
    dir.join(fixed.collect::<PathBuf>())
}

fn has_meta(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Returns the paths that match, component by component.
fn matches(dir: &Path, pattern: &Path) -> Result<Vec<PathBuf>, GlobError> {
    let mut found = vec![dir.to_owned()];
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        if !matches!(component, Component::Normal(_)) || !has_meta(&text) {
            found = found.into_iter().map(|path| path.join(component)).filter(|path| path.exists()).collect();
            continue;
        }
        let matcher = matcher(&text)?;
        let mut next = Vec::new();
        for path in found.iter().filter(|path| path.is_dir()) {
            next.extend(entries(path)?.into_iter().filter(|entry| entry.file_name().is_some_and(|name| matcher.is_match(name))));
        }
        found = next;
    }
    Ok(found)
}

/// Returns a matcher for one component, where Go knows `*`, `?`, `[…]` and `\` alone.
fn matcher(component: &str) -> Result<GlobMatcher, GlobError> {
    let go = component.replace("**", "*").replace("[^", "[!").replace('{', "[{]").replace('}', "[}]");
    GlobBuilder::new(&go)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| GlobError::Pattern(error.kind().to_string()))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, GlobError> {
    let read = || -> io::Result<Vec<PathBuf>> { std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = read().map_err(|error| GlobError::Io(dir.to_owned(), error))?;
    paths.sort();
    Ok(paths)
}

fn manifests_below(dir: &Path) -> Result<Vec<PathBuf>, GlobError> {
    let mut files = Vec::new();
    for entry in entries(dir)? {
        // A linked directory may lead back up; Skaffold's walk does not follow it either.
        if entry.is_dir() && !entry.is_symlink() {
            files.extend(manifests_below(&entry)?);
        } else if entry.is_file() && is_manifest(&entry) {
            files.push(entry);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn entries_name_files_as_go_does() {
        let dir = tree(&[
            "k8s/b.yaml",
            "k8s/a.yml",
            "k8s/.hidden.yaml",
            "k8s/notes.txt",
            "k8s/sub/c.json",
            "k8s/sub/deep/d.yaml",
            "k8s/x{y}.yaml",
            "k8s/[z].yaml",
            "top.yaml",
        ]);
        for (entry, expected) in [
            ("k8s/*.yaml", vec!["k8s/.hidden.yaml", "k8s/[z].yaml", "k8s/b.yaml", "k8s/x{y}.yaml"]),
            (
                "k8s/*",
                vec![
                    "k8s/.hidden.yaml",
                    "k8s/[z].yaml",
                    "k8s/a.yml",
                    "k8s/b.yaml",
                    "k8s/sub/c.json",
                    "k8s/sub/deep/d.yaml",
                    "k8s/x{y}.yaml",
                ],
            ),
            ("k8s/**/*.json", vec!["k8s/sub/c.json"]),
            ("k8s/**/*.yaml", vec![]),
            ("k8s/*/c.json", vec!["k8s/sub/c.json"]),
            ("k8s/sub", vec!["k8s/sub/c.json", "k8s/sub/deep/d.yaml"]),
            ("k8s/notes.txt", vec!["k8s/notes.txt"]),
            ("k8s/[ab].y*ml", vec!["k8s/a.yml", "k8s/b.yaml"]),
            ("k8s/[^a.x[]*.yaml", vec!["k8s/b.yaml"]),
            ("k8s/{a,b}.y*", vec![]),
            ("k8s/x{y}.y?ml", vec!["k8s/x{y}.yaml"]),
            ("k8s/[z].yaml", vec!["k8s/[z].yaml"]),
            ("k8s/../*.yaml", vec!["k8s/../top.yaml"]),
            ("*.json", vec![]),
        ] {
            let expected = if expected.is_empty() {
                Found::NoMatch
            } else {
                Found::Files(expected.into_iter().map(|file| dir.path().join(file)).collect())
            };
            // The order between a directory's files and its own is Go's: by name.
            assert_eq!(expand(dir.path(), entry).unwrap(), expected, "{entry}");
        }
        assert_eq!(expand(dir.path(), "k8s/none.yaml").unwrap(), Found::NoSuchPath);
        assert!(matches!(expand(dir.path(), "k8s/[a.yaml"), Err(GlobError::Pattern(_))));
    }
}
