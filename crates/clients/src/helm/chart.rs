//! Charts on this machine: what they say of themselves, and which files they are made of.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Location;
use flate2::read::GzDecoder;
use serde::Deserialize;
use sha2::Digest as _;
use sha2::Sha256;

use super::HelmError;

/// A chart on this machine: a directory, or an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its absolute path.
    pub path: PathBuf,
    /// Where it stands in skaffold.yaml.
    pub at: Location,
}

/// What of `Chart.yaml` counts here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChartMetadata {
    /// Its name.
    pub name: String,
    /// The charts that it needs.
    pub dependencies: Vec<Dependency>,
}

/// A chart that another needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Where it comes from: `https://…`, `oci://…`, `file://../common`; empty means that it lies in `charts`.
    pub repository: String,
}

impl Chart {
    /// Returns what the chart says of itself.
    ///
    /// # Errors
    /// When there is no chart, or its `Chart.yaml` cannot be read.
    pub fn metadata(&self) -> Result<ChartMetadata, HelmError> {
        let missing = |why: &str| HelmError::NoChart { path: self.path.clone(), why: why.to_owned(), at: Box::new(self.at.clone()) };
        let text = if self.path.is_dir() {
            fs::read_to_string(self.path.join("Chart.yaml")).map_err(|_| missing("the directory has no `Chart.yaml`"))?
        } else if self.path.is_file() {
            chart_yaml_of(&self.path).ok_or_else(|| missing("it is no archive with a `Chart.yaml`"))?
        } else {
            return Err(missing(""));
        };
        serde_saphyr::from_str(&text).map_err(|error| missing(&format!("its `Chart.yaml` cannot be read: {error}")))
    }

    /// Returns the files that the chart is made of, sorted, those of charts beside it that it depends on included. What
    /// `helm dependency build` writes is left out where it is run: it follows from the rest.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn files(&self, builds_dependencies: bool) -> io::Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        if !self.path.is_dir() {
            files.insert(self.path.clone());
            return Ok(files);
        }
        walk(&self.path, &mut files, &mut BTreeSet::new())?;
        let dependencies = self.metadata().map(|metadata| metadata.dependencies).unwrap_or_default();
        if builds_dependencies && !dependencies.is_empty() {
            files.retain(|file| !self.is_written_by_helm(file));
            for path in self.neighbours(&dependencies) {
                walk(&path, &mut files, &mut BTreeSet::new())?;
            }
        }
        Ok(files)
    }

    /// Returns whether `helm dependency build` writes the file.
    fn is_written_by_helm(&self, file: &Path) -> bool {
        let Ok(path) = file.strip_prefix(&self.path) else { return false };
        let archive = path.parent() == Some(Path::new("charts")) && path.extension().is_some_and(|extension| extension == "tgz");
        // Of a chart that has no lock yet, helm writes one; it says no more than the archives.
        archive || path.starts_with("tmpcharts") || path == Path::new("Chart.lock")
    }

    /// Returns the directories of the charts that lie beside this one.
    pub(super) fn neighbours(&self, dependencies: &[Dependency]) -> Vec<PathBuf> {
        let paths = dependencies.iter().filter_map(|dependency| dependency.repository.strip_prefix("file://"));
        paths.map(|path| self.path.join(path)).filter(|path| path.is_dir()).collect()
    }
}

/// Returns a digest of the names, from `root`, and contents of files; one that is gone counts as such.
pub fn digest<'f>(root: &Path, files: impl IntoIterator<Item = &'f PathBuf>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.strip_prefix(root).unwrap_or(file).as_os_str().as_encoded_bytes());
        match fs::read(file) {
            Ok(content) => {
                hash.update([0]);
                hash.update(content.len().to_le_bytes());
                hash.update(content);
            }
            Err(_) => hash.update([1]),
        }
    }
    hex(hash)
}

