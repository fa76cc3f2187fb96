//! Where Java projects have in containers what their builds make: Jib says it, and compiles what changed before it does.
//! Source: skaffold `pkg/skaffold/build/jib/sync.go`.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::ChangedFile;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::SyncMap;
use devloop_model::SyncMode;
use serde::Deserialize;

use super::listings;
use crate::BuildError;
use crate::BuildOptions;
use crate::builder::jib::Project;
use crate::inputs::dockerfile::relative;

/// The line before an answer.
const MARK: &str = "BEGIN JIB JSON: SYNCMAP/1";
/// The goal, and the task, that answers.
const GOAL: &str = "_skaffold-sync-map";
const TASK: &str = "_jibSkaffoldSyncMap";
/// The oldest Jib that answers.
const MINIMUM: &str = "2.0.0";

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    direct: Vec<Entry>,
    #[serde(default)]
    generated: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    src: PathBuf,
    dest: String,
}

/// What a project had compiled when it was last asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Where the image has its files, by path relative to the context.
    pub map: SyncMap,
    /// When each file was written that the build makes; the others are copied as they are.
    generated: BTreeMap<String, SystemTime>,
}

/// Returns the files to copy into containers for `changed`, with what is compiled by now; none if the change takes a build. Without
/// `before`, containers have what their image has: everything that is compiled is copied.
///
/// # Errors
/// When the project does not compile, or its build does not answer.
pub async fn compile_for_sync(
    artifact: &Artifact,
    changed: &[ChangedFile],
    before: Option<&Compiled>,
    options: &BuildOptions,
    cx: &Cx,
) -> Result<Option<(Compiled, Vec<ChangedFile>)>, BuildError> {
    let is_auto = artifact.sync.as_ref().is_some_and(|sync| sync.mode == SyncMode::Auto);
    let Builder::Jib(spec) = &artifact.builder else { return Ok(None) };
    if !is_auto || changed.iter().any(|file| file.deleted) {
        return Ok(None);
    }
    let project = Project::of(artifact, spec)?;
    let known = listings(&[artifact], &options.cache_dir, cx).await?.remove(&artifact.image).unwrap_or_default();
    let context = &artifact.context;
    let builds: Vec<String> = known.build.iter().map(|path| relative(context, path)).collect();
    if changed.iter().any(|file| builds.iter().any(|build| Path::new(&file.path).starts_with(build))) {
        return Ok(None);
    }
    if let Some(before) = before.filter(|before| changed.iter().all(|file| before.is_direct(&file.path))) {
        return Ok(Some((before.clone(), changed.to_vec())));
    }
    let asked = SystemTime::now();
    let arguments = project.compiling(GOAL, TASK, MINIMUM, true).into_iter().chain(["--quiet".to_owned()]);
    let output = project.output(project.command().args(arguments), "compile", cx).await?;
    let answer = answer(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| no_answer(artifact))?;
    let now = Compiled::of(context, answer)?;
    Ok(now.since(before, changed, asked).map(|files| (now, files)))
}

fn answer(text: &str) -> Option<Answer> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == MARK)?;
    serde_json::from_str(lines.next()?).ok()
}

fn no_answer(artifact: &Artifact) -> BuildError {
    Diagnostic::error("build/sync-not-listed", format!("Jib does not say where the image has the files of `{}`", artifact.image))
        .at(artifact.at.clone())
        .help(format!("`{}` must have the Jib plugin {MINIMUM} or newer", artifact.context.display()))
        .into()
}

impl Compiled {
    fn of(context: &Path, answer: Answer) -> Result<Self, BuildError> {
        let mut compiled = Self::default();
        for Entry { src, .. } in &answer.generated {
            let written = src.metadata().and_then(|found| found.modified());
            let written = written.map_err(|source| BuildError::Read { path: src.clone(), source })?;
            compiled.generated.insert(relative(context, src), written);
        }
        for Entry { src, dest } in answer.direct.into_iter().chain(answer.generated) {
            compiled.map.files.entry(relative(context, &src)).or_default().push(dest);
        }
        Ok(compiled)
    }

    fn is_direct(&self, path: &str) -> bool {
        self.map.files.contains_key(path) && !self.generated.contains_key(path)
    }

    /// Returns what differs from `before`; none if of `changed` there is a file that nothing was compiled from after it was `asked`.
    fn since(&self, before: Option<&Self>, changed: &[ChangedFile], asked: SystemTime) -> Option<Vec<ChangedFile>> {
        let is_new = |path: &str, written: SystemTime| match before {
            Some(before) => before.generated.get(path) != Some(&written),
            None => written >= asked,
        };
        let gone = before.into_iter().flat_map(|before| before.generated.keys()).filter(|path| !self.generated.contains_key(*path));
        let gone: Vec<ChangedFile> = gone.map(|path| ChangedFile { path: path.clone(), deleted: true }).collect();
        let is_compiled = !gone.is_empty() || self.generated.iter().any(|(path, written)| is_new(path, *written));
        let (direct, sources): (Vec<_>, Vec<_>) = changed.iter().partition(|file| self.is_direct(&file.path));
        if !sources.is_empty() && !is_compiled {
            return None;
        }
        let copied = self.generated.iter().filter(|(path, written)| before.is_none() || is_new(path, **written));
        let copied = copied.map(|(path, _)| ChangedFile { path: path.clone(), deleted: false });
        Some(direct.into_iter().cloned().chain(copied).chain(gone).collect())
    }
}

#[cfg(test)]
mod tests;
