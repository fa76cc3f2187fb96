//! What releases are to be: resolved, with a digest of all that they follow from.

use std::fs;
use std::path::PathBuf;

use devloop_clients::helm;
use devloop_clients::helm::ChartSource;
use devloop_clients::helm::HelmError;
use devloop_clients::helm::ResolvedRelease;
use devloop_model::BuiltImage;
use devloop_model::ObjectKey;
use sha2::Digest as _;
use sha2::Sha256;

use super::HelmJob;
use super::Rendering;
use super::key;
use crate::DeployError;

/// A release that is to be there.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) key: ObjectKey,
    pub(super) release: ResolvedRelease,
    /// The same digest is the same release.
    pub(super) digest: String,
    /// Whether its manifests may name an artifact, or are to have labels, so that they have to be changed by us.
    pub(super) needs_changes: bool,
}

/// Returns the releases of the configuration with their templates expanded.
pub(super) fn resolved(job: &HelmJob, images: &[BuiltImage]) -> Result<Vec<ResolvedRelease>, DeployError> {
    let vars = helm::image_variables(&job.settings.vars, images);
    let resolved = job.deploy.releases.iter().map(|spec| helm::resolve(spec, &job.settings, &vars));
    Ok(resolved.collect::<Result<_, _>>()?)
}

/// Returns what the releases are to be.
pub(super) fn all(job: &HelmJob, rendering: &Rendering, releases: Vec<ResolvedRelease>) -> Result<Vec<Wanted>, DeployError> {
    releases.into_iter().map(|release| Ok(one(release, &rendering.images, job, true)?)).collect()
}

/// Returns a digest of all releases of the job: the same digest is the same releases, so that nothing has to be deployed.
///
/// # Errors
/// When a template fails, or a chart or file is missing.
pub fn fingerprint(job: &HelmJob, images: &[BuiltImage]) -> Result<String, DeployError> {
    let mut hash = Sha256::new();
    for release in resolved(job, images)? {
        let wanted = one(release, images, job, false)?;
        hash.update(format!("{} {:?} {}\n", wanted.key, wanted.key.namespace, wanted.digest));
    }
    Ok(helm::hex(hash))
}

/// `locked` says whether the chart's lock counts; it does not before `helm dependency build`, which may write it.
fn one(release: ResolvedRelease, images: &[BuiltImage], job: &HelmJob, locked: bool) -> Result<Wanted, HelmError> {
    let files = chart_files(&release)?;
    let named = named_images(&release, files.as_deref().unwrap_or_default(), images);
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    match (&release.chart, &files) {
        (ChartSource::Local(chart), Some(files)) => {
            add(&helm::digest(&chart.path, files));
            add(&fs::read_to_string(chart.path.join("Chart.lock")).ok().filter(|_| locked).unwrap_or_default());
        }
        (ChartSource::Local(_), None) => {}
        (ChartSource::Remote(name), _) => add(name),
    }
    for part in [&release.repo, &release.version] {
        add(part.as_deref().unwrap_or_default());
    }
    for (flag, text) in &release.values {
        add(flag);
        // A file is what is in it, wherever the project lies.
        add(&release.files.iter().fold(text.clone(), |text, file| text.replace(&file.display().to_string(), "")));
    }
    for file in &release.files {
        add(&helm::digest(file.parent().unwrap_or(file), [file]));
    }
    add(&serde_json::Value::Object(release.spec.overrides.clone()).to_string());
    add(&format!("{:?} {:?} {:?}", release.package, release.spec.flags, job.labels));
    if job.debugs {
        add("debug");
    }
    for image in &named {
        add(&image.deployed());
    }
    let needs_changes = !named.is_empty() || !job.labels.is_empty() || job.debugs;
    Ok(Wanted { key: key(&release.name, &release.namespace), digest: helm::hex(hash), needs_changes, release })
}

/// Returns the files of a chart on this machine.
fn chart_files(release: &ResolvedRelease) -> Result<Option<Vec<PathBuf>>, HelmError> {
    let ChartSource::Local(chart) = &release.chart else { return Ok(None) };
    chart.metadata()?;
    let files = chart.files(!release.spec.skip_build_dependencies);
    let files = files.map_err(|source| HelmError::Io { path: chart.path.clone(), source })?;
    Ok(Some(files.into_iter().collect()))
}

/// Returns the images whose artifact is named in the chart or the values: where a manifest ends up with such a name, the image
/// has to be put in. Looking at texts finds too many, never too few; only rendering knows.
fn named_images<'i>(release: &ResolvedRelease, files: &[PathBuf], images: &'i [BuiltImage]) -> Vec<&'i BuiltImage> {
    if images.is_empty() {
        return Vec::new();
    }
    let is_text = |path: &&PathBuf| !path.ends_with("Chart.yaml") && path.extension().is_none_or(|extension| extension != "tgz");
    let mut texts: Vec<String> = files.iter().chain(&release.files).filter(is_text).filter_map(read_lossy).collect();
    texts.extend(release.spec.set_values.iter().map(|(_, value)| value.clone()));
    texts.extend(release.spec.set_value_templates.iter().map(|(_, value)| value.source().to_owned()));
    texts.push(serde_json::Value::Object(release.spec.overrides.clone()).to_string());
    images.iter().filter(|image| texts.iter().any(|text| names(text, image.artifact.as_str()))).collect()
}

fn read_lossy(path: &PathBuf) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase())
}

/// Returns whether a text has a name that stands for itself, as an image would: not as a part of another, nor of an address.
fn names(text: &str, name: &str) -> bool {
    let name = name.strip_prefix("ko://").unwrap_or(name).to_lowercase();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    text.match_indices(&name).any(|(at, _)| {
        let before = text[..at].strip_suffix("ko://").unwrap_or(&text[..at]).chars().next_back();
        let mut after = text[at + name.len()..].chars();
        let next = after.next();
        let continues = next.is_some_and(is_part) || next == Some('.') && after.next().is_some_and(|c| c.is_ascii_alphanumeric());
        !before.is_some_and(|c| is_part(c) || c == '.' || c == ':') && !continues
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_part_of_another_is_none() {
        for (text, found) in [
            ("image: team/web\n", true),
            ("image: \"team/web:latest\"", true),
            ("image: ko://team/web", true),
            ("{image: team/web}", true),
            ("repository: Team/Web", false),
            ("image: team/web-api", false),
            ("image: my-team/web", false),
            ("image: other/team/web", false),
            ("url: http://team/web", false),
            ("host: team/web.example.com", false),
            ("Runs team/web.", true),
        ] {
            assert_eq!(names(text, "team/web"), found, "{text}");
        }
    }
}
