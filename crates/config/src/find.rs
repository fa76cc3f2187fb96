//! Configurations of a directory, wherever they are below it.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;

use crate::Node;
use crate::Source;
use crate::load;
use crate::modules::clean;
use crate::parse_documents;

/// Directories that are not looked into: what is in them belongs to programs.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// Returns the files below a directory that are configurations, each with the version of its first document.
///
/// What is wrong is no configuration, as in Skaffold's `cmd/skaffold/app/cmd/find_configs.go`.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_configs(directory: &Path) -> Result<BTreeMap<PathBuf, String>, Diagnostic> {
    let mut found = BTreeMap::new();
    let mut open = vec![clean(directory)];
    let mut is_first = true;
    while let Some(directory) = open.pop() {
        let on_disk = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
        let entries = match std::fs::read_dir(on_disk) {
            Ok(entries) => entries,
            Err(error) if is_first => {
                let what = format!("cannot read the directory {}", on_disk.display());
                return Err(Diagnostic::error("config/unreadable", what).because(error.to_string()));
            }
            Err(_) => continue,
        };
        is_first = false;
        for entry in entries.flatten() {
            let (path, name) = (directory.join(entry.file_name()), entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) => open.push(path),
                Ok(kind) if !kind.is_dir() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") => {
                    if let Some(version) = version(&path) {
                        found.insert(path, version);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Returns the version that a file is written for, if it is a configuration.
fn version(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    // Most files of a repository are others.
    if !text.contains("skaffold/v") && !text.contains("devloop/v") {
        return None;
    }
    let source = Source::new(file, text);
    load::documents(&source).ok()?;
    let first = parse_documents(&source).ok()?.into_iter().next()?;
    first.get("apiVersion").and_then(Node::as_text).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_found_by_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("skaffold.yaml", "apiVersion: skaffold/v4beta14\nkind: Config\n");
        write("a/.b/old.yml", "apiVersion: skaffold/v1beta7\nkind: Config\n");
        write("a/wrong.yaml", "apiVersion: skaffold/v4beta14\nkind: Config\noops: 1\n");
        write("a/pod.yaml", "apiVersion: v1\nkind: Pod\n");
        write("a/skaffold.txt", "apiVersion: skaffold/v4beta14\nkind: Config\n");
        write("node_modules/x/skaffold.yaml", "apiVersion: skaffold/v4beta14\nkind: Config\n");
        let found = find_configs(dir.path()).unwrap();
        let shown: Vec<_> =
            found.iter().map(|(path, version)| (path.strip_prefix(dir.path()).unwrap().to_str().unwrap(), &**version)).collect();
        assert_eq!(shown, [("a/.b/old.yml", "skaffold/v1beta7"), ("skaffold.yaml", "skaffold/v4beta14")]);
        assert_eq!(find_configs(&dir.path().join("gone")).unwrap_err().code, "config/unreadable");
    }
}
