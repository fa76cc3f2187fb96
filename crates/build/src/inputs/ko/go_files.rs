//! The few lines of go.mod and go.work that name other directories.

use std::path::Path;
use std::path::PathBuf;

/// Returns the directories that a go.mod replaces modules with, or that a go.work uses, as written.
/// More than the build needs does no harm: they are only watched. Source: <https://go.dev/ref/mod>.
pub(super) fn directories(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_use = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if let Some((_, replacement)) = line.split_once("=>") {
            found.extend(replacement.split_whitespace().next().map(unquote).filter(|path| path.starts_with('.') || path.starts_with('/')));
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["use", "("] | ["use("] => in_use = true,
            [")"] => in_use = false,
            ["use", path] => found.push(unquote(path)),
            [path] if in_use => found.push(unquote(path)),
            _ => {}
        }
    }
    found
}

/// Returns the module path that a go.mod declares.
pub(crate) fn module_path(text: &str) -> Option<&str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix("module "))
        .map(|path| unquote(path.split("//").next().unwrap_or_default().trim()))
}

/// Returns the file `name` in `dir` or the nearest directory above that has one.
pub(crate) fn nearest(dir: &Path, name: &str) -> Option<PathBuf> {
    dir.ancestors().map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn unquote(text: &str) -> &str {
    text.trim_matches(['"', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_are_named_are_found() {
        for (text, expected) in [
            ("module a\n\ngo 1.24\n\nrequire b v1.0.0\n", vec![]),
            ("replace b => ../b\nreplace c v1 => \"./c\" // why\nreplace d => e.org/d v1.2.3\n", vec!["../b", "./c"]),
            ("replace (\n\tb => /abs/b\n)\n", vec!["/abs/b"]),
            ("go 1.24\n\nuse ./a\nuse (\n\t./b // b\n\t\"./c\"\n)\n", vec!["./a", "./b", "./c"]),
        ] {
            assert_eq!(directories(text), expected, "{text}");
        }
    }

    #[test]
    fn a_module_has_a_path() {
        assert_eq!(module_path("// c\nmodule example.com/a // x\n"), Some("example.com/a"));
        assert_eq!(module_path("go 1.24\n"), None);
    }
}
