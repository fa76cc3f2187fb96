//! The files whose change makes an image stale.

mod bazel;
mod command;
pub(crate) mod context;
pub(crate) mod dockerfile;
mod dockerignore;
pub(crate) mod glob;
pub(crate) mod jib;
pub(crate) mod ko;
mod memory;
pub(crate) mod onbuild;
pub(crate) mod paths;
pub(crate) mod walk;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::ChangedFile;
use devloop_model::CustomDependencies;
use devloop_model::Cx;
use devloop_model::ImageRef;
use devloop_model::KoBuild;
use devloop_model::PathList;
use devloop_model::SyncMap;
use devloop_model::SyncMode;
use devloop_model::SyncSpec;
use devloop_model::Template;
use futures::future::join_all;
use rayon::prelude::*;

use self::dockerfile::stages;
use self::dockerfile::stages::Evaluation;
use self::dockerfile::stages::Reach;
use self::dockerfile::sync_map;
use self::onbuild::Base;
use self::paths::Owner;
use self::walk::Listed;
use self::walk::Stat;
use crate::BuildError;
use crate::BuildOptions;
use crate::builder;
use crate::hash_index::HashIndex;
use crate::platforms;

/// The inputs of one artifact.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The build context; paths of files start from it.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context; none for builders without one.
    pub dockerfile: Option<PathBuf>,
    /// A hash of what the Dockerfile says; none for builders without one.
    pub dockerfile_text: Option<[u8; 32]>,
    /// Whether COPY sees the Dockerfile too: `.dockerignore` may hide it.
    pub dockerfile_is_copied: bool,
    /// The files, sorted by path.
    pub files: Arc<[InputFile]>,
    /// Where the image has its files, for an artifact that infers what to sync.
    pub sync_map: Option<Arc<SyncMap>>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Path relative to the context, with `/`; starts with `..` where the file is outside.
    pub path: Box<str>,
    /// What it is.
    pub kind: InputKind,
    /// Permission bits, as the image gets them.
    pub mode: u32,
    /// BLAKE3 of the content; of the target for a symbolic link, of nothing for a directory.
    pub hash: [u8; 32],
    /// MD5 of path and content, as `inputDigest` counts it.
    pub md5: [u8; 16],
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKind {
    /// A regular file.
    File,
    /// A symbolic link; not followed.
    Symlink,
    /// A directory with nothing in it that counts.
    EmptyDirectory,
}

impl Inputs {
    /// Returns the absolute path of `file`.
    pub fn absolute(&self, file: &InputFile) -> PathBuf {
        self.context.join(&*file.path)
    }

    /// Returns the paths of files that were added, changed or removed on the way from these inputs to `now`, sorted.
    pub fn differences(&self, now: &Self) -> Vec<ChangedFile> {
        let by_path = |inputs: &Self| -> BTreeMap<Box<str>, InputFile> {
            inputs.files.iter().map(|file| (file.path.clone(), file.clone())).collect()
        };
        let (old, new) = (by_path(self), by_path(now));
        let changed = new.iter().filter(|(path, file)| old.get(*path) != Some(*file)).map(|(path, _)| (path.to_string(), false));
        let removed = old.keys().filter(|path| !new.contains_key(*path)).map(|path| (path.to_string(), true));
        let mut files: BTreeMap<String, bool> = changed.chain(removed).collect();
        if self.dockerfile_text != now.dockerfile_text {
            files.extend(now.dockerfile.iter().map(|path| (path.display().to_string(), false)));
        }
        files.into_iter().map(|(path, deleted)| ChangedFile { path, deleted }).collect()
    }

    /// Returns the paths, relative to the context.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| Path::new(&*file.path))
    }
}

/// The inputs of an artifact, and what else was learned on the way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    /// What the builder reads.
    pub(crate) inputs: Inputs,
    /// What Skaffold's `inputDigest` counts, where that is not the same.
    pub(crate) counted: Option<Arc<[InputFile]>>,
    /// The text of the Dockerfile.
    pub(crate) dockerfile: Option<Arc<str>>,
    /// Base images that the build asks the registry for again (`pullParent`).
    pub(crate) pulled_bases: Vec<String>,
}

impl Gathered {
    /// Returns what `inputDigest` counts.
    pub(crate) fn counted(&self) -> &[InputFile] {
        self.counted.as_deref().unwrap_or(&self.inputs.files)
    }
}

/// One artifact on its way to its inputs.
#[derive(Debug)]
struct Draft {
    artifact: Arc<Artifact>,
    /// Name without tag, for build arguments that decide what is copied.
    name: ImageRef,
    read: Option<dockerfile::Read>,
    arguments: BTreeMap<String, String>,
    platform: String,
    /// Paths that a command or `go list` named.
    named: Vec<PathBuf>,
}

