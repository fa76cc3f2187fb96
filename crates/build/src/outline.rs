//! What the Dockerfile of an artifact says of its sources, for debuggers and editors.

use std::path::PathBuf;

use devloop_model::Artifact;
use devloop_model::Env;
use devloop_model::ImageRef;

use crate::BuildError;
use crate::BuildOptions;
use crate::StageOutline;
use crate::builder;
use crate::inputs;
use crate::inputs::dockerfile;
use crate::inputs::dockerfile::ByLine;
use crate::inputs::dockerfile::Read;
use crate::inputs::dockerfile::stages;
use crate::inputs::dockerfile::stages::Evaluation;
use crate::inputs::onbuild;
use crate::platforms;

/// Returns the stages that the image of `artifact` needs, the one that becomes it last; none where it has no Dockerfile.
///
/// Nobody is asked: of a base image counts what an earlier build learned.
///
/// # Errors
/// When the Dockerfile cannot be read, or a build argument not be rendered.
pub fn outline(artifact: &Artifact, options: &BuildOptions, env: &Env) -> Result<Option<Vec<StageOutline>>, BuildError> {
    evaluated(artifact, options, env, |read, evaluation| Ok(stages::outlines(&read.file, evaluation, &artifact.context)))
}

/// What one COPY or ADD reads of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFiles {
    /// The Dockerfile.
    pub dockerfile: PathBuf,
    /// The line of the instruction.
    pub line: usize,
    /// What it names.
    pub patterns: Vec<String>,
    /// The files that this means, relative to the context.
    pub files: Vec<String>,
}

/// Returns what each COPY and ADD of the Dockerfile of `artifact` reads; nothing where it has no Dockerfile.
///
/// # Errors
/// When the Dockerfile or the context cannot be read, or a build argument not be rendered.
pub fn copied_files(artifact: &Artifact, options: &BuildOptions, env: &Env) -> Result<Vec<CopiedFiles>, BuildError> {
    let found = evaluated(artifact, options, env, |read, evaluation| {
        let listed = dockerfile::list_by_line(artifact, read, evaluation, &options.working_dir)?;
        let copied = |(line, patterns, files): ByLine| CopiedFiles {
            dockerfile: read.path.clone(),
            line,
            patterns,
            files: files.into_iter().map(|file| file.path.to_string()).collect(),
        };
        Ok(listed.into_iter().map(copied).collect())
    })?;
    Ok(found.unwrap_or_default())
}

/// Returns what `ask` finds in the Dockerfile of `artifact`, if it has one.
fn evaluated<T>(
    artifact: &Artifact,
    options: &BuildOptions,
    env: &Env,
    ask: impl FnOnce(&Read, &Evaluation<'_>) -> Result<T, BuildError>,
) -> Result<Option<T>, BuildError> {
    let Some((path, configured)) = inputs::dockerfile_of(artifact) else { return Ok(None) };
    let read = dockerfile::read(artifact, path, &options.working_dir)?;
    let name = ImageRef { name: artifact.image.clone(), tag: None, digest: None };
    let arguments = builder::build_args(configured, &read.text, &name, &[], &options.mode, env)?;
    let platform = platforms::built_for(artifact, options, None, env).swap_remove(0).to_string();
    let target = artifact.builder.dockerfile().and_then(|spec| spec.target.as_deref());
    let bases = onbuild::remembered(&options.cache_dir, options.now);
    let evaluation = Evaluation { arguments: &arguments, platform: &platform, target, bases: &bases };
    ask(&read, &evaluation).map(Some)
}
