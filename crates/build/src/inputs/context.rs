//! A whole build context, for a build that is given a directory and nothing else.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;

use super::dockerignore::IgnorePatterns;
use super::walk;
use crate::BuildError;

/// Returns the files of a context, relative to it, that its ignore file does not hide: `<Dockerfile>.dockerignore`, else `.dockerignore`.
///
/// # Errors
/// When the ignore file is malformed, or a directory cannot be read.
pub fn context_files(context: &Path, dockerfile: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    let found =
        [PathBuf::from(own), context.join(".dockerignore")].into_iter().find_map(|path| Some((std::fs::read_to_string(&path).ok()?, path)));
    let ignore = match found {
        None => IgnorePatterns::default(),
        Some((text, path)) => IgnorePatterns::parse(&text).map_err(|error| {
            let what = format!("line {} of `{}` is no pattern: {}", error.line, path.display(), error.why);
            Diagnostic::error("build/ignore-file", what).because(error.text)
        })?,
    };
    Ok(walk::walk(context, &[PathBuf::new()], &ignore)?.into_iter().map(|listed| PathBuf::from(&*listed.path)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["Dockerfile", "a", "b", "empty/x"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let files = || {
            let files = context_files(dir.path(), &dir.path().join("Dockerfile")).unwrap();
            files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(files(), "Dockerfile a b empty/x");
        std::fs::write(dir.path().join(".dockerignore"), "b\nempty\n").unwrap();
        assert_eq!(files(), ".dockerignore Dockerfile a");
        std::fs::write(dir.path().join("Dockerfile.dockerignore"), "a\nempty\n").unwrap();
        assert_eq!(files(), ".dockerignore Dockerfile Dockerfile.dockerignore b");
    }
}
