//! Targets of Bazel that make an archive of an image. Source: skaffold `pkg/skaffold/build/bazel/build.go`.

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::docker::Docker;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_clients::registry::Registry;
use devloop_model::Artifact;
use devloop_model::BazelBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::Platform;
use tokio_util::io::ReaderStream;

use super::timed_push;
use crate::BuildError;
use crate::deliver::Saved;
use crate::inputs::blocking;

/// How much of an archive is sent at a time.
const CHUNK: usize = 256 << 10;

/// What is built, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BazelJob<'a> {
    /// The artifact.
    pub(crate) artifact: &'a Artifact,
    /// Its settings.
    pub(crate) spec: &'a BazelBuild,
    /// The name and tag of the image.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; empty is what Bazel does by itself.
    pub(crate) platforms: &'a [Platform],
}

/// Returns the digest of the image, built and pushed.
///
/// # Errors
/// When the build fails, makes no archive of an image, or the registry does not take it.
pub(crate) async fn push(job: BazelJob<'_>, registry: &Registry, cx: &Cx) -> Result<Digest, BuildError> {
    let archive = job.build(cx).await?;
    let scratch = tempfile::tempdir().map_err(|source| BuildError::Read { path: std::env::temp_dir(), source })?;
    let (file, directory) = (archive.clone(), scratch.path().to_owned());
    let image = blocking(move || Saved::read(std::fs::File::open(&file)?)?.to_push(&directory)).await;
    let image = image.map_err(|error| job.no_image(&archive, &error.to_string()))?;
    Ok(timed_push(&job.artifact.image, Box::pin(registry.push(job.reference, image, cx)), cx).await?)
}

/// Returns the ID of the image, built and loaded into the daemon.
///
/// # Errors
/// When the build fails, makes no archive of an image, or the daemon does not take it.
pub(crate) async fn load(job: BazelJob<'_>, docker: &Docker, cx: &Cx) -> Result<ImageId, BuildError> {
    let archive = job.build(cx).await?;
    let file = archive.clone();
    let names = blocking(move || Ok::<_, std::io::Error>(Saved::read(std::fs::File::open(&file)?)?.names())).await;
    let names = names.map_err(|error| job.no_image(&archive, &error.to_string()))?;
    let stream = tokio::fs::File::open(&archive).await.map_err(|source| BuildError::Read { path: archive.clone(), source })?;
    docker.load(ReaderStream::with_capacity(stream, CHUNK), cx).await?;
    for name in &names {
        if let Some(id) = docker.image_id(name, cx).await? {
            docker.tag(id.as_str(), job.reference, cx).await?;
            return Ok(id);
        }
    }
    Err(job.no_image(&archive, "the container daemon took it, and has no image of its names"))
}

/// Returns what Bazel says to a question about the workspace of `artifact`.
///
/// # Errors
/// When there is no Bazel, or it has no answer.
pub(crate) async fn ask(artifact: &Artifact, arguments: &[&str], cx: &Cx) -> Result<String, BuildError> {
    let output = Command::new("bazel").args(arguments).dir(&artifact.context).output(cx).await;
    let output = output.map_err(|error| failed(artifact, &format!("bazel {}", arguments.first().unwrap_or(&"")), error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failed(artifact: &Artifact, what: &str, error: ProcessError) -> BuildError {
    match error {
        ProcessError::NotFound { .. } => {
            Diagnostic::error("build/no-bazel", format!("there is no `bazel` to build `{}` with", artifact.image))
                .at(artifact.at.clone())
                .help("install Bazel, for example as Bazelisk from https://bazel.build/install, under the name `bazel`")
                .into()
        }
        ProcessError::Failed { status, last_lines, .. } => {
            let fault = Diagnostic::error("build/bazel-failed", format!("`{what}` of `{}` ended with {status}", artifact.image));
            let fault = fault.at(artifact.at.clone());
            let faults: Vec<&str> = last_lines.iter().map(String::as_str).filter(|line| is_fault(line)).collect();
            if faults.is_empty() { fault.into() } else { fault.because(faults.join("\n")).into() }
        }
        other => other.into(),
    }
}

/// Bazel tells of its progress on the same stream.
fn is_fault(line: &str) -> bool {
    const PROGRESS: [&str; 6] =
        ["INFO:", "Loading:", "Analyzing:", "WARNING:", "Starting local Bazel server", "Computing main repo mapping"];
    !line.trim().is_empty() && !PROGRESS.iter().any(|start| line.starts_with(start)) && !line.starts_with('[')
}

impl BazelJob<'_> {
    /// Returns the archive, built.
    async fn build(&self, cx: &Cx) -> Result<PathBuf, BuildError> {
        let Self { artifact, spec, platforms, .. } = self;
        if let [_, _, ..] = platforms {
            let what = format!("`{}` is built for one platform: Bazel makes no image of several", artifact.image);
            cx.warn(Diagnostic::warning("build/bazel-platforms", what).at(artifact.at.clone()).help("name one with `--platform`"));
        }
        let build = Command::new("bazel").arg("build").args(&spec.args).arg(&spec.target).args(self.platform()).arg("--color=no");
        build.dir(&artifact.context).run(cx).await.map_err(|error| failed(artifact, "bazel build", error))?;
        let files = ["--output", "starlark", "--starlark:expr", "target.files.to_list()[0].path"].map(str::to_owned);
        let query =
            ["cquery".to_owned(), spec.target.clone()].into_iter().chain(files).chain(spec.args.iter().cloned()).chain(self.platform());
        let query: Vec<String> = query.collect();
        let path = ask(artifact, &query.iter().map(String::as_str).collect::<Vec<_>>(), cx).await?;
        let root = ask(artifact, &["info", "execution_root"], cx).await?;
        Ok(Path::new(root.trim()).join(path.trim()))
    }

    /// Returns Bazel's flag for the platforms, as far as the configuration knows its name of them.
    fn platform(&self) -> Vec<String> {
        let wanted = self.spec.platforms.iter().filter(|known| self.platforms.contains(&known.platform));
        wanted.map(|known| format!("--platforms={}", known.target)).collect()
    }

    fn no_image(&self, archive: &Path, why: &str) -> BuildError {
        let what = format!("`{}` of `{}` makes no archive of an image", self.spec.target, self.artifact.image);
        Diagnostic::error("build/bazel-no-image", what)
            .at(self.artifact.at.clone())
            .because(format!("{}: {why}", archive.display()))
            .help("name a target that makes what `docker load` takes, such as the tarball of `oci_load`")
            .into()
    }
}
