//! The files of a project, as far as they tell how it is built and deployed.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_model::Diagnostic;
use ignore::WalkBuilder;
use ignore::WalkState;

/// Larger files are no manifests and no Dockerfiles: Kubernetes takes no object above 1.5 MB.
const LARGEST: u64 = 16 << 20;
/// Directories of what others wrote (Skaffold's `pkg/skaffold/initializer/analyze/analyze.go`).
const FOREIGN: [&str; 2] = ["vendor", "node_modules"];

/// The files of a project: files of a directory before those of its subdirectories, each by name.
#[derive(Debug, Default)]
pub struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<File>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path, relative to the root, with `/`.
    pub(crate) path: String,
    /// Its text, where that may tell something; empty if it is no text.
    pub(crate) text: Option<String>,
}

impl Tree {
    /// Returns the files below `root` that are neither hidden nor ignored by git; links to directories are not followed.
    ///
    /// # Errors
    /// When a directory cannot be read, unless such ones are skipped.
    pub fn read(root: &Path, skip_unreachable: bool) -> Result<Self, Diagnostic> {
        let (files, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
        let is_in_repository = fs::canonicalize(root).is_ok_and(|root| root.ancestors().any(|directory| directory.join(".git").exists()));
        let walk = WalkBuilder::new(root)
            .ignore(false)
            .git_global(false)
            // Of a repository, its own files say what is ignored; elsewhere, those of this folder.
            .require_git(is_in_repository)
            .parents(is_in_repository)
            .filter_entry(|entry| entry.depth() == 0 || !entry.file_name().to_str().is_some_and(|name| FOREIGN.contains(&name)))
            .build_parallel();
        walk.run(|| {
            Box::new(|entry| {
                match entry {
                    Ok(entry) if entry.file_type().is_some_and(|kind| !kind.is_dir()) => {
                        if let Some(file) = File::read(root, entry.path()) {
                            files.lock().unwrap_or_else(PoisonError::into_inner).push(file);
                        }
                    }
                    Ok(_) => {}
                    Err(error) if skip_unreachable || is_gone(&error) => {}
                    Err(error) => {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return WalkState::Quit;
                    }
                }
                WalkState::Continue
            })
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(unreadable(root, &error));
        }
        let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.sort_by_cached_key(|file: &File| key(&file.path));
        Ok(Self { root: root.to_owned(), files })
    }

    /// Returns the name of the folder; none for the root of a file system.
    pub fn name(&self) -> Option<String> {
        let path = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// Returns whether there is such a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.binary_search_by_key(&key(path), |file| key(&file.path)).is_ok()
    }

    /// Returns the files of a directory, not those below it.
    pub(crate) fn directly_in<'t>(&'t self, directory: &'t str) -> impl Iterator<Item = &'t File> {
        // Nothing is before an empty name.
        let first = if directory == "." { String::new() } else { format!("{directory}/") };
        let first = key(&first);
        let at = self.files.partition_point(|file| key(&file.path) < first);
        self.files[at..].iter().take_while(move |file| file.directory() == directory)
    }

    /// Returns the text of a file that is looked at only now.
    pub(crate) fn text_of(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }
}

impl File {
    fn read(root: &Path, path: &Path) -> Option<Self> {
        let name = path.strip_prefix(root).ok()?.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
        if !tells(file_name(&name)) {
            return Some(Self { path: name, text: None });
        }
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let text = if meta.len() > LARGEST { None } else { fs::read_to_string(path).ok() };
        Some(Self { path: name, text: Some(text.unwrap_or_default()) })
    }

    /// Returns its name without the directory.
    pub(crate) fn name(&self) -> &str {
        file_name(&self.path)
    }

    /// Returns its directory; `.` is the root.
    pub(crate) fn directory(&self) -> &str {
        directory(&self.path)
    }
}

/// Returns whether the text of a file of that name is looked at.
fn tells(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_package = lower.starts_with("package") || lower.starts_with("tsconfig");
    is_yaml(name)
        || (Path::new(&lower).extension().is_some_and(|extension| extension == "json") && !is_package)
        || lower.contains("dockerfile")
        || lower.starts_with("pom")
        || lower.starts_with("build.gradle")
        || name == "go.mod"
}

/// Returns whether a file of that name is YAML.
pub(crate) fn is_yaml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Returns the last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns what is before the last part of a path; `.` where nothing is.
pub(crate) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(directory, _)| directory)
}

