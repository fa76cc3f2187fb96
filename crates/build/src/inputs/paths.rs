//! Inputs that the configuration names by patterns (`dependencies.paths` and `ignore`).

use std::fs;
use std::path::Path;

use devloop_model::Artifact;
use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::PathList;
use globset::GlobBuilder;
use globset::GlobSet;
use globset::GlobSetBuilder;

use super::InputKind;
use super::walk::Listed;
use super::walk::Stat;
use crate::BuildError;

/// Who names the files: they are looked for in its directory, and what is wrong is told at its place.
#[derive(Debug, Clone)]
pub(crate) struct Owner<'a> {
    /// The directory that patterns start from.
    pub(crate) context: &'a Path,
    /// What the user calls the list: the inputs of an artifact, the dependencies of a test.
    pub(crate) what: String,
    /// Where it stands.
    pub(crate) at: &'a Location,
}

impl<'a> Owner<'a> {
    /// Returns `artifact`, which names its inputs.
    pub(crate) fn of(artifact: &'a Artifact) -> Self {
        Self { context: &artifact.context, what: format!("the inputs of `{}`", artifact.image), at: &artifact.at }
    }
}

/// Returns the files that `list` names below the context of `owner`, sorted.
///
/// A path counts if it or a directory above it fits a pattern and nothing from there on is ignored,
/// which is what Skaffold does (`pkg/skaffold/build/list`): `ignore: [a]` takes nothing away from `paths: ["**"]`.
///
/// # Errors
/// When a pattern is malformed or fits nothing, or a directory cannot be read.
pub(crate) fn list(owner: &Owner<'_>, list: &PathList) -> Result<Vec<Listed>, BuildError> {
    let (found, unmatched) = search(owner, list)?;
    let Some(pattern) = unmatched else { return Ok(found) };
    Err(Diagnostic::error("build/no-such-input", format!("{} name `{pattern}`, which fits no file", owner.what))
        .at(owner.at.clone())
        .because(format!("looked in {}", owner.context.display()))
        .help("correct `dependencies.paths`")
        .into())
}

/// Returns the same, and nothing for a pattern that fits nothing.
///
/// # Errors
/// When a pattern is malformed, or a directory cannot be read.
pub(crate) fn list_any(owner: &Owner<'_>, list: &PathList) -> Result<Vec<Listed>, BuildError> {
    search(owner, list).map(|(found, _)| found)
}

/// Returns the files, and a pattern that fits nothing if there is one.
fn search<'a>(owner: &Owner<'_>, list: &'a PathList) -> Result<(Vec<Listed>, Option<&'a str>), BuildError> {
    let mut unmatched = None;
    let ignore = set(owner, &list.ignore)?;
    let mut found = Vec::new();
    for pattern in &list.paths {
        let clean = pattern.trim_start_matches("./").trim_matches('/');
        let clean = if clean == "." { "" } else { clean };
        let fixed = clean.split('/').take_while(|component| !component.contains(['*', '?', '[', '{', '\\'])).collect::<Vec<_>>().join("/");
        let mut search =
            Search { wanted: set(owner, std::slice::from_ref(&clean.to_owned()))?, ignore: &ignore, hit: false, found: &mut found };
        search.at(&owner.context.join(&fixed), &fixed, clean == fixed)?;
        if !search.hit {
            unmatched = unmatched.or(Some(pattern.as_str()));
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok((found, unmatched))
}

fn set(owner: &Owner<'_>, patterns: &[String]) -> Result<GlobSet, BuildError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build().map_err(|error| {
            Diagnostic::error("build/malformed-pattern", format!("`{pattern}`, one of {}, is a malformed pattern", owner.what))
                .at(owner.at.clone())
                .because(error.kind().to_string())
        })?;
        set.add(glob);
    }
    set.build().map_err(|error| Diagnostic::error("build/malformed-pattern", error.to_string()).at(owner.at.clone()).into())
}

struct Search<'a> {
    wanted: GlobSet,
    ignore: &'a GlobSet,
    /// Whether anything fitted, ignored or not.
    hit: bool,
    found: &'a mut Vec<Listed>,
}

impl Search<'_> {
    fn at(&mut self, full: &Path, path: &str, above: bool) -> Result<(), BuildError> {
        let Ok(metadata) = full.symlink_metadata() else { return Ok(()) };
        let fits = above || self.wanted.is_match(path);
        self.hit |= fits;
        let counts = fits && !self.ignore.is_match(path);
        let Some(stat) = Stat::of(&metadata) else { return Ok(()) };
        if stat.kind != InputKind::EmptyDirectory {
            if counts {
                self.found.push(Listed { path: path.into(), stat });
            }
            return Ok(());
        }
        let read = |source| BuildError::Read { path: full.to_owned(), source };
        for entry in fs::read_dir(full).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let inside = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            self.at(&full.join(name), &inside, counts)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn names(paths: &[&str], ignore: &[&str]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for path in ["main.go", "pkg/a.go", "pkg/deep/b.go", "pkg/deep/b.txt", "vendor/x/c.go", "a b.txt"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "").unwrap();
        }
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let artifact = testing::custom("web", dir.path());
        list(&Owner::of(&artifact), &PathList { paths: owned(paths), ignore: owned(ignore) })
            .map(|found| found.into_iter().map(|listed| listed.path.to_string()).collect())
            .map_err(|error| error.diagnostic().what)
    }

    #[test]
    fn patterns_find_files() {
        for (paths, ignore, expected) in [
            (&["."][..], &[][..], &["a b.txt", "main.go", "pkg/a.go", "pkg/deep/b.go", "pkg/deep/b.txt", "vendor/x/c.go"][..]),
            (&["*.go"], &[], &["main.go"]),
            (&["**/*.go"], &[], &["main.go", "pkg/a.go", "pkg/deep/b.go", "vendor/x/c.go"]),
            (&["pkg"], &["pkg/deep"], &["pkg/a.go"]),
            (&["./pkg/**"], &["**/*.txt"], &["pkg/a.go", "pkg/deep/b.go"]),
            (&["{main,other}.go", "pkg/*"], &[], &["main.go", "pkg/a.go", "pkg/deep/b.go", "pkg/deep/b.txt"]),
            (&["."], &["vendor", "pkg/**"], &["a b.txt", "main.go"]),
            (&["**/c.go"], &["vendor"], &["vendor/x/c.go"]),
            (&["main.go"], &["*.go"], &[]),
        ] {
            assert_eq!(names(paths, ignore).unwrap(), expected, "{paths:?} without {ignore:?}");
        }
    }

    #[test]
    fn what_fits_nothing_is_told() {
        insta::assert_snapshot!(names(&["*.rs"], &[]).unwrap_err(), @"the inputs of `web` name `*.rs`, which fits no file");
        insta::assert_snapshot!(names(&["none/x"], &[]).unwrap_err(), @"the inputs of `web` name `none/x`, which fits no file");
        insta::assert_snapshot!(names(&["a["], &[]).unwrap_err(), @"`a[`, one of the inputs of `web`, is a malformed pattern");
    }
}
