//! One artifact, one image: the closed set of builders.

mod arguments;
pub(crate) mod bazel;
pub(crate) mod buildkit;
pub(crate) mod buildpacks;
mod custom;
pub(crate) mod docker;
mod hooks;
pub(crate) mod jib;
mod kaniko;
pub(crate) mod ko;
pub(crate) mod packer;
mod pod_status;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::BazelBuild;
use devloop_model::Builder;
use devloop_model::BuildpacksBuild;
use devloop_model::BuiltImage;
use devloop_model::ClusterBuild;
use devloop_model::CustomBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::DockerBuild;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::JibBuild;
use devloop_model::KanikoBuild;
use devloop_model::KoBuild;

pub(crate) use self::arguments::build_args;
pub(crate) use self::arguments::image_vars;
use self::bazel::BazelJob;
use self::buildpacks::BuildpacksJob;
use self::custom::CustomJob;
use self::docker::DockerJob;
use self::jib::JibJob;
use self::jib::Project;
use self::kaniko::KanikoJob;
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
        // The largest of them by far: on the heap, so that the others stay small.
        Builder::Docker(spec) => (Box::pin(work.docker(spec)).await?, reference.clone()),
        Builder::Kaniko(spec) => (Box::pin(work.kaniko(spec)).await.map_err(|error| error.in_artifact(artifact))?, reference.clone()),
        Builder::Ko(spec) => work.ko(spec).await?,
        Builder::Jib(spec) => (work.jib(spec).await?, reference.clone()),
        Builder::Bazel(spec) => (Box::pin(work.bazel(spec)).await?, reference.clone()),
        Builder::Buildpacks(spec) => (work.buildpacks(spec).await?, reference.clone()),
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
    /// Returns `spec` with its Dockerfile where it is, and its build arguments.
    fn dockerfile(&self, spec: &DockerBuild, env: &Env) -> Result<(DockerBuild, BTreeMap<String, String>), BuildError> {
        let prepared = &self.job.prepared;
        // One outside of the context lies where devloop was started.
        let dockerfile = if prepared.inputs.dockerfile.as_deref().is_some_and(|path| path.starts_with("..")) {
            self.options.working_dir.join(&spec.dockerfile)
        } else {
            spec.dockerfile.clone()
        };
        // One that is not there is the builder's to tell.
        let text = std::fs::read_to_string(self.artifact.context.join(&dockerfile)).unwrap_or_default();
        let arguments = build_args(&spec.build_args, &text, &prepared.reference, &self.job.required, &self.options.mode, env)?;
        Ok((DockerBuild { dockerfile, ..spec.clone() }, arguments))
    }

    /// Returns what of the context the Dockerfile uses, relative to it.
    fn files(&self) -> Vec<PathBuf> {
        let inputs = &self.job.prepared.inputs;
        let own = inputs.dockerfile.as_deref();
        inputs.paths().filter(|path| inputs.dockerfile_is_copied || Some(*path) != own).map(Path::to_owned).collect()
    }

    async fn docker(&self, spec: &DockerBuild) -> Result<Identity, BuildError> {
        let prepared = &self.job.prepared;
        let (spec, arguments) = self.dockerfile(spec, &self.cx.env)?;
        let files = self.files();
        let job = DockerJob {
            artifact: &self.artifact.image,
            context: &self.artifact.context,
            files: &files,
            reference: &prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            build_args: &arguments,
            local: self.artifact.local(),
            pushes: self.options.pushes(self.artifact),
        };
        if let Some(cluster) = self.artifact.cluster() {
            let platforms = self.options.asked_platforms_of(self.artifact);
            let mut place = buildkit::Place { cluster, platforms, options: self.options, is_insecure: false };
            let mut request = docker::request_in_cluster(&spec, job)?;
            let mut names = vec![prepared.reference.to_string()];
            if let Builder::Kaniko(kaniko) = &self.artifact.builder {
                let plain = kaniko::plain(kaniko, &prepared.reference, &self.cx.env)?;
                request.labels = plain.labels;
                place.is_insecure = plain.is_insecure;
                request.cache_from.extend(plain.cache.iter().map(|repository| format!("type=registry,ref={repository}:buildkit")));
                request.cache_to.extend(plain.cache.map(|it| format!("type=registry,ref={it}:buildkit,mode=max,ignore-error=true")));
                names.extend(plain.destinations);
            }
            return Ok(Identity::Digest(Box::pin(buildkit::build(&request, names, place, self.clients, self.cx)).await?));
        }
        let docker = self.clients.docker(self.cx).await?;
        Box::pin(docker::build(&spec, job, docker, self.clients.registry(), self.cx)).await
    }

    async fn kaniko(&self, spec: &KanikoBuild) -> Result<Identity, BuildError> {
        let Some(cluster) = self.artifact.cluster() else {
            let fault = Diagnostic::error("build/kaniko", "kaniko builds in the cluster alone, and there is no `build.cluster`");
            return Err(fault.help("set `build.cluster: {}`").into());
        };
        if !spec.asks_for_kaniko() && buildkit::is_there(cluster, self.options, self.cx) {
            return self.docker(&spec.dockerfile).await;
        }
        let reference = &self.job.prepared.reference;
        let variables = kaniko::variables(spec, reference, &self.cx.env)?;
        // Templates of build arguments see them as well.
        let env = self.cx.env.with(variables.clone());
        let (dockerfile, build_args) = self.dockerfile(&spec.dockerfile, &env)?;
        let job = KanikoJob {
            artifact: self.artifact,
            build: cluster,
            reference,
            platform: kaniko::platform(self.artifact, self.options)?,
            files: self.files(),
            dockerfile: dockerfile.dockerfile,
            build_args: &build_args,
            variables: &variables,
            options: self.options,
        };
        Ok(Identity::Digest(Box::pin(kaniko::build(spec, job, self.clients, self.cx)).await?))
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

    async fn jib(&self, spec: &JibBuild) -> Result<Identity, BuildError> {
        let pushes = self.options.pushes(self.artifact);
        let job = JibJob {
            project: Project::of(self.artifact, spec)?,
            reference: &self.job.prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            required: &self.job.required,
            insecure: &self.options.builder.insecure,
            skips_tests: self.options.skips_tests,
            pushes,
        };
        if pushes {
            return Ok(Identity::Digest(jib::push(job, self.clients.registry(), self.cx).await?));
        }
        Ok(Identity::Id(jib::load(job, self.clients.docker(self.cx).await?, self.cx).await?))
    }

    async fn bazel(&self, spec: &BazelBuild) -> Result<Identity, BuildError> {
        let platforms = self.options.platforms_of(self.artifact);
        let job = BazelJob { artifact: self.artifact, spec, reference: &self.job.prepared.reference, platforms };
        if self.options.pushes(self.artifact) {
            return Ok(Identity::Digest(Box::pin(bazel::push(job, self.clients.registry(), self.cx)).await?));
        }
        Ok(Identity::Id(bazel::load(job, self.clients.docker(self.cx).await?, self.cx).await?))
    }

    async fn buildpacks(&self, spec: &BuildpacksBuild) -> Result<Identity, BuildError> {
        let job = BuildpacksJob {
            artifact: self.artifact,
            spec,
            reference: &self.job.prepared.reference,
            platforms: self.options.platforms_of(self.artifact),
            required: &self.job.required,
            mode: &self.options.mode,
        };
        let docker = self.clients.docker(self.cx).await?;
        if self.options.pushes(self.artifact) {
            return Ok(Identity::Digest(buildpacks::push(job, docker, self.cx).await?));
        }
        Ok(Identity::Id(buildpacks::load(job, docker, self.cx).await?))
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
            place: &[],
        };
        if let Some(build) = self.artifact.cluster() {
            return self.custom_in_cluster(spec, build, job).await;
        }
        if pushes {
            return Ok(Identity::Digest(custom::push(spec, job, self.clients.registry(), self.cx).await?));
        }
        let docker = self.clients.docker(self.cx).await?;
        let daemon = docker.command_env();
        Ok(Identity::Id(custom::load(spec, CustomJob { place: &daemon, ..job }, docker, self.cx).await?))
    }

    async fn custom_in_cluster(&self, spec: &CustomBuild, build: &ClusterBuild, job: CustomJob<'_>) -> Result<Identity, BuildError> {
        let namespace = kaniko::namespace(build, self.clients, self.cx).await?;
        let context = self.options.target.context.as_deref();
        let push = async |secrets| {
            let place = custom::in_cluster(build, context, &namespace, secrets);
            let job = CustomJob { place: &place, ..job };
            Box::pin(buildkit::in_time(job.reference, build, custom::push(spec, job, self.clients.registry(), self.cx))).await?
        };
        let digest = Box::pin(kaniko::with_secrets(build, &namespace, self.clients, self.cx, push)).await;
        Ok(Identity::Digest(digest.map_err(|error| error.in_artifact(self.artifact))?))
    }
}
