//! The command lines of helm.
//!
//! Facts: `installArgs` in Skaffold's `pkg/skaffold/deploy/helm/args.go`, `templateArgs` in `pkg/skaffold/render/renderer/helm/args.go`,
//! `generateHelmCommand` in `pkg/skaffold/helm/bin.go`, and helm's own `pkg/cmd`. Values may be secret: arguments are never shown.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cx;
use serde_json::Value;

use super::ChartSource;
use super::HelmError;
use super::HelmSettings;
use super::ResolvedRelease;
use super::release::Package;
use crate::process::Command;
use crate::process::ProcessError;

/// How long helm may take for a release; its own `--timeout` counts for each thing that it waits for.
const RELEASE_LIMIT: Duration = Duration::from_hours(1);
/// How long helm may take for what does not wait for the cluster.
const LIMIT: Duration = Duration::from_mins(5);

/// How a release gets into the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is not there.
    Install,
    /// Only its history is there: `helm uninstall --keep-history`.
    Reinstall,
    /// It is there.
    Upgrade,
}

/// What an install or upgrade is told besides the release.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// Where its chart is, if it is not where the release says.
    pub chart: Option<&'a Path>,
    /// Whether that chart has been rendered already, so that a post-renderer is done with it.
    pub is_rendered: bool,
    /// Flags of this one call.
    pub flags: &'a [&'a str],
}

/// Returns helm's major and minor version.
///
/// # Errors
/// When helm cannot be run, or says something else.
pub async fn version(release: &ResolvedRelease, cx: &Cx) -> Result<(u32, u32), HelmError> {
    let command = Command::new("helm").args(["version", "--template", "{{.Version}}"]).deadline(LIMIT);
    let output = finished(command, "version", release, cx).await?;
    let mut numbers = output.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    Ok((numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()))
}

/// Returns the manifests of a release as helm renders them without a cluster.
///
/// # Errors
/// When helm cannot be run, or the chart does not render.
pub async fn template(release: &ResolvedRelease, settings: &HelmSettings, cx: &Cx) -> Result<String, HelmError> {
    let scratch = Scratch::of(release)?;
    let arguments = template_arguments(release, &scratch);
    let command = helm(settings, &release.spec.flags.global, release.spec.use_helm_secrets, &arguments).deadline(LIMIT);
    finished(command, "template", release, cx).await
}

/// Returns what an install or upgrade would make, as helm's own record has it.
///
/// # Errors
/// When helm cannot be run, the chart does not render, or the cluster refuses it.
pub async fn dry_run(release: &ResolvedRelease, verb: Verb, call: Call<'_>, settings: &HelmSettings, cx: &Cx) -> Result<Value, HelmError> {
    let flags: Vec<&str> = call.flags.iter().copied().chain(["--dry-run=server", "--output", "json"]).collect();
    let output = made(release, verb, Call { flags: &flags, ..call }, settings, cx).await?;
    // Wrappers such as helm-secrets may say something first.
    let json = output.find('{').map_or("", |start| &output[start..]);
    serde_json::Deserializer::from_str(json).into_iter().next().and_then(Result::ok).ok_or_else(|| no_answer(release))
}

/// Installs or upgrades a release.
///
/// # Errors
/// When helm cannot be run, the chart does not render, or the cluster refuses it.
pub async fn run(release: &ResolvedRelease, verb: Verb, call: Call<'_>, settings: &HelmSettings, cx: &Cx) -> Result<(), HelmError> {
    made(release, verb, call, settings, cx).await.map(drop)
}

async fn made(release: &ResolvedRelease, verb: Verb, call: Call<'_>, settings: &HelmSettings, cx: &Cx) -> Result<String, HelmError> {
    let scratch = Scratch::of(release)?;
    let arguments = arguments(release, verb, call, &scratch);
    let command = helm(settings, &release.spec.flags.global, release.spec.use_helm_secrets, &arguments).deadline(RELEASE_LIMIT);
    finished(command, name_of(verb), release, cx).await
}

fn no_answer(release: &ResolvedRelease) -> HelmError {
    HelmError::NoAnswer { release: release.name.clone(), at: Box::new(release.spec.at.clone()) }
}