/// Returns the first half of a hash as text: enough to tell one from another, short enough for the name of a file.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Adds the files below `dir`, but for hidden ones and backups. Links are followed, as helm does, each directory once.
fn walk(dir: &Path, files: &mut BTreeSet<PathBuf>, seen: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !seen.insert(dir.canonicalize()?) {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What `helm create` writes into `.helmignore`: what editors and git keep for themselves.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            walk(&path, files, seen)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// Unpacks an archive into `target`, which becomes the chart itself: the folder at the top of the archive is left out.
///
/// # Errors
/// When it cannot be read, leads elsewhere, or a file cannot be written.
pub fn unpack(archive: &Path, target: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(archive)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path: PathBuf = entry.path()?.components().skip(1).collect();
        let is_within = path.components().all(|component| matches!(component, std::path::Component::Normal(_)));
        if !entry.header().entry_type().is_file() || path.as_os_str().is_empty() || !is_within {
            continue;
        }
        let path = target.join(path);
        path.parent().map(fs::create_dir_all).transpose()?;
        io::copy(&mut entry, &mut fs::File::create(path)?)?;
    }
    Ok(())
}

/// Returns the `Chart.yaml` of an archive, which has one folder at its top.
fn chart_yaml_of(archive: &Path) -> Option<String> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(archive).ok()?));
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path().ok()?.into_owned();
        if path.components().count() == 2 && path.ends_with("Chart.yaml") {
            let mut text = String::new();
            entry.read_to_string(&mut text).ok()?;
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a chart with these files in `dir`.
    pub(in crate::helm) fn chart(dir: &Path, files: &[(&str, &str)]) -> Chart {
        for (path, text) in files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: "chartPath: chart".into(), width: 1, label: None };
        Chart { path: dir.join("chart"), at }
    }

    const FILES: [(&str, &str); 6] = [
        ("chart/Chart.yaml", "name: web\ndependencies:\n- {name: common, version: 1.x.x, repository: 'file://../common'}\n- {name: db}\n"),
        ("chart/Chart.lock", "x"),
        ("chart/charts/common-1.0.0.tgz", "x"),
        ("chart/charts/db/Chart.yaml", "name: db\n"),
        ("chart/templates/a.yaml", "a: b\n"),
        ("common/templates/_x.tpl", "x"),
    ];

    fn names(dir: &Path, files: &BTreeSet<PathBuf>) -> Vec<String> {
        files.iter().map(|file| file.strip_prefix(dir).unwrap_or(file).display().to_string().replace("chart/../", "")).collect()
    }

    #[test]
    fn what_helm_writes_is_no_file_of_a_chart() {
        let dir = tempfile::tempdir().unwrap();
        let chart = chart(dir.path(), &FILES);
        let files = names(dir.path(), &chart.files(true).unwrap());
        assert_eq!(files, ["common/templates/_x.tpl", "chart/Chart.yaml", "chart/charts/db/Chart.yaml", "chart/templates/a.yaml"]);
        assert_eq!(chart.files(false).unwrap().len(), 5);
        assert_eq!(chart.metadata().unwrap().dependencies[1].name, "db");
    }

    #[test]
    fn a_digest_is_that_of_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let chart = chart(dir.path(), &FILES);
        let now = || digest(&chart.path, &chart.files(true).unwrap());
        let before = now();
        fs::write(dir.path().join("chart/charts/common-1.0.0.tgz"), "packed again").unwrap();
        assert_eq!(now(), before);
        fs::write(dir.path().join("common/templates/_x.tpl"), "y").unwrap();
        let other = now();
        assert_ne!(other, before);
        fs::rename(dir.path().join("chart/templates/a.yaml"), dir.path().join("chart/templates/b.yaml")).unwrap();
        assert_ne!(now(), other);
    }

    #[test]
    fn a_chart_that_is_none_is_shown_at_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let shown = |chart: Chart| chart.metadata().unwrap_err().diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR");
        insta::assert_snapshot!(shown(chart(dir.path(), &[])), @r"
        error[helm/no-chart]: there is no chart at `DIR/chart`
         --> skaffold.yaml:1:1
          |
        1 | chartPath: chart
          | ^
        help: paths start from the working directory; those of a required configuration from its own
        ");
        insta::assert_snapshot!(shown(chart(dir.path(), &[("chart/values.yaml", "")])), @r"
        error[helm/no-chart]: there is no chart at `DIR/chart`
         --> skaffold.yaml:1:1
          |
        1 | chartPath: chart
          | ^
          the directory has no `Chart.yaml`
        help: paths start from the working directory; those of a required configuration from its own
        ");
    }
}
