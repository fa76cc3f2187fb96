//! Paths in a configuration: where they start, and the files that they mean.

use std::path::Path;
use std::path::PathBuf;

use globset::GlobBuilder;
use globset::GlobMatcher;

use crate::document::Document;
use crate::outline::EntryId;
use crate::schema::PathStart;
use crate::schema::Place;

/// So many files of a pattern are shown.
const MAX_MATCHES: usize = 200;
/// So many entries of directories are looked at for a pattern, or to complete a path.
const MAX_LOOKED_AT: usize = 20_000;

/// Returns the directory that the path of an entry starts from; none where it is no path.
pub(crate) fn start(document: &Document, entry: EntryId, place: Place<'_>) -> Option<PathBuf> {
    let dir = document.dir();
    match place.path_start()? {
        PathStart::Module => Some(dir.to_owned()),
        PathStart::Context => Some(devloop_config::clean_path(&dir.join(context(document, entry).unwrap_or_default()))),
    }
}

/// Returns the context of the artifact or test that an entry stands in.
fn context(document: &Document, entry: EntryId) -> Option<&str> {
    let outline = &document.outline;
    let is_owner = |id: &EntryId| {
        let path = outline.path(*id);
        matches!(path.as_slice(), [.., Some("build"), Some("artifacts"), None] | [.., Some("test"), None])
    };
    let item = outline.up(entry).find(is_owner)?;
    outline.text_of(item, "context").or_else(|| outline.text_of(item, "workspace"))
}

/// Returns the files that the path or pattern of an entry means.
pub(crate) fn files(document: &Document, entry: EntryId, place: Place<'_>) -> Vec<PathBuf> {
    let (written, start) = (document.outline.value(entry), start(document, entry, place));
    let Some(start) = start.filter(|_| !written.is_empty() && !written.contains("{{") && !written.contains("://")) else {
        return Vec::new();
    };
    let found = files_from(&start, place, written);
    // A Dockerfile that the context does not have may stand beside the configuration.
    if found.is_empty() && place.field == "dockerfile" { files_from(document.dir(), place, written) } else { found }
}

fn files_from(base: &Path, place: Place<'_>, written: &str) -> Vec<PathBuf> {
    let path = devloop_config::clean_path(&base.join(written));
    if path.is_file() {
        return vec![path];
    }
    if path.is_dir() {
        return inside(&path, place.field).into_iter().collect();
    }
    matches(base, written)
}

/// Returns the file that stands for a directory, by what the field says of it.
fn inside(dir: &Path, field: &str) -> Option<PathBuf> {
    let names: &[&str] = match field {
        "context" | "workspace" | "contextSubPath" => &["Dockerfile"],
        "chartPath" => &["Chart.yaml"],
        "path" => &devloop_config::FILE_NAMES,
        "paths" | "kustomizePath" => &["kustomization.yaml", "kustomization.yml", "Kustomization"],
        "kpt" => &["Kptfile"],
        _ => &[],
    };
    names.iter().map(|name| dir.join(name)).find(|file| file.is_file())
}

/// Returns the files that a pattern matches.
fn matches(base: &Path, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[']) {
        return Vec::new();
    }
    let pattern = pattern.trim_start_matches("./");
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build() else { return Vec::new() };
    let plain = pattern.split('/').take_while(|part| !part.contains(['*', '?', '['])).collect::<PathBuf>();
    let depth = if pattern.contains("**") { usize::MAX } else { pattern.split('/').count() - plain.components().count() };
    let mut search = Search { base, glob: glob.compile_matcher(), left: MAX_LOOKED_AT, found: Vec::new() };
    search.look(&plain, depth.min(64));
    search.found
}

struct Search<'a> {
    base: &'a Path,
    glob: GlobMatcher,
    left: usize,
    found: Vec<PathBuf>,
}

impl Search<'_> {
    fn look(&mut self, below: &Path, depth: usize) {
        for (name, is_dir) in listed(&self.base.join(below), self.left) {
            self.left = self.left.saturating_sub(1);
            let path = below.join(name);
            if self.left == 0 || self.found.len() >= MAX_MATCHES {
                return;
            }
            if is_dir && depth > 1 {
                self.look(&path, depth - 1);
            } else if !is_dir && self.glob.is_match(&path) {
                self.found.push(devloop_config::clean_path(&self.base.join(path)));
            }
        }
    }
}

/// Returns the entries of a directory by name, and whether each is a directory; links to directories are not followed.
pub(crate) fn listed(dir: &Path, limit: usize) -> Vec<(String, bool)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).take(limit);
    let named =
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.file_type().is_ok_and(|kind| kind.is_dir()))));
    let mut listed: Vec<(String, bool)> = named.collect();
    listed.sort();
    listed
}
