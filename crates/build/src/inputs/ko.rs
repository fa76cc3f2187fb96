//! The inputs of a Go program, exactly: what `go list` names, remembered while nothing that it depends on changed.

mod go_files;
mod go_list;
pub(super) mod shape;

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::KoBuild;
use devloop_model::Platform;
use serde::Deserialize;
use serde::Serialize;

pub(crate) use go_files::module_path;
pub(crate) use go_files::nearest;

use super::memory;
use crate::BuildError;
use crate::builder::ko::Settings;
use crate::builder::ko::kodata;
use crate::platforms;

/// A Go program, as `go list` sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The import path of its main package.
    pub(crate) import_path: String,
    /// The directory of its main package.
    pub(crate) dir: PathBuf,
    /// Every file that the build reads and that does not come from a module cache, sorted.
    pub(crate) files: Vec<PathBuf>,
}

/// Returns the absolute paths of all files whose change makes the image of `artifact` stale, but
/// for those that `ko.dependencies` adds.
///
/// # Errors
/// When `.ko.yaml` or a template is wrong, there is no Go, or it finds no program.
pub(crate) async fn list(
    artifact: &Artifact,
    spec: &KoBuild,
    platforms: &[Platform],
    mode: &str,
    cache_dir: &Path,
    cx: &Cx,
) -> Result<Vec<PathBuf>, BuildError> {
    let settings = Settings::resolve(artifact, spec, None, mode, &cx.env)?;
    let host = [platforms::of_go(&cx.env)];
    let platforms = if platforms.is_empty() { &host } else { platforms };
    let mut files = Vec::new();
    for platform in platforms {
        let program = program(&settings, platform, cache_dir, cx).await?;
        files.extend(program.files);
        let root = program.dir.join("kodata");
        for member in
            kodata::members(&root, cx.env.get("KO_DATA_PATH_ALLOWED_ROOT")).map_err(|source| BuildError::Read { path: root, source })?
        {
            files.push(member.path);
            if !member.is_directory {
                files.push(member.source);
            }
        }
    }
    files.extend(settings.config_file.clone());
    files.sort();
    files.dedup();
    Ok(files)
}

/// Returns the program that `settings` build for `platform`, without asking `go` when nothing
/// changed that its answer depends on.
///
/// # Errors
/// When there is no Go, or it finds no program.
pub(crate) async fn program(settings: &Settings, platform: &Platform, cache_dir: &Path, cx: &Cx) -> Result<Program, BuildError> {
    let go = settings.find_go(&cx.env)?;
    let question = go_list::Question::new(settings, platform, &go, cx)?;
    let at = cache_dir.join("go-list").join(format!("{}.json", question.key()));
    if let Some(program) = memory::recall(at.clone()).await {
        return Ok(program);
    }
    let (program, answer) = question.ask(cx).await?;
    if let Some(answer) = answer {
        memory::store(answer, at).await;
    }
    Ok(program)
}
