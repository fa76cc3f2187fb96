//! One artifact, one image: the closed set of builders.

mod arguments;
mod custom;
pub(crate) mod docker;
mod hooks;
pub(crate) mod ko;

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::BuiltImage;
use devloop_model::CustomBuild;
use devloop_model::Cx;
use devloop_model::DockerBuild;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::KoBuild;

pub(crate) use self::arguments::build_args;
pub(crate) use self::arguments::image_vars;
use self::custom::CustomJob;
use self::docker::DockerJob;
use self::ko::KoJob;
use crate::BuildError;
use crate::BuildJob;
use crate::BuildOptions;
use crate::deliver::deliver;

/// Returns the image of `job`, built by its builder and brought to where the cluster runs it from.
///
/// # Errors
/// When the build fails, or the image cannot be brought there.
pub(crate) async fn build(job: &BuildJob, options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<BuiltImage, BuildError> {
    let artifact = &*job.prepared.artifact;
    let work = Work { job, artifact, options, clients, cx };
    let reference = &job.prepared.reference;
    hooks::run("pre-build", &artifact.hooks.before, &work).await?;
    let (identity, reference) = match &artifact.builder {
        // The largest of the three by far: on the heap, so that the others stay small.
        Builder::Docker(spec) => (Box::pin(work.docker(spec)).await?, reference.clone()),
        Builder::Ko(spec) => work.ko(spec).await?,
        Builder::Custom(spec) => (work.custom(spec).await?, reference.clone()),
    };
    let image =
        BuiltImage { artifact: artifact.image.clone(), name: reference.name, tag: reference.tag, identity, runtime: artifact.runtime };
    if matches!(image.identity, Identity::Id(_)) {
        deliver(&image, &options.target.delivery, clients.docker(cx).await?, cx).await?;
    }
    hooks::run("post-build", &artifact.hooks.after, &work).await?;
    Ok(image)
}

/// Returns what `pushing` gives, and tells how long it took.
async fn timed_push<T, E>(artifact: &ImageName, pushing: impl Future<Output = Result<T, E>>, cx: &Cx) -> Result<T, E> {
    let began = Instant::now();
    let pushed = pushing.await?;
    cx.emit(EventKind::ImagePushed { artifact: artifact.clone(), duration: began.elapsed() });
    Ok(pushed)
}

/// One build with all that it is given.
struct Work<'a> {
    job: &'a BuildJob,
    artifact: &'a Artifact,
    options: &'a BuildOptions,
    clients: &'a Clients,
    cx: &'a Cx,
}

impl Work<'_> {
    async fn docker(&self, spec: &DockerBuild) -> Result<Identity, BuildError> {
        let prepared = &self.job.prepared;
        let inputs = &prepared.inputs;
        let own = inputs.dockerfile.as_deref();
        // One outside of the context lies where devloop was started.
        let dockerfile = if own.is_some_and(|path| path.starts_with("..")) {
            self.options.working_dir.join(&spec.dockerfile)
        } else {
            spec.dockerfile.clone()
        };
        let spec = &DockerBuild { dockerfile, ..spec.clone() };
        // One that is not there is the builder's to tell.
        let text = std::fs::read_to_string(self.artifact.context.join(&spec.dockerfile)).unwrap_or_default();
        let arguments = build_args(&spec.build_args, &text, &prepared.reference, &self.job.required, &self.options.mode, &self.cx.env)?;
        let files: Vec<PathBuf> =
            inputs.paths().filter(|path| inputs.dockerfile_is_copied || Some(*path) != own).map(Path::to_owned).collect();
        let job = DockerJob {
            artifact: &self.artifact.image,
            context: &self.artifact.context,
            files: &files,
            reference: &prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            build_args: &arguments,
            local: &self.artifact.local,
            pushes: self.options.pushes(self.artifact),
        };
        let docker = self.clients.docker(self.cx).await?;
        Box::pin(docker::build(spec, job, docker, self.clients.registry(), self.cx)).await
    }

    async fn ko(&self, spec: &KoBuild) -> Result<(Identity, ImageRef), BuildError> {
        let job = KoJob {
            artifact: self.artifact,
            reference: &self.job.prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            mode: &self.options.mode,
            cache_dir: &self.options.cache_dir,
        };
        if self.options.pushes(self.artifact) {
            let digest = ko::push(spec, job, self.clients.registry(), self.cx).await?;
            return Ok((Identity::Digest(digest), job.reference.clone()));
        }
        let docker = self.clients.docker(self.cx).await?;
        let (id, reference) = ko::load(spec, job, self.clients.registry(), docker, self.cx).await?;
        Ok((Identity::Id(id), reference))
    }

    async fn custom(&self, spec: &CustomBuild) -> Result<Identity, BuildError> {
        let pushes = self.options.pushes(self.artifact);
        let job = CustomJob {
            artifact: self.artifact,
            reference: &self.job.prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            required: &self.job.required,
            pushes,
            skips_tests: self.options.skips_tests,
            daemon: &[],
        };
        if pushes {
            return Ok(Identity::Digest(custom::push(spec, job, self.clients.registry(), self.cx).await?));
        }
        let docker = self.clients.docker(self.cx).await?;
        let daemon = docker.command_env();
        Ok(Identity::Id(custom::load(spec, CustomJob { daemon: &daemon, ..job }, docker, self.cx).await?))
    }
}
