//! Where changed files go in the container; no I/O.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Path;

use devloop_model::Artifact;
use devloop_model::ChangedFile;
use devloop_model::SyncMap;
use devloop_model::SyncMode;
use devloop_model::SyncRule;
use globset::GlobBuilder;
use globset::GlobMatcher;

/// A file on its way to one place in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncItem {
    /// Path relative to the context.
    pub path: String,
    /// Absolute path in the container; ends in `/` where a directory is deleted if nothing is left in it.
    pub destination: String,
    /// Whether it is deleted there.
    pub deleted: bool,
}

impl SyncItem {
    /// Returns whether it is a file that changed, rather than a directory that went with its files.
    pub(super) fn is_file(&self) -> bool {
        !is_emptied(&self.destination)
    }
}

/// Returns whether a place in the container is a directory that is deleted if nothing is left in it.
pub(super) fn is_emptied(destination: &str) -> bool {
    destination.ends_with('/')
}

/// What destinations are worked out from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Where the image would have its files if it was built now; for `infer` and `auto`.
    pub map: Option<&'a SyncMap>,
    /// Where it had them before the change: that is where deleted files are.
    pub before: Option<&'a SyncMap>,
    /// Directories of the context that are gone with all that was in them.
    pub gone: &'a BTreeSet<String>,
    /// The image's working directory, from which destinations of rules may start.
    pub working_dir: &'a str,
}

/// Returns where each changed file goes in the container, or none if one of them cannot be synced: then the artifact is rebuilt.
///
/// A Dockerfile or its ignore file is never synced: what it says takes a build. Else as Skaffold (`pkg/skaffold/sync/sync.go`), but
/// that files that `infer` finds may be deleted as well.
pub fn destinations(artifact: &Artifact, known: Known<'_>, files: &[ChangedFile]) -> Option<Vec<SyncItem>> {
    let spec = artifact.sync.as_ref()?;
    if files.iter().any(|file| makes_the_image(artifact, &file.path)) {
        return None;
    }
    let places = Places::of(&spec.mode, known);
    let mut items = Vec::new();
    for file in files {
        let destinations = places.of_file(file);
        if destinations.is_empty() {
            return None;
        }
        let item = |destination| SyncItem { path: file.path.clone(), destination, deleted: file.deleted };
        items.extend(destinations.into_iter().map(item));
    }
    let emptied: BTreeMap<String, String> =
        items.iter().filter(|item| item.deleted).flat_map(|item| emptied(&item.path, &item.destination, known.gone)).collect();
    let mut items = without_parents(items);
    items.extend(emptied.into_iter().map(|(destination, path)| SyncItem { path, destination, deleted: true }));
    Some(items)
}

/// Returns the directories, in the container and in the context, that went with a file: as far up as both have the same names.
fn emptied(path: &str, destination: &str, gone: &BTreeSet<String>) -> Vec<(String, String)> {
    let parents = |path| Path::new(path).ancestors().skip(1);
    let both = parents(path).zip(parents(destination));
    let went =
        both.filter_map(|(path, destination)| Some((path.to_str()?, destination.to_str()?, path.file_name() == destination.file_name())));
    let went = went.take_while(|(path, _, alike)| *alike && gone.contains(*path));
    went.map(|(path, destination, _)| (format!("{destination}/"), path.to_owned())).collect()
}