/// Uninstalls the release of that name, which need not be configured any more.
///
/// # Errors
/// When helm cannot be run, or the cluster refuses it.
pub async fn uninstall(name: &str, namespace: &str, global: &[String], settings: &HelmSettings, cx: &Cx) -> Result<(), HelmError> {
    let command = helm(settings, global, false, ["uninstall", name, "--namespace", namespace]).deadline(RELEASE_LIMIT);
    match command.output(cx).await {
        Ok(_) => Ok(()),
        Err(error) => Err(HelmError::of_process(error, "uninstall", name, None, None)),
    }
}

/// Returns the archive that the chart of a release was packaged into, in `directory`.
///
/// # Errors
/// When helm cannot be run, or the chart is none.
pub async fn package(
    release: &ResolvedRelease,
    chart: &Path,
    directory: &Path,
    settings: &HelmSettings,
    cx: &Cx,
) -> Result<PathBuf, HelmError> {
    let Package { version, app_version } = release.package.clone().unwrap_or_default();
    let mut arguments =
        vec!["package".to_owned(), chart.display().to_string(), "--destination".to_owned(), directory.display().to_string()];
    for (flag, value) in [("--version", version), ("--app-version", app_version)] {
        arguments.extend(value.filter(|value| !value.is_empty()).into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    finished(helm(settings, &release.spec.flags.global, false, &arguments).deadline(LIMIT), "package", release, cx).await?;
    only_entry(directory, release)
}

/// Returns the directory of a remote chart, unpacked into `directory`.
///
/// # Errors
/// When helm cannot be run, or the chart cannot be had.
pub async fn pull(release: &ResolvedRelease, name: &str, directory: &Path, settings: &HelmSettings, cx: &Cx) -> Result<PathBuf, HelmError> {
    let mut arguments = vec!["pull".to_owned(), name.to_owned(), "--untar".to_owned(), "--untardir".to_owned()];
    arguments.push(directory.display().to_string());
    for (flag, value) in [("--version", &release.version), ("--repo", &release.repo)] {
        arguments.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    }
    finished(helm(settings, &release.spec.flags.global, false, &arguments).deadline(LIMIT), "pull", release, cx).await?;
    only_entry(directory, release)
}

/// Returns the directory or archive that helm has put into an empty directory.
fn only_entry(directory: &Path, release: &ResolvedRelease) -> Result<PathBuf, HelmError> {
    let entries = std::fs::read_dir(directory).map_err(|source| HelmError::Io { path: directory.to_owned(), source })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // `helm pull --untar` of some versions leaves the archive beside the directory.
    paths.sort_by_key(|path| !path.is_dir());
    paths.into_iter().next().ok_or_else(|| no_answer(release))
}

fn name_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Install | Verb::Reinstall => "install",
        Verb::Upgrade => "upgrade",
    }
}

fn arguments(release: &ResolvedRelease, verb: Verb, call: Call<'_>, scratch: &Scratch) -> Vec<String> {
    let spec = &release.spec;
    let mut arguments = vec![name_of(verb).to_owned(), release.name.clone()];
    let flags = match verb {
        Verb::Install | Verb::Reinstall => &spec.flags.install,
        Verb::Upgrade => &spec.flags.upgrade,
    };
    arguments.extend(if call.is_rendered { without_post_renderer(flags) } else { flags.clone() });
    if verb == Verb::Reinstall {
        arguments.push("--replace".to_owned());
    }
    arguments.extend(chart(release, call.chart));
    arguments.extend(["--namespace".to_owned(), release.namespace.to_string()]);
    if spec.create_namespace && verb != Verb::Upgrade {
        arguments.push("--create-namespace".to_owned());
    }
    arguments.extend(values(release, scratch));
    if spec.wait {
        arguments.push("--wait".to_owned());
    }
    arguments.extend(call.flags.iter().map(ToString::to_string));
    arguments
}

/// Returns the flags but for `--post-renderer` and `--post-renderer-args`.
fn without_post_renderer(flags: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        if flag == "--post-renderer" || flag == "--post-renderer-args" {
            flags.next();
        } else if !flag.starts_with("--post-renderer") {
            kept.push(flag.clone());
        }
    }
    kept
}

