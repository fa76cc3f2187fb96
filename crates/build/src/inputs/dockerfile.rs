//! What a Dockerfile copies from its context.

pub(crate) mod outline;
pub(crate) mod parse;
pub(crate) mod ports;
pub(crate) mod stages;
pub(crate) mod sync_map;
mod words;

use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Artifact;
use devloop_model::Diagnostic;
use devloop_model::Location;

use self::parse::Dockerfile;
use self::stages::Evaluation;
use self::stages::Reach;
use self::stages::Sources;
use super::dockerignore::IgnorePatterns;
use super::glob;
use super::walk;
use super::walk::Listed;
use super::walk::Stat;
use crate::BuildError;

/// A Dockerfile that was read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// Its path relative to the context.
    pub(crate) relative: String,
    /// Its text.
    pub(crate) text: String,
    /// What is in it.
    pub(crate) file: Dockerfile,
}

/// What a build by a Dockerfile reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DockerFiles {
    /// The files, the Dockerfile among them.
    pub(crate) files: Vec<Listed>,
    /// Whether COPY sees the Dockerfile too.
    pub(crate) dockerfile_is_copied: bool,
}

/// Returns the Dockerfile of `artifact`: below its context, else below `working_dir`, which is where
/// several artifacts share one (Skaffold's `NormalizeDockerfilePath`).
///
/// # Errors
/// When there is none, or it does not parse.
pub(crate) fn read(artifact: &Artifact, dockerfile: &Path, working_dir: &Path) -> Result<Read, BuildError> {
    let beside = artifact.context.join(dockerfile);
    let path = [beside.clone(), working_dir.join(dockerfile)].into_iter().find(|path| path.exists()).unwrap_or(beside);
    let text = fs::read_to_string(&path).map_err(|error| {
        Diagnostic::error("build/no-dockerfile", format!("the Dockerfile of `{}` cannot be read: `{}`", artifact.image, path.display()))
            .at(artifact.at.clone())
            .because(error.to_string())
            .help("set `docker.dockerfile` to its path, relative to `context`")
    })?;
    let file = Dockerfile::parse(&text).map_err(|error| {
        let at = location(&path, working_dir, &text, error.line, &error.word);
        Diagnostic::error("build/dockerfile", format!("the Dockerfile of `{}` is not valid: {}", artifact.image, error.why)).at(at)
    })?;
    Ok(Read { relative: relative(&artifact.context, &path), path, text, file })
}

/// Returns the files that the builder is given, or those that Skaffold's `inputDigest` counts.
///
/// # Errors
/// When an instruction copies what does not exist, or the ignore file is malformed.
pub(crate) fn list(
    artifact: &Artifact,
    read: &Read,
    evaluation: &Evaluation<'_>,
    reach: Reach,
    working_dir: &Path,
) -> Result<DockerFiles, BuildError> {
    if let (Reach::Target, Some(target)) = (reach, evaluation.target)
        && !stages::has_target(&read.file, evaluation, target)
    {
        return Err(Diagnostic::error(
            "build/no-stage",
            format!("`{}` has no stage called `{target}`", shown(&read.path, working_dir).display()),
        )
        .at(artifact.at.clone())
        .help("set `docker.target` to the name behind an `AS`")
        .into());
    }
    let mut starts = Vec::new();
    for sources in stages::sources(&read.file, evaluation, reach) {
        let found = existing(&artifact.context, &sources);
        if found.is_empty() && reach == Reach::Target {
            return Err(missing(artifact, read, &sources, working_dir));
        }
        starts.extend(found);
    }
    let ignore = ignore_patterns(artifact, read, working_dir)?;
    let mut files = walk::walk(&artifact.context, &starts, &ignore)?;
    let own = files.binary_search_by(|listed| (*listed.path).cmp(&read.relative));
    if let Err(at) = own
        && let Some(stat) = read.path.symlink_metadata().ok().as_ref().and_then(Stat::of)
    {
        files.insert(at, Listed { path: read.relative.as_str().into(), stat });
    }
    Ok(DockerFiles { files, dockerfile_is_copied: own.is_ok() })
}

/// The line of an instruction, what it names, and the files that it reads.
pub(crate) type ByLine = (usize, Vec<String>, Vec<Listed>);

