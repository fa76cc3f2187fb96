//! `manifests.rawYaml`: paths, patterns and URLs.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::http;
use devloop_model::Cx;
use devloop_model::Manifest;
use devloop_model::MissingKey;
use devloop_model::RawManifests;
use devloop_model::RenderSpec;
use devloop_model::Vars;

use super::glob;
use super::glob::Found;
use super::glob::GlobError;
use super::objects::Objects;
use super::objects::objects;
use crate::RenderError;

/// How long one download may take.
const DOWNLOAD_DEADLINE: Duration = Duration::from_mins(1);
/// How large one download may be; the largest published manifests are below 10 MB.
const LARGEST_DOWNLOAD: usize = 64 << 20;

/// Returns the objects of `manifests.rawYaml`, in the order of its entries; a file counts once.
///
/// # Errors
/// When an entry leads nowhere, cannot be read, or holds something else than Kubernetes objects.
pub(crate) async fn raw(module: &RenderSpec, vars: &Vars, cx: &Cx) -> Result<Vec<Manifest>, RenderError> {
    let mut manifests = Vec::new();
    let mut seen = HashSet::new();
    for entry in &module.raw_yaml {
        let address = address(entry, vars)?;
        let found = if address.starts_with("http://") || address.starts_with("https://") {
            download(&address, entry, cx).await?
        } else if address.contains("://") {
            return Err(RenderError::Address { address, at: at(entry) });
        } else {
            let (dir, owned) = (module.dir.clone(), entry.clone());
            let files = cx.unless_cancelled(blocking(move || files(&dir, &address, &owned))).await??;
            let files: Vec<PathBuf> = files.into_iter().filter(|file| seen.insert(file.clone())).collect();
            let dir = module.dir.clone();
            cx.unless_cancelled(blocking(move || read_all(&dir, &files))).await??
        };
        found.warnings.into_iter().for_each(|warning| cx.warn(warning));
        manifests.extend(found.manifests);
    }
    Ok(manifests)
}

/// Succeeds where every path and pattern of `module` leads to a file.
pub(super) fn is_there(module: &RenderSpec, vars: &Vars) -> Result<(), RenderError> {
    for entry in &module.raw_yaml {
        let address = address(entry, vars)?;
        if !address.contains("://") {
            files(&module.dir, &address, entry)?;
        }
    }
    Ok(())
}

fn at(entry: &RawManifests) -> Option<Box<devloop_model::Location>> {
    entry.at.clone().map(Box::new)
}

fn address(entry: &RawManifests, vars: &Vars) -> Result<String, RenderError> {
    entry.pattern.render(vars, MissingKey::NoValue).map_err(|source| RenderError::Template {
        field: "manifests.rawYaml",
        pattern: entry.pattern.source().to_owned(),
        at: at(entry),
        source,
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn files(dir: &Path, address: &str, entry: &RawManifests) -> Result<Vec<PathBuf>, RenderError> {
    match glob::expand(dir, address) {
        Ok(Found::Files(files)) => Ok(files),
        Ok(Found::NoMatch | Found::NoSuchPath) if entry.may_match_nothing => Ok(Vec::new()),
        // What is deployed would be pruned (Skaffold's `pkg/skaffold/schema/validation/validation.go`).
        Ok(Found::NoMatch) => Err(RenderError::NoMatch { pattern: address.to_owned(), dir: dir.to_owned(), at: at(entry) }),
        Ok(Found::NoSuchPath) => Err(RenderError::Missing { path: address.to_owned(), dir: dir.to_owned(), at: at(entry) }),
        Err(GlobError::Pattern(why)) => Err(RenderError::Pattern { pattern: address.to_owned(), why, at: at(entry) }),
        Err(GlobError::Io(path, source)) => Err(RenderError::Read { path, source }),
    }
}

fn read_all(dir: &Path, files: &[PathBuf]) -> Result<Objects, RenderError> {
    let mut all = Objects::default();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|source| RenderError::Read { path: file.clone(), source })?;
        let found = objects(&text, file.strip_prefix(dir).unwrap_or(file))?;
        all.manifests.extend(found.manifests);
        all.warnings.extend(found.warnings);
    }
    Ok(all)
}

async fn download(url: &str, entry: &RawManifests, cx: &Cx) -> Result<Objects, RenderError> {
    let fault = |source| RenderError::Fetch { url: url.to_owned(), at: at(entry), source };
    let bytes = http::fetch(url, http::Limits { deadline: DOWNLOAD_DEADLINE, size: LARGEST_DOWNLOAD }, cx).await.map_err(fault)?;
    objects(&String::from_utf8_lossy(&bytes), Path::new(url))
}
