//! `manifests.kustomize`: kustomizations, built by Kustomize's own program.

mod inputs;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::process::Command;
use devloop_clients::process::Output;
use devloop_clients::process::ProcessError;
use devloop_model::Cx;
use devloop_model::KustomizePath;
use devloop_model::KustomizeSpec;
use devloop_model::Location;
use devloop_model::Manifest;
use devloop_model::MissingKey;
use devloop_model::RenderSpec;
use devloop_model::Vars;
use futures::future::try_join_all;

use super::objects::objects;
use crate::RenderError;

pub(super) use inputs::Inputs;
pub(super) use inputs::inputs;

/// How long one build may take; it may have to fetch remote bases.
const DEADLINE: Duration = Duration::from_mins(5);
/// What the file of a kustomization is called; Kustomize wants exactly one of them.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Returns the objects of each kustomization of a module, in the order of its paths.
///
/// # Errors
/// When a path leads to no kustomization, Kustomize is not installed or fails, or what it prints is no manifests.
pub(crate) async fn kustomize(module: &RenderSpec, vars: &Vars, cx: &Cx) -> Result<Vec<Manifest>, RenderError> {
    let Some(spec) = &module.kustomize else { return Ok(Vec::new()) };
    let built = try_join_all(spec.paths.iter().map(|path| build(&module.dir, spec, path, vars, cx))).await?;
    Ok(built.into_iter().flatten().collect())
}

/// Returns the path that an entry names: absolute, or a URL.
pub(super) fn address(dir: &Path, path: &KustomizePath, vars: &Vars) -> Result<String, RenderError> {
    let text = path.path.render(vars, MissingKey::NoValue).map_err(|source| RenderError::Template {
        field: "manifests.kustomize.paths",
        pattern: path.path.source().to_owned(),
        at: path.at.clone().map(Box::new),
        source,
    })?;
    Ok(if is_url(&text) { text } else { dir.join(text).display().to_string() })
}

/// Returns whether a path is a URL, which Kustomize fetches.
fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Returns the file of the kustomization in a directory.
fn kustomization(dir: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| dir.join(name)).find(|file| file.is_file())
}

async fn build(dir: &Path, spec: &KustomizeSpec, path: &KustomizePath, vars: &Vars, cx: &Cx) -> Result<Vec<Manifest>, RenderError> {
    let address = address(dir, path, vars)?;
    let at = || path.at.clone().map(Box::new);
    if !is_url(&address) && kustomization(Path::new(&address)).is_none() {
        let exists = Path::new(&address).is_dir();
        return Err(RenderError::NoKustomization { path: shown(dir, Path::new(&address)), exists, at: at() });
    }
    let output = run(&address, &spec.build_args, cx).await.map_err(|error| match error {
        Fault::NotInstalled => RenderError::NoKustomize,
        Fault::Failed(ProcessError::Cancelled) => RenderError::Cancelled(devloop_model::Cancelled),
        Fault::Failed(source) => explained(dir, &address, source, at()),
    })?;
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        cx.log(devloop_model::Stream::Stderr, line);
    }
    let source = format!("kustomize build {}", shown(dir, Path::new(&address)).display());
    let found = objects(&String::from_utf8_lossy(&output.stdout), Path::new(&source))?;
    found.warnings.into_iter().for_each(|warning| cx.warn(warning));
    Ok(found.manifests)
}

/// Returns why Kustomize failed, in fewer words than its own where its inputs tell.
fn explained(dir: &Path, address: &str, source: ProcessError, at: Option<Box<Location>>) -> RenderError {
    let found = inputs(Path::new(address));
    if let Some(circle) = found.circle {
        return RenderError::KustomizeCircle { circle: circle.iter().map(|step| shown(dir, step)).collect(), at };
    }
    let missing = found.files.iter().filter(|file| !file.exists() && !is_url(address)).map(|file| shown(dir, file)).collect();
    RenderError::Kustomize { address: shown(dir, Path::new(address)).display().to_string(), missing, at, source }
}

/// Returns a path as the user would name it.
fn shown(dir: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(dir).unwrap_or(path).to_owned()
}

enum Fault {
    NotInstalled,
    Failed(ProcessError),
}

/// Returns what Kustomize printed: its own program, else the one in kubectl.
async fn run(address: &str, build_args: &[String], cx: &Cx) -> Result<Output, Fault> {
    // An entry may hold several arguments (Skaffold's `pkg/skaffold/render/renderer/kustomize/kustomize.go`).
    let more: Vec<&str> = build_args.iter().flat_map(|argument| argument.split_whitespace()).collect();
    for words in [["kustomize", "build"], ["kubectl", "kustomize"]] {
        let command = Command::new(words[0]).arg(words[1]).args(&more).arg(address).deadline(DEADLINE);
        match command.output(cx).await {
            Err(ProcessError::NotFound { .. }) => {}
            other => return other.map_err(Fault::Failed),
        }
    }
    Err(Fault::NotInstalled)
}

#[cfg(test)]
mod tests;