/// Returns the inputs of all artifacts, each with the hashes of its files.
///
/// # Errors
/// When inputs cannot be listed or read.
pub(crate) async fn gather(
    artifacts: &[(Arc<Artifact>, ImageRef)],
    options: &BuildOptions,
    index: Arc<HashIndex>,
    clients: &Clients,
    cx: &Cx,
) -> Result<Vec<Gathered>, BuildError> {
    let mut drafts = Vec::with_capacity(artifacts.len());
    for (artifact, name) in artifacts {
        drafts.push(draft(artifact, name, options, cx)?);
    }
    let bases =
        drafts.iter().filter_map(|draft| Some(stages::bases(&draft.read.as_ref()?.file, &draft.evaluation(&HashMap::new())))).flatten();
    let known = onbuild::bases(bases.collect(), &options.cache_dir, options.now, clients, cx);
    let named = join_all(drafts.iter().map(|draft| named(draft, options, cx)));
    let of_jib: Vec<&Artifact> = drafts.iter().map(|draft| &*draft.artifact).collect();
    let (known, named, of_jib) = futures::join!(known, named, jib::list_all(&of_jib, &options.cache_dir, cx));
    let (known, mut of_jib) = (known?, of_jib?);
    for (draft, named) in drafts.iter_mut().zip(named) {
        draft.named = named?;
        draft.named.extend(of_jib.remove(&draft.artifact.image).unwrap_or_default());
    }
    let working_dir = options.working_dir.clone();
    let work = move || -> Result<Vec<Gathered>, BuildError> {
        drafts.into_par_iter().map(|draft| draft.gather(&known, &working_dir, &index)).collect()
    };
    blocking(work).await
}

/// Runs `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

fn draft(artifact: &Arc<Artifact>, name: &ImageRef, options: &BuildOptions, cx: &Cx) -> Result<Draft, BuildError> {
    if !artifact.context.is_dir() {
        return Err(BuildError::NoContext {
            artifact: artifact.image.clone(),
            path: artifact.context.clone(),
            at: Box::new(artifact.at.clone()),
        });
    }
    let platform = platforms::built_for(artifact, options, None, &cx.env).swap_remove(0).to_string();
    let mut draft =
        Draft { artifact: Arc::clone(artifact), name: name.clone(), read: None, arguments: BTreeMap::new(), platform, named: Vec::new() };
    if let Some((path, configured)) = dockerfile_of(artifact) {
        let read = dockerfile::read(artifact, path, &options.working_dir)?;
        draft.arguments = builder::build_args(configured, &read.text, &draft.name, &[], &options.mode, &cx.env)?;
        draft.read = Some(read);
    }
    Ok(draft)
}

/// Returns the Dockerfile and build arguments that decide what `artifact` reads.
pub(crate) fn dockerfile_of(artifact: &Artifact) -> Option<(&Path, &BTreeMap<String, Option<Template>>)> {
    if let Some(spec) = artifact.builder.dockerfile() {
        return Some((&spec.dockerfile, &spec.build_args));
    }
    match &artifact.builder {
        Builder::Custom(spec) => match &spec.dependencies {
            CustomDependencies::Dockerfile { path, build_args } => Some((path, build_args)),
            _ => None,
        },
        _ => None,
    }
}

async fn named(draft: &Draft, options: &BuildOptions, cx: &Cx) -> Result<Vec<PathBuf>, BuildError> {
    let artifact = &draft.artifact;
    match &artifact.builder {
        Builder::Ko(spec) => ko::list(artifact, spec, options.platforms_of(artifact), &options.mode, &options.cache_dir, cx).await,
        Builder::Custom(spec) => match &spec.dependencies {
            CustomDependencies::Command(line) => command::list(artifact, line, cx).await,
            _ => Ok(Vec::new()),
        },
        Builder::Bazel(spec) => bazel::list(artifact, spec, &options.cache_dir, cx).await,
        // Jib is asked once for all of its artifacts.
        Builder::Docker(_) | Builder::Kaniko(_) | Builder::Buildpacks(_) | Builder::Jib(_) => Ok(Vec::new()),
    }
}

impl Draft {
    fn evaluation<'a>(&'a self, bases: &'a HashMap<String, Base>) -> Evaluation<'a> {
        let target = self.artifact.builder.dockerfile().and_then(|spec| spec.target.as_deref());
        Evaluation { arguments: &self.arguments, platform: &self.platform, target, bases }
    }