/// Returns the path of a file in a directory, without `.` and `..` where they cancel out.
pub(crate) fn joined(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Returns whether a path is in a directory or below it.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    directory == "." || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns what paths are ordered by: the files of a directory come before its subdirectories.
fn key(path: &str) -> String {
    let (directories, name) = path.rsplit_once('/').map_or(("", path), |(directories, name)| (directories, name));
    let mut key = String::with_capacity(path.len() + 8);
    for part in directories.split('/').filter(|part| !part.is_empty()) {
        key.extend(["\u{2}", part, "\0"]);
    }
    key.extend(["\u{1}", name]);
    key
}

/// A file may go while the folder is read.
fn is_gone(error: &ignore::Error) -> bool {
    error.depth() != Some(0) && error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn unreadable(root: &Path, error: &ignore::Error) -> Diagnostic {
    let path = path_of(error).map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string());
    let what = format!("the folder `{}` cannot be read", path.as_deref().filter(|path| !path.is_empty()).unwrap_or("."));
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    Diagnostic::error("init/unreadable", what).because(why).help("let it be read, or leave such folders out by `--skip-unreachable-dirs`")
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &tempfile::TempDir) -> Vec<String> {
        Tree::read(folder.path(), false).unwrap().files.into_iter().map(|file| file.path).collect()
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            fs::write(folder.path().join(path), text).unwrap();
        }
        folder
    }

    #[test]
    fn files_come_before_directories_and_foreign_ones_not_at_all() {
        let folder = folder(&[
            ("z.yaml", ""),
            ("a/b/c.yaml", ""),
            ("a/z.yaml", ""),
            (".git/config", ""),
            (".hidden.yaml", ""),
            ("vendor/x/Dockerfile", ""),
            ("web/node_modules/x/package.json", ""),
            ("out/built.yaml", ""),
            ("web/tmp/k.yaml", ""),
            (".gitignore", "/out\n"),
            ("web/.gitignore", "tmp/\n"),
            ("web/main.go", ""),
        ]);
        assert_eq!(read(&folder), ["z.yaml", "a/z.yaml", "a/b/c.yaml", "web/main.go"]);
        let tree = Tree::read(folder.path(), false).unwrap();
        for (directory, expected) in [(".", "z.yaml"), ("a", "a/z.yaml"), ("a/b", "a/b/c.yaml"), ("web", "web/main.go"), ("no", "")] {
            let found: Vec<&str> = tree.directly_in(directory).map(|file| file.path.as_str()).collect();
            assert_eq!(found.join(" "), expected);
        }
    }

    #[test]
    fn links_to_files_count_and_cycles_end() {
        let folder = folder(&[("a/real.yaml", "text")]);
        std::os::unix::fs::symlink("..", folder.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("real.yaml", folder.path().join("a/link.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere.yaml", folder.path().join("a/broken.yaml")).unwrap();
        std::os::unix::fs::symlink("self.yaml", folder.path().join("a/self.yaml")).unwrap();
        let tree = Tree::read(folder.path(), false).unwrap();
        let found: Vec<_> = tree.files.iter().filter(|file| file.text.is_some()).map(|file| file.path.as_str()).collect();
        assert_eq!(found, ["a/link.yaml", "a/real.yaml"]);
        assert!(tree.has("a/real.yaml") && !tree.has("a/other.yaml"));
        assert_eq!(tree.directly_in(".").count(), 0);
    }

    #[test]
    fn what_is_no_text_is_empty_and_what_tells_nothing_is_not_read() {
        let folder = folder(&[("main.go", "package main"), ("k.yaml", "a: b")]);
        fs::write(folder.path().join("bin.yaml"), [0xff, 0xfe, 0]).unwrap();
        let tree = Tree::read(folder.path(), false).unwrap();
        let texts: Vec<_> = tree.files.iter().map(|file| (file.path.as_str(), file.text.as_deref())).collect();
        assert_eq!(texts, [("bin.yaml", Some("")), ("k.yaml", Some("a: b")), ("main.go", None)]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = Tree::read(Path::new("/nonexistent/x"), true);
        assert!(error.is_ok_and(|tree| tree.files.is_empty()));
        let error = Tree::read(Path::new("/nonexistent/x"), false).unwrap_err();
        assert!(error.to_string().starts_with("error[init/unreadable]: the folder `.` cannot be read"), "{error}");
    }

    #[test]
    fn paths_are_joined_without_detours() {
        for (directory, path, expected) in
            [(".", "a", "a"), ("a", "../b", "b"), ("a/b", ".", "a/b"), (".", ".", "."), ("a", "../../b", "../b"), ("a", "b/./c", "a/b/c")]
        {
            assert_eq!(joined(directory, path), expected, "{directory} {path}");
        }
        assert!(is_below("a/b", "a") && is_below("a", ".") && !is_below("ab/c", "a") && !is_below("a", "a"));
    }
}
