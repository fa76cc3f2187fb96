//! The files that a kustomization reads, found without running it.
//!
//! Fields: the Kustomization reference (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>).

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::kustomization;
use crate::source::watched::normal;
use crate::yaml;

/// Lists of files, or of directories with kustomizations of their own.
const PATHS: [&str; 9] =
    ["resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"];
/// Lists of entries with a `path`.
const WITH_PATH: [&str; 3] = ["patches", "patchesJson6902", "replacements"];
/// Lists of generators that read files.
const GENERATORS: [&str; 2] = ["configMapGenerator", "secretGenerator"];

/// What a kustomization reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct Inputs {
    /// Files, those that are named and missing included: absolute paths.
    pub(in crate::source) files: BTreeSet<PathBuf>,
    /// Charts: all that is in these directories.
    pub(in crate::source) charts: BTreeSet<PathBuf>,
    /// Directories whose kustomizations include one another in a circle; the first comes again at the end.
    pub(in crate::source) circle: Option<Vec<PathBuf>>,
}

/// Returns what the kustomization in `dir` reads, and those that it is built on.
pub(in crate::source) fn inputs(dir: &Path) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.walk(&normal(dir), &mut Vec::new());
    inputs
}

impl Inputs {
    fn walk(&mut self, dir: &Path, above: &mut Vec<PathBuf>) {
        if let Some(first) = above.iter().position(|known| known == dir) {
            self.circle.get_or_insert_with(|| above[first..].iter().cloned().chain([dir.to_owned()]).collect());
            return;
        }
        let Some(file) = kustomization(dir) else {
            self.files.insert(dir.join(super::FILES[0]));
            return;
        };
        let document = std::fs::read_to_string(&file).ok().and_then(|text| yaml::read(&text).ok()?.into_iter().next());
        self.files.insert(file);
        let Some(document) = document else { return };
        above.push(dir.to_owned());
        self.read(dir, &document.value, above);
        above.pop();
    }

    fn read(&mut self, dir: &Path, kustomization: &Value, above: &mut Vec<PathBuf>) {
        let entries = |field: &str| kustomization[field].as_array().into_iter().flatten();
        for path in PATHS.iter().flat_map(|field| entries(field)).filter_map(Value::as_str) {
            self.include(dir, path, above);
        }
        for entry in WITH_PATH.iter().flat_map(|field| entries(field)) {
            self.file(dir, &entry["path"]);
        }
        self.file(dir, &kustomization["openapi"]["path"]);
        for generator in GENERATORS.iter().flat_map(|field| entries(field)) {
            self.generator(dir, generator);
        }
        let home = kustomization["helmGlobals"]["chartHome"].as_str().unwrap_or("charts");
        for chart in entries("helmCharts").chain(entries("helmChartInflationGenerator")) {
            self.chart(dir, home, chart);
        }
    }

    /// Takes in an entry that may be a file, a directory, a document of its own, or a place elsewhere.
    fn include(&mut self, dir: &Path, entry: &str, above: &mut Vec<PathBuf>) {
        // A document that stands in the list itself has lines; a name has none.
        if entry.contains('\n') {
            return;
        }
        let path = normal(&dir.join(entry));
        if path.is_dir() {
            self.walk(&path, above);
        } else if path.exists() || !is_elsewhere(entry) {
            self.files.insert(path);
        }
    }

    fn file(&mut self, dir: &Path, path: &Value) {
        if let Some(path) = path.as_str().filter(|path| !path.is_empty() && !is_elsewhere(path)) {
            self.files.insert(normal(&dir.join(path)));
        }
    }

    fn generator(&mut self, dir: &Path, generator: &Value) {
        for entry in generator["files"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // `key=path`, or the path alone.
            let path = entry.split_once('=').map_or(entry, |(_, path)| path);
            self.file(dir, &Value::from(path));
        }
        for env in generator["envs"].as_array().into_iter().flatten().chain([&generator["env"]]) {
            self.file(dir, env);
        }
    }

    fn chart(&mut self, dir: &Path, home: &str, chart: &Value) {
        let home = chart["chartHome"].as_str().unwrap_or(home);
        // One from a repository is unpacked there by Kustomize itself.
        if let Some(name) = chart["name"].as_str().filter(|_| chart["repo"].is_null()) {
            self.charts.insert(normal(&dir.join(home).join(name)));
        }
        self.file(dir, &chart["valuesFile"]);
        for values in chart["additionalValuesFiles"].as_array().into_iter().flatten() {
            self.file(dir, values);
        }
    }
}

/// Returns whether an entry that is no file here names a repository or a URL.
fn is_elsewhere(entry: &str) -> bool {
    let host = entry.split(['/', ':']).next().unwrap_or_default();
    entry.contains("://")
        || entry.contains("?ref=")
        || entry.starts_with("git@")
        || host.contains('.') && !host.starts_with('.') && entry.contains('/')
}