    fn gather(&self, bases: &HashMap<String, Base>, working_dir: &Path, index: &HashIndex) -> Result<Gathered, BuildError> {
        let context = &self.artifact.context;
        let hashed = |listed: Vec<Listed>| hash(context, listed, index);
        let mut gathered = Gathered { inputs: Inputs { context: context.clone(), ..Inputs::default() }, ..Gathered::default() };
        if let Some(read) = &self.read {
            let evaluation = self.evaluation(bases);
            let found = dockerfile::list(&self.artifact, read, &evaluation, Reach::Target, working_dir)?;
            // Most Dockerfiles read the same either way; their files are looked at once then.
            if stages::sources(&read.file, &evaluation, Reach::Target) != stages::sources(&read.file, &evaluation, Reach::Everything) {
                let counted = dockerfile::list(&self.artifact, read, &evaluation, Reach::Everything, working_dir)?;
                gathered.counted = (counted.files != found.files).then(|| hashed(counted.files)).transpose()?;
            }
            gathered.inputs.dockerfile = Some(PathBuf::from(&read.relative));
            gathered.inputs.dockerfile_text = Some(*blake3::hash(read.text.as_bytes()).as_bytes());
            gathered.inputs.dockerfile_is_copied = found.dockerfile_is_copied;
            gathered.inputs.files = hashed(found.files)?;
            if infers(&self.artifact) {
                let copies = stages::copies(&read.file, &evaluation);
                gathered.inputs.sync_map = Some(Arc::new(sync_map::copy_destinations(&copies, &gathered.inputs)));
            }
            gathered.dockerfile = Some(read.text.as_str().into());
            if matches!(&self.artifact.builder, Builder::Docker(spec) if spec.pull_parent) {
                gathered.pulled_bases = stages::bases(&read.file, &evaluation).into_iter().collect();
            }
            return Ok(gathered);
        }
        match &self.artifact.builder {
            Builder::Ko(spec) => {
                let mut files = existing(context, &self.named);
                if let Some(dependencies) = &spec.dependencies {
                    files.extend(paths::list(&Owner::of(&self.artifact), dependencies)?);
                }
                gathered.inputs.files = hashed(files)?;
                gathered.counted = Some(hashed(counted_by_skaffold(&self.artifact, spec)?)?);
                if infers(&self.artifact) {
                    gathered.inputs.sync_map = Some(Arc::new(sync_map::kodata_destinations(spec, &gathered.inputs)));
                }
            }
            Builder::Custom(spec) => {
                let files = match &spec.dependencies {
                    CustomDependencies::Paths(list) => paths::list(&Owner::of(&self.artifact), list)?,
                    _ => existing(context, &self.named),
                };
                gathered.inputs.files = hashed(files)?;
            }
            Builder::Jib(_) | Builder::Bazel(_) => gathered.inputs.files = hashed(existing(context, &self.named))?,
            Builder::Buildpacks(spec) => gathered.inputs.files = hashed(paths::list(&Owner::of(&self.artifact), &spec.dependencies)?)?,
            Builder::Docker(_) | Builder::Kaniko(_) => {}
        }
        Ok(gathered)
    }
}

fn infers(artifact: &Artifact) -> bool {
    matches!(&artifact.sync, Some(SyncSpec { mode: SyncMode::Infer(_), .. }))
}

/// Without a list, Skaffold counts every Go file below the context, and nothing else.
fn counted_by_skaffold(artifact: &Artifact, spec: &KoBuild) -> Result<Vec<Listed>, BuildError> {
    match &spec.dependencies {
        Some(dependencies) => paths::list(&Owner::of(artifact), dependencies),
        None => paths::list_any(&Owner::of(artifact), &PathList { paths: vec!["**/*.go".to_owned()], ignore: Vec::new() }),
    }
}

/// Paths that somebody else named: what does not exist is left out, a directory counts with all that is in it.
pub(crate) fn existing(context: &Path, named: &[PathBuf]) -> Vec<Listed> {
    let mut found = Vec::with_capacity(named.len());
    for path in named {
        let full = context.join(path);
        let relative = dockerfile::relative(context, &full);
        let Some(stat) = full.symlink_metadata().ok().as_ref().and_then(Stat::of) else { continue };
        found.push(Listed { path: relative.into(), stat });
    }
    found
}

/// Returns what was listed, sorted and each once, with the hash of each file that is still there.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn hash(context: &Path, mut listed: Vec<Listed>, index: &HashIndex) -> Result<Arc<[InputFile]>, BuildError> {
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    listed.dedup_by(|a, b| a.path == b.path);
    let one = |listed: Listed| match index.hash(context, &listed.path, &listed.stat) {
        Ok(Some(hashes)) => {
            let Stat { kind, mode, .. } = listed.stat;
            Some(Ok(InputFile { path: listed.path, kind, mode, hash: hashes.content, md5: hashes.md5 }))
        }
        Ok(None) => None,
        Err(source) => Some(Err(BuildError::Read { path: context.join(&*listed.path), source })),
    };
    let files: Result<Vec<InputFile>, BuildError> = listed.into_par_iter().with_min_len(256).filter_map(one).collect();
    Ok(files?.into())
}