/// A mode with its patterns compiled.
enum Places<'a> {
    Rules(Vec<(GlobMatcher, &'a SyncRule)>, &'a str),
    Image(Vec<GlobMatcher>, Known<'a>),
    Builder(Known<'a>),
}

impl<'a> Places<'a> {
    fn of(mode: &'a SyncMode, known: Known<'a>) -> Self {
        match mode {
            SyncMode::Manual(rules) => {
                Self::Rules(rules.iter().filter_map(|rule| Some((matcher(&rule.src)?, rule))).collect(), known.working_dir)
            }
            SyncMode::Infer(patterns) => Self::Image(patterns.iter().filter_map(|pattern| matcher(pattern)).collect(), known),
            SyncMode::Auto => Self::Builder(known),
        }
    }

    /// Every rule that fits gives a destination.
    fn of_file(&self, file: &ChangedFile) -> Vec<String> {
        let path = file.path.as_str();
        match self {
            Self::Rules(rules, working_dir) => {
                let fitting = rules.iter().filter(|(glob, _)| glob.is_match(path));
                fitting
                    .map(|(_, rule)| joined(&[working_dir, &rule.dest, path.strip_prefix(rule.strip.as_str()).unwrap_or(path)]))
                    .collect()
            }
            Self::Image(globs, _) if !globs.iter().any(|glob| glob.is_match(path)) => Vec::new(),
            Self::Image(_, known) | Self::Builder(known) => {
                let map = if file.deleted { known.before } else { known.map };
                map.and_then(|map| map.files.get(path)).cloned().unwrap_or_default()
            }
        }
    }
}

/// Returns whether a file says how the image is made.
fn makes_the_image(artifact: &Artifact, path: &str) -> bool {
    let Some(docker) = artifact.builder.dockerfile() else { return false };
    let dockerfile = docker.dockerfile.strip_prefix(&artifact.context).unwrap_or(&docker.dockerfile).to_string_lossy();
    let path = path.strip_prefix("./").unwrap_or(path);
    path == ".dockerignore" || path.strip_suffix(".dockerignore").unwrap_or(path) == dockerfile.trim_start_matches("./")
}

/// Patterns are those of doublestar: `*` stops at `/`, `**` does not.
fn matcher(pattern: &str) -> Option<GlobMatcher> {
    let clean = pattern.trim_start_matches("./");
    GlobBuilder::new(clean).literal_separator(true).backslash_escape(true).build().ok().map(|glob| glob.compile_matcher())
}

/// Returns the path from `parts`, where an absolute second part starts anew, without `.`, `..` and `//` (Go's `path.Join`).
fn joined(parts: &[&str; 3]) -> String {
    let [base, dest, rest] = *parts;
    let base = if dest.starts_with('/') { "" } else { base };
    let mut names: Vec<&str> = Vec::new();
    for name in [base, dest, rest].into_iter().flat_map(|part| part.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// Leaves out a directory that is "deleted" because it is no longer empty: what is in it comes with its own path.
fn without_parents(items: Vec<SyncItem>) -> Vec<SyncItem> {
    let written = items.iter().filter(|item| !item.deleted);
    let above: HashSet<String> =
        written.flat_map(|item| item.destination.match_indices('/').map(|(at, _)| item.destination[..at].to_owned())).collect();
    items.into_iter().filter(|item| !item.deleted || !above.contains(&item.destination)).collect()
}

#[cfg(test)]
mod tests {
    use devloop_model::Hooks;
    use devloop_model::SyncSpec;

    use super::*;
    use crate::sync::testing::artifact;

    /// Files are written `path` or, deleted, `-path`; rules `src dest strip`.
    fn shown(mode: SyncMode, files: &[&str]) -> Option<Vec<String>> {
        let artifact = artifact("web", Some(SyncSpec { mode, hooks: Hooks::default() }));
        let map = |pairs: &[(&str, &[&str])]| SyncMap {
            files: pairs
                .iter()
                .map(|(file, places)| ((*file).to_owned(), places.iter().map(|p| (*p).to_owned()).collect()))
                .collect::<BTreeMap<_, _>>(),
        };
        let now = map(&[("src/a.js", &["/app/src/a.js"]), ("twice", &["/x/twice", "/y/twice"]), ("Dockerfile", &["/Dockerfile"])]);
        let before = map(&[("src/gone.js", &["/app/src/gone.js"])]);
        let file = |text: &&str| ChangedFile { path: text.trim_start_matches('-').to_owned(), deleted: text.starts_with('-') };
        let files: Vec<ChangedFile> = files.iter().map(file).collect();
        let gone = ["src/gone", "src", "old/deep"].map(str::to_owned).into();
        let known = Known { map: Some(&now), before: Some(&before), gone: &gone, working_dir: "/work" };
        let item = |item: SyncItem| format!("{}{} -> {}", if item.deleted { "-" } else { "" }, item.path, item.destination);
        destinations(&artifact, known, &files).map(|items| items.into_iter().map(item).collect())
    }

    fn manual(rules: &[(&str, &str, &str)]) -> SyncMode {
        SyncMode::Manual(
            rules.iter().map(|(src, dest, strip)| SyncRule { src: (*src).into(), dest: (*dest).into(), strip: (*strip).into() }).collect(),
        )
    }

    #[test]
    fn rules_say_where_files_go() {
        for (rules, file, expected) in [
            (&[("*.html", ".", "")][..], "index.html", Some(vec!["index.html -> /work/index.html"])),
            (&[("*.html", "/static", "")], "index.html", Some(vec!["index.html -> /static/index.html"])),
            (&[("*.html", "/static", "")], "sub/index.html", None),
            (&[("**/*.html", "static", "")], "a/b/index.html", Some(vec!["a/b/index.html -> /work/static/a/b/index.html"])),
            (&[("**/*.html", "static", "")], "index.html", Some(vec!["index.html -> /work/static/index.html"])),
            (
                &[("static-html/*.html", "static", "static-html/")],
                "static-html/a.html",
                Some(vec!["static-html/a.html -> /work/static/a.html"]),
            ),
            (&[("public/**/*", "static", "public/")], "public/css/x.css", Some(vec!["public/css/x.css -> /work/static/css/x.css"])),
            (&[("**/*.{png,jpg}", "/img", "")], "a/x.jpg", Some(vec!["a/x.jpg -> /img/a/x.jpg"])),
            (&[("./*.js", "../up", "")], "x.js", Some(vec!["x.js -> /up/x.js"])),
            (&[("*.js", "/a", ""), ("*.js", "/b", ""), ("*.css", "/c", "")], "x.js", Some(vec!["x.js -> /a/x.js", "x.js -> /b/x.js"])),
            (&[("*.js", "/a", "")], "-x.js", Some(vec!["-x.js -> /a/x.js"])),
            (&[("*.js", "/../../etc", "")], "x.js", Some(vec!["x.js -> /etc/x.js"])),
            (&[("**/*", "/", "")], "Dockerfile", None),
            (&[("**/*", "/", "")], "Dockerfile.dockerignore", None),
            (&[("**/*", "/", "")], ".dockerignore", None),
            (&[("[", "/", "")], "[", None),
        ] {
            assert_eq!(
                shown(manual(rules), &[file]),
                expected.map(|list| list.into_iter().map(str::to_owned).collect()),
                "{rules:?} {file}"
            );
        }
    }

    #[test]
    fn one_file_that_cannot_be_synced_rebuilds() {
        assert_eq!(shown(manual(&[("*.js", "/a", "")]), &["x.js", "x.go"]), None);
        assert_eq!(shown(SyncMode::Auto, &["x.js"]), None);
        assert_eq!(shown(SyncMode::Infer(vec!["src/**".into()]), &["src/a.js", "twice"]), None);
    }

    #[test]
    fn the_builder_says_where_its_files_go() {
        let went = shown(SyncMode::Auto, &["src/a.js", "-src/gone.js"]).unwrap();
        assert_eq!(went, ["src/a.js -> /app/src/a.js", "-src/gone.js -> /app/src/gone.js", "-src -> /app/src/"]);
    }

    #[test]
    fn the_image_says_where_inferred_files_go() {
        let infer = |files: &[&str]| shown(SyncMode::Infer(vec!["**/*".into()]), files);
        assert_eq!(infer(&["twice", "src/a.js"]).unwrap(), ["twice -> /x/twice", "twice -> /y/twice", "src/a.js -> /app/src/a.js"]);
        assert_eq!(infer(&["-src/gone.js"]).unwrap(), ["-src/gone.js -> /app/src/gone.js", "-src -> /app/src/"]);
        for rebuilt in ["-src/a.js", "unknown", "Dockerfile"] {
            assert_eq!(infer(&[rebuilt]), None, "{rebuilt}");
        }
    }

    #[test]
    fn directories_go_with_their_files() {
        for (rule, file, went) in [
            (("**", "/a", ""), "-src/gone/x", vec!["-src/gone/x -> /a/src/gone/x", "-src -> /a/src/", "-src/gone -> /a/src/gone/"]),
            (("**", "/a", "src/"), "-src/gone/x", vec!["-src/gone/x -> /a/gone/x", "-src/gone -> /a/gone/"]),
            (("**", "/gone", "src/gone/"), "-src/gone/x", vec!["-src/gone/x -> /gone/x", "-src/gone -> /gone/"]),
            (("**", "/", "src/gone/"), "-src/gone/x", vec!["-src/gone/x -> /x"]),
            (("**", "/a", ""), "-old/deep/x", vec!["-old/deep/x -> /a/old/deep/x", "-old/deep -> /a/old/deep/"]),
            (("**", "/a", ""), "src/x", vec!["src/x -> /a/src/x"]),
        ] {
            assert_eq!(shown(manual(&[rule]), &[file]).unwrap(), went, "{file}");
        }
    }

    #[test]
    fn a_directory_that_is_no_longer_empty_stays() {
        let rule = || manual(&[("**", "/a", "")]);
        assert_eq!(shown(rule(), &["-d", "d/x"]).unwrap(), ["d/x -> /a/d/x"]);
        assert_eq!(shown(rule(), &["-d", "-d/x", "dd"]).unwrap(), ["-d -> /a/d", "-d/x -> /a/d/x", "dd -> /a/dd"]);
    }
}