/// Returns what each COPY and ADD of the Dockerfile reads.
///
/// # Errors
/// When the ignore file is malformed, or a directory cannot be read.
pub(crate) fn list_by_line(
    artifact: &Artifact,
    read: &Read,
    evaluation: &Evaluation<'_>,
    working_dir: &Path,
) -> Result<Vec<ByLine>, BuildError> {
    let ignore = ignore_patterns(artifact, read, working_dir)?;
    let mut found = Vec::new();
    for sources in stages::sources(&read.file, evaluation, Reach::Everything) {
        let files = walk::walk(&artifact.context, &existing(&artifact.context, &sources), &ignore)?;
        // A trigger of a base image has no line here.
        found.extend(sources.line.map(|line| (line, sources.patterns, files)));
    }
    Ok(found)
}

/// A path that exists is taken as it is; else it is a pattern. Nothing is above the context.
fn existing(context: &Path, sources: &Sources) -> Vec<PathBuf> {
    let inside = |pattern: &str| {
        let mut path = PathBuf::new();
        for component in Path::new(pattern).components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => drop(path.pop()),
                _ => {}
            }
        }
        path
    };
    let mut found = Vec::new();
    for pattern in &sources.patterns {
        let path = inside(pattern);
        if context.join(&path).symlink_metadata().is_ok() {
            found.push(path);
        } else {
            found.extend(glob::expand(context, &path.to_string_lossy()).unwrap_or_default());
        }
    }
    found
}

fn missing(artifact: &Artifact, read: &Read, sources: &Sources, working_dir: &Path) -> BuildError {
    let wanted = sources.patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", ");
    let diagnostic = Diagnostic::error(
        "build/nothing-to-copy",
        format!("the Dockerfile of `{}` copies {wanted}, which is not in the build context", artifact.image),
    )
    .because(format!("looked in {}", artifact.context.display()));
    match sources.line {
        Some(line) => diagnostic.at(location(&read.path, working_dir, &read.text, line, "")).into(),
        None => diagnostic.because("the instruction is an ONBUILD trigger of the base image").at(artifact.at.clone()).into(),
    }
}

/// `<Dockerfile>.dockerignore`, else `.dockerignore` of the context.
fn ignore_patterns(artifact: &Artifact, read: &Read, working_dir: &Path) -> Result<IgnorePatterns, BuildError> {
    let mut beside = read.path.clone().into_os_string();
    beside.push(".dockerignore");
    for path in [PathBuf::from(beside), artifact.context.join(".dockerignore")] {
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(BuildError::Read { path, source }),
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                return IgnorePatterns::parse(&text).map_err(|error| {
                    let at = location(&path, working_dir, &text, error.line, error.text.trim());
                    Diagnostic::error(
                        "build/dockerignore",
                        format!("a pattern of `{}` is not valid: {}", shown(&path, working_dir).display(), error.why),
                    )
                    .at(at)
                    .into()
                });
            }
        }
    }
    Ok(IgnorePatterns::default())
}

fn shown<'a>(path: &'a Path, working_dir: &Path) -> &'a Path {
    path.strip_prefix(working_dir).unwrap_or(path)
}

fn location(path: &Path, working_dir: &Path, text: &str, line: usize, word: &str) -> Location {
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let lower = content.to_lowercase();
    let (start, width) = match lower.find(&word.to_lowercase()) {
        Some(at) if !word.is_empty() && content.is_char_boundary(at) => (content[..at].chars().count(), word.chars().count()),
        _ => (content.chars().take_while(|c| c.is_whitespace()).count(), content.trim().chars().count()),
    };
    Location {
        file: shown(path, working_dir).to_owned(),
        line,
        column: start + 1,
        text: content.to_owned(),
        width: width.max(1),
        label: None,
    }
}

/// Returns the path from the directory `from` to `to`, both absolute, as Go's `filepath.Rel`.
pub(crate) fn relative(from: &Path, to: &Path) -> String {
    let (mut from, mut to) = (from.components().peekable(), to.components().peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    let up = from.map(|_| Component::ParentDir);
    up.chain(to).collect::<PathBuf>().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
