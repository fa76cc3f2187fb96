//! The files that manifests come from, and where more of them would appear.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::helm;
use devloop_clients::helm::HelmSettings;
use devloop_model::HelmRelease;
use devloop_model::MissingKey;
use devloop_model::normal_path;

use super::glob;
use super::glob::Found;
use super::kustomize;
use crate::RenderJob;

/// The files that manifests come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files that are read now, or that are named and missing.
    pub files: BTreeSet<PathBuf>,
    /// Directories in which a manifest that appears is read as well.
    pub directories: BTreeSet<PathBuf>,
    /// Directories in which every file that appears is read as well, but for what begins with one of these names.
    pub whole: BTreeMap<PathBuf, &'static [&'static str]>,
}

/// What `helm dependency build` writes into a chart.
const WRITTEN_BY_HELM: [&str; 3] = ["Chart.lock", "charts", "tmpcharts"];

impl Sources {
    /// Returns whether a change of `path` may change what is rendered.
    pub fn contains(&self, path: &Path) -> bool {
        self.files.contains(path)
            || path.parent().and_then(|parent| self.whole.get(parent)).is_some_and(|ignored| !begins_with(path, ignored))
            || (glob::is_manifest(path) || self.directories.contains(path))
                && path.parent().is_some_and(|parent| self.directories.contains(parent))
    }
}

/// What was in files when they were last read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents(BTreeMap<PathBuf, blake3::Hash>);

impl Contents {
    /// Returns whether a file has what it had: one that was written with the same content is no news.
    pub fn still_have(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(|known| hash(path).as_ref() == Some(known))
    }
}

impl Sources {
    /// Returns what is in the files now.
    pub fn contents(&self) -> Contents {
        Contents(self.files.iter().filter_map(|file| Some((file.clone(), hash(file)?))).collect())
    }
}

fn hash(path: &Path) -> Option<blake3::Hash> {
    std::fs::read(path).ok().map(|bytes| blake3::hash(&bytes))
}

/// Returns the files that the manifests of `job` come from, and those of releases that helm deploys; entries that lead nowhere are
/// told when they are rendered.
pub fn sources<'r>(job: &'r RenderJob, deployed: impl IntoIterator<Item = &'r HelmRelease>) -> Sources {
    let mut sources = Sources::default();
    for module in &job.modules {
        for entry in &module.raw_yaml {
            let Ok(address) = entry.pattern.render(&job.vars, MissingKey::NoValue) else { continue };
            if !address.contains("://") {
                sources.add(&module.dir, &address);
            }
        }
        for path in module.kustomize.iter().flat_map(|spec| &spec.paths) {
            if let Ok(address) = kustomize::address(&module.dir, path, &job.vars) {
                sources.add_kustomization(Path::new(&address));
            }
        }
    }
    for release in job.modules.iter().flat_map(|module| &module.helm).chain(deployed) {
        sources.add_release(release, &job.helm);
    }
    sources
}

fn begins_with(path: &Path, names: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    names.iter().any(|begin| name.starts_with(begin))
}

impl Sources {
    /// Adds the chart and the files of a release.
    fn add_release(&mut self, release: &HelmRelease, settings: &HelmSettings) {
        let (chart, files) = helm::paths(release, settings);
        self.files.extend(files);
        let Some(chart) = chart else { return };
        let builds = !release.skip_build_dependencies && chart.metadata().is_ok_and(|metadata| !metadata.dependencies.is_empty());
        let found = chart.files(!release.skip_build_dependencies).unwrap_or_default();
        let directories = found.iter().filter_map(|file| file.parent()).map(normal);
        self.whole.extend(directories.filter(|directory| *directory != chart.path).map(|directory| (directory, &[] as &[&str])));
        if chart.path.is_dir() {
            self.whole.insert(chart.path.clone(), if builds { &WRITTEN_BY_HELM } else { &[] });
        }
        self.files.extend(found.iter().map(|file| normal(file)));
        self.files.insert(if chart.path.is_dir() { chart.path.join("Chart.yaml") } else { chart.path });
    }

    fn add(&mut self, dir: &Path, address: &str) {
        match glob::expand(dir, address) {
            Ok(Found::Files(files)) => {
                let path = dir.join(address);
                if path.is_file() {
                    self.files.insert(normal(&path));
                    return;
                }
                self.directories.insert(normal(&glob::fixed_prefix(dir, address)));
                for file in files {
                    self.directories.extend(file.parent().map(normal));
                    self.files.insert(normal(&file));
                }
            }
            Ok(Found::NoMatch) => {
                let prefix = normal(&glob::fixed_prefix(dir, address));
                // A directory that is not there is waited for by its name.
                if prefix.is_dir() {
                    self.directories.insert(prefix)
                } else {
                    self.files.insert(prefix)
                };
            }
            Ok(Found::NoSuchPath) | Err(_) => drop(self.files.insert(normal(&dir.join(address)))),
        }
    }
}

