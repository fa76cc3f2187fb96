//! Java projects, by the Jib plugin of Maven or Gradle: it pushes by itself, or loads into the daemon.
//! Source of arguments: skaffold `pkg/skaffold/build/jib`.

mod project;

use std::path::Path;

use devloop_clients::docker::Docker;
use devloop_clients::process::Command;
use devloop_clients::registry::Registry;
use devloop_clients::registry::is_here;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageId;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::JibKind;
use devloop_model::Platform;

pub(crate) use self::project::Project;
pub(crate) use self::project::gradle_task;
use crate::BuildError;

/// The oldest Jib whose goals for others we know.
pub(crate) const MINIMUM: &str = "1.4.0";
/// The oldest Jib that builds for other platforms than its base image's.
const MINIMUM_FOR_PLATFORMS: &str = "3.2.0";

/// What is built, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JibJob<'a> {
    /// The project.
    pub(crate) project: Project<'a>,
    /// The name and tag of the image.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; empty is what the project says.
    pub(crate) platforms: &'a [Platform],
    /// The images that it requires, each under its alias.
    pub(crate) required: &'a [(String, BuiltImage)],
    /// Registries that are spoken to without TLS, or without checking it.
    pub(crate) insecure: &'a [String],
    /// Whether tests are skipped.
    pub(crate) skips_tests: bool,
    /// Whether Jib pushes.
    pub(crate) pushes: bool,
}

/// Returns the digest under which Jib pushed the image.
///
/// # Errors
/// When the build fails, or the registry has no such image afterwards.
pub(crate) async fn push(job: JibJob<'_>, registry: &Registry, cx: &Cx) -> Result<Digest, BuildError> {
    let told = tempfile::NamedTempFile::new().map_err(|source| BuildError::Read { path: std::env::temp_dir(), source })?;
    let (task, goal) = ("jib", "build");
    let arguments = job.arguments(task, goal).into_iter().chain([format!("-Djib.outputPaths.digest={}", told.path().display())]);
    job.project.run(job.project.command().args(arguments), "build", cx).await?;
    // Older versions of Jib do not write it.
    if let Some(digest) = digest_in(told.path()) {
        return Ok(digest);
    }
    let found = registry.digest(job.reference, cx).await?;
    found.ok_or_else(|| job.no_image("the registry has no such image"))
}

/// Returns the ID of the image that Jib put into the daemon.
///
/// # Errors
/// When the build fails, or the daemon has no such image afterwards.
pub(crate) async fn load(job: JibJob<'_>, docker: &Docker, cx: &Cx) -> Result<ImageId, BuildError> {
    let command: Command = job.project.command().args(job.arguments("jibDockerBuild", "dockerBuild"));
    let command = docker.command_env().into_iter().fold(command, |command, (name, value)| command.env(name, value));
    job.project.run(command, "build", cx).await?;
    let found = docker.image_id(&job.reference.to_string(), cx).await?;
    found.ok_or_else(|| job.no_image("the container daemon has no such image"))
}

fn digest_in(file: &Path) -> Option<Digest> {
    Digest::parse(std::fs::read_to_string(file).ok()?.trim()).ok()
}

impl JibJob<'_> {
    fn arguments(&self, task: &str, goal: &str) -> Vec<String> {
        let Project { kind, .. } = self.project;
        let minimum = if self.platforms.is_empty() { MINIMUM } else { MINIMUM_FOR_PLATFORMS };
        let mut arguments = self.project.compiling(goal, task, minimum, self.skips_tests);
        let base = self.base_image();
        // Jib knows no list of such registries.
        if self.is_insecure(&self.reference.name) || base.as_ref().is_some_and(|base| self.is_insecure_base(base)) {
            arguments.push("-Djib.allowInsecureRegistries=true".to_owned());
        }
        arguments.extend(base.map(|base| format!("-Djib.from.image={base}")));
        if !self.platforms.is_empty() {
            let platforms = self.platforms.iter().map(Platform::as_str).collect::<Vec<_>>().join(",");
            arguments.push(format!("-Djib.from.platforms={platforms}"));
        }
        arguments.push(match kind {
            JibKind::Maven => format!("-Dimage={}", self.reference),
            JibKind::Gradle => format!("--image={}", self.reference),
        });
        arguments
    }

    /// Returns the base image: a required one by its alias, from where it is.
    fn base_image(&self) -> Option<String> {
        let base = self.project.spec.from_image.as_ref()?;
        Some(match self.required.iter().find(|(alias, _)| alias == base) {
            Some((_, image)) if self.pushes => image.deployed(),
            Some((_, image)) => format!("docker://{}", image.deployed()),
            None => base.clone(),
        })
    }

    fn is_insecure(&self, name: &ImageName) -> bool {
        let host = name.as_str().split('/').next().unwrap_or_default();
        is_here(name) || self.insecure.iter().any(|listed| listed == host)
    }

    fn is_insecure_base(&self, base: &str) -> bool {
        ImageRef::parse(base).is_ok_and(|base| self.is_insecure(&base.name))
    }

    fn no_image(&self, why: &str) -> BuildError {
        let image = &self.project.artifact.image;
        Diagnostic::error("build/jib-no-image", format!("Jib succeeded for `{image}` but made no `{}`", self.reference)).because(why).into()
    }
}

#[cfg(test)]
mod tests;