fn template_arguments(release: &ResolvedRelease, scratch: &Scratch) -> Vec<String> {
    let mut arguments = vec!["template".to_owned(), release.name.clone(), "--include-crds".to_owned()];
    arguments.extend(release.spec.flags.template.iter().cloned());
    arguments.extend(chart(release, None));
    arguments.extend(values(release, scratch));
    arguments.extend(["--namespace".to_owned(), release.namespace.to_string()]);
    if release.spec.skip_tests {
        arguments.push("--skip-tests".to_owned());
    }
    arguments
}

/// Returns the chart, with what says which one of a repository it is; one that is given in its stead needs no more.
fn chart(release: &ResolvedRelease, instead: Option<&Path>) -> Vec<String> {
    if let Some(path) = instead {
        return vec![path.display().to_string()];
    }
    let mut arguments = Vec::new();
    if release.package.is_none() {
        arguments.extend(release.version.iter().flat_map(|version| ["--version".to_owned(), version.clone()]));
    }
    arguments.push(match &release.chart {
        ChartSource::Local(chart) => chart.path.display().to_string(),
        ChartSource::Remote(name) => name.clone(),
    });
    arguments.extend(release.repo.iter().flat_map(|repo| ["--repo".to_owned(), repo.clone()]));
    arguments
}

fn values(release: &ResolvedRelease, scratch: &Scratch) -> Vec<String> {
    let mut arguments: Vec<String> = release.values.iter().flat_map(|(flag, text)| [(*flag).to_owned(), text.clone()]).collect();
    arguments.extend(scratch.overrides().into_iter().flat_map(|path| ["-f".to_owned(), path.display().to_string()]));
    arguments
}

/// Files that one call of helm reads, and nobody after it.
struct Scratch(Option<tempfile::TempDir>);

impl Scratch {
    /// Writes the overrides of a release; JSON is YAML.
    fn of(release: &ResolvedRelease) -> Result<Self, HelmError> {
        if release.spec.overrides.is_empty() {
            return Ok(Self(None));
        }
        let failed = |source| HelmError::Io { path: std::env::temp_dir(), source };
        let directory = tempfile::Builder::new().prefix("devloop-helm-").tempdir().map_err(failed)?;
        let text = Value::Object(release.spec.overrides.clone()).to_string();
        std::fs::write(directory.path().join("overrides.yaml"), text).map_err(failed)?;
        Ok(Self(Some(directory)))
    }

    fn overrides(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|directory| directory.path().join("overrides.yaml"))
    }
}

/// Returns a call of helm, through helm-secrets if `secrets`.
pub(super) fn helm<A: AsRef<str>>(
    settings: &HelmSettings,
    global: &[String],
    secrets: bool,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new("helm");
    if secrets {
        command = command.arg("secrets");
    }
    if let Some(context) = &settings.context {
        command = command.args(["--kube-context", context]);
    }
    command = arguments.into_iter().fold(command, |command, argument| command.arg(argument.as_ref())).args(global);
    if let Some(path) = &settings.kubeconfig {
        command = command.arg("--kubeconfig").arg(path);
    }
    command
}

/// Returns what helm wrote, once it is done.
pub(super) async fn finished(command: Command, verb: &'static str, release: &ResolvedRelease, cx: &Cx) -> Result<String, HelmError> {
    match command.output(cx).await {
        Ok(output) => {
            for line in String::from_utf8_lossy(&output.stderr).lines().filter(|line| !line.trim().is_empty()) {
                cx.log(devloop_model::Stream::Stderr, format!("helm {verb} {}: {line}", release.name));
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(ProcessError::Cancelled) => Err(HelmError::Cancelled),
        Err(error) => {
            let chart = match &release.chart {
                ChartSource::Local(chart) => Some(chart.path.as_path()),
                ChartSource::Remote(_) => None,
            };
            Err(HelmError::of_process(error, verb, &release.name, chart, Some(&release.spec.at)))
        }
    }
}