impl Sources {
    fn add_kustomization(&mut self, dir: &Path) {
        let kustomize::Inputs { files, charts, .. } = kustomize::inputs(dir);
        self.files.extend(files);
        for chart in charts {
            self.add_tree(&chart);
        }
    }

    /// Adds all files below a directory, whatever they are called.
    fn add_tree(&mut self, dir: &Path) {
        self.directories.insert(dir.to_owned());
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add_tree(&entry.path()),
                _ => drop(self.files.insert(entry.path())),
            }
        }
    }
}

/// Returns an absolute path without `.` and `..`, as file events name it.
pub(super) fn normal(path: &Path) -> PathBuf {
    normal_path(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use devloop_model::HelmChart;
    use devloop_model::HelmFile;
    use devloop_model::Location;
    use devloop_model::RawManifests;
    use devloop_model::RenderSpec;
    use devloop_model::Template;

    use super::*;

    #[test]
    fn files_and_where_more_would_appear() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["k8s/a.yaml", "k8s/notes.txt", "all/sub/b.yaml", "one.yaml"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let entry = |pattern: &str| RawManifests { pattern: Template::parse(pattern).unwrap(), may_match_nothing: false, at: None };
        let raw_yaml = ["k8s/*.yaml", "all", "./one.yaml", "later/*.yml", "gone.yaml", "https://example.com/x.yaml"].map(entry).to_vec();
        let module = RenderSpec { dir: dir.path().to_owned(), raw_yaml, ..RenderSpec::default() };
        let found = sources(&RenderJob { modules: vec![module], ..RenderJob::default() }, []);
        for (path, wanted) in [
            ("k8s/a.yaml", true),
            ("k8s/new.yaml", true),
            ("k8s/notes.txt", false),
            ("all/sub/b.yaml", true),
            ("all/sub/new.yml", true),
            ("one.yaml", true),
            ("two.yaml", false),
            ("gone.yaml", true),
        ] {
            assert_eq!(found.contains(&dir.path().join(path)), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_written_again_with_the_same_content_is_no_news() {
        let dir = tempfile::tempdir().unwrap();
        let [kept, changed, gone, new] = ["kept", "changed", "gone", "new"].map(|name| dir.path().join(name));
        for path in [&kept, &changed, &gone] {
            std::fs::write(path, "a").unwrap();
        }
        let files = BTreeSet::from([kept.clone(), changed.clone(), gone.clone(), new.clone()]);
        let contents = Sources { files, ..Sources::default() }.contents();
        std::fs::write(&kept, "a").unwrap();
        std::fs::write(&changed, "b").unwrap();
        std::fs::write(&new, "a").unwrap();
        std::fs::remove_file(&gone).unwrap();
        assert_eq!([&kept, &changed, &gone, &new].map(|path| contents.still_have(path)), [true, false, false, false]);
        assert!(!contents.still_have(dir.path()), "a directory may hold anything");
    }

    fn release(dir: &Path) -> HelmRelease {
        let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None };
        let file = |path: &str| HelmFile { path: Template::parse(path).unwrap(), dir: dir.to_owned(), at: at.clone() };
        HelmRelease {
            values_files: vec![file("values.yaml"), file("https://example.com/values.yaml")],
            set_files: vec![("script".into(), file("run.sh"))],
            ..HelmRelease::new(Template::parse("web").unwrap(), HelmChart::Local(file("chart")), at)
        }
    }

    #[test]
    fn a_chart_counts_but_for_what_helm_writes_into_it() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("chart/Chart.yaml", "name: web\ndependencies: [{name: common, repository: 'file://../common'}]\n"),
            ("chart/Chart.lock", ""),
            ("chart/templates/a.yaml", ""),
            ("chart/charts/common-1.0.0.tgz", ""),
            ("chart/charts/own/Chart.yaml", ""),
            ("common/templates/_a.tpl", ""),
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let job = RenderJob::default();
        let release = release(dir.path());
        let found = sources(&job, [&release]);
        for (path, wanted) in [
            ("chart/Chart.yaml", true),
            ("chart/templates/a.yaml", true),
            ("chart/templates/new.tpl", true),
            ("chart/README.md", true),
            ("chart/charts/own/values.yaml", true),
            ("common/templates/_a.tpl", true),
            ("values.yaml", true),
            ("run.sh", true),
            ("chart/Chart.lock", false),
            ("chart/charts/common-1.0.0.tgz", false),
            ("chart/charts", false),
            ("chart/tmpcharts-123", false),
            ("other.yaml", false),
        ] {
            assert_eq!(found.contains(&dir.path().join(path)), wanted, "{path}");
        }
    }
}
