//! `helm dependency build`, where something of what a chart needs changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Stream;
use futures::future::try_join_all;

use super::Chart;
use super::ChartSource;
use super::HelmError;
use super::HelmSettings;
use super::ResolvedRelease;
use super::chart::Dependency;
use super::chart::digest;
use super::command;

/// How long the charts that one needs may take to be downloaded.
const LIMIT: Duration = Duration::from_mins(10);

/// Builds the dependencies of every local chart that has some: those that are not there, and those of a chart whose `Chart.yaml`,
/// `Chart.lock` or neighbours changed since. A chart of several releases is done once.
///
/// # Errors
/// When helm cannot be run, or a chart that is needed cannot be had.
pub async fn build_dependencies(releases: &[ResolvedRelease], settings: &HelmSettings, cx: &Cx) -> Result<(), HelmError> {
    let mut charts: BTreeMap<&Path, (&Chart, &ResolvedRelease)> = BTreeMap::new();
    for release in releases.iter().filter(|release| !release.spec.skip_build_dependencies) {
        if let ChartSource::Local(chart) = &release.chart {
            charts.entry(&chart.path).or_insert((chart, release));
        }
    }
    let built = charts.into_values().map(|(chart, release)| build(chart, release, settings, cx));
    try_join_all(built).await.map(drop)
}

async fn build(chart: &Chart, release: &ResolvedRelease, settings: &HelmSettings, cx: &Cx) -> Result<(), HelmError> {
    let dependencies = chart.metadata()?.dependencies;
    if dependencies.is_empty() || !chart.path.is_dir() {
        return Ok(());
    }
    let memory = settings.cache_dir.join("helm").join(digest(&chart.path, [&chart.path]));
    let key = key(chart, &dependencies);
    if is_complete(chart, &dependencies) && fs::read_to_string(&memory).is_ok_and(|known| known == key) {
        return Ok(());
    }
    cx.log(Stream::Stdout, format!("Building dependencies of chart {}", chart.path.display()));
    let arguments = ["dependency".to_owned(), "build".to_owned(), chart.path.display().to_string()];
    let mut command =
        command::helm(settings, &release.spec.flags.global, false, arguments.iter().chain(&release.spec.flags.dependency_build));
    command = command.deadline(LIMIT);
    command::finished(command, "dependency build", release, cx).await?;
    // What cannot be remembered is built again.
    drop(memory.parent().map(fs::create_dir_all));
    drop(fs::write(&memory, self::key(chart, &dependencies)));
    Ok(())
}

/// Returns a digest of what the dependencies follow from.
fn key(chart: &Chart, dependencies: &[Dependency]) -> String {
    let mut files: Vec<PathBuf> = vec![chart.path.join("Chart.yaml"), chart.path.join("Chart.lock")];
    for path in chart.neighbours(dependencies) {
        let neighbour = Chart { path, at: chart.at.clone() };
        files.extend(neighbour.files(false).unwrap_or_default());
    }
    digest(&chart.path, &files)
}

/// Returns whether something of each dependency is there; helm itself says if it is the wrong version.
fn is_complete(chart: &Chart, dependencies: &[Dependency]) -> bool {
    let entries = fs::read_dir(chart.path.join("charts")).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    dependencies.iter().all(|needed| {
        let archive = format!("{}-", needed.name);
        names.iter().any(|name| *name == needed.name || name.starts_with(&archive))
    })
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::chart;
    use super::*;

    #[test]
    fn what_dependencies_follow_from() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("chart/Chart.yaml", "name: web\ndependencies: [{name: common, repository: 'file://../common'}]\n"),
            ("chart/templates/a.yaml", ""),
            ("common/Chart.yaml", "name: common\n"),
        ];
        let chart = chart(dir.path(), &files);
        let dependencies = chart.metadata().unwrap().dependencies;
        let before = key(&chart, &dependencies);
        assert!(!is_complete(&chart, &dependencies));
        for (file, counts) in [
            ("chart/templates/a.yaml", false),
            ("chart/charts/common-1.0.0.tgz", false),
            ("common/values.yaml", true),
            ("chart/Chart.lock", true),
        ] {
            let now = key(&chart, &dependencies);
            fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs::write(dir.path().join(file), "changed").unwrap();
            assert_eq!(key(&chart, &dependencies) != now, counts, "{file}");
        }
        assert!(is_complete(&chart, &dependencies));
        assert_ne!(key(&chart, &dependencies), before);
    }
}
