//! Sources, by Cloud Native Buildpacks: what `pack` makes of them in the container daemon.
//! Source: skaffold `pkg/skaffold/build/buildpacks`.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_clients::docker::Docker;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Artifact;
use devloop_model::BuildpacksBuild;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::MissingKey;
use devloop_model::Platform;
use devloop_model::Tag;
use devloop_model::Vars;
use serde::Deserialize;

use super::timed_push;
use crate::BuildError;

/// Builder and run images that this process has pulled: a newer one does not appear between two builds of a session.
static PULLED: Mutex<Option<HashSet<(String, String)>>> = Mutex::new(None);

/// What is built, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildpacksJob<'a> {
    /// The artifact.
    pub(crate) artifact: &'a Artifact,
    /// Its settings.
    pub(crate) spec: &'a BuildpacksBuild,
    /// The name and tag of the image.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; empty is what the builder image is for.
    pub(crate) platforms: &'a [Platform],
    /// The images that it requires, each under its alias.
    pub(crate) required: &'a [(String, BuiltImage)],
    /// The command that this is part of.
    pub(crate) mode: &'a str,
}

/// Returns the digest of the image, built and pushed.
///
/// # Errors
/// When there is no `pack`, the build fails, or the registry does not take the image.
pub(crate) async fn push(job: BuildpacksJob<'_>, docker: &Docker, cx: &Cx) -> Result<Digest, BuildError> {
    load(job, docker, cx).await?;
    Ok(timed_push(&job.artifact.image, docker.push(job.reference, cx), cx).await?)
}

/// Returns the ID of the image, built in the daemon.
///
/// # Errors
/// When there is no `pack`, the build fails, or the daemon has no such image afterwards.
pub(crate) async fn load(job: BuildpacksJob<'_>, docker: &Docker, cx: &Cx) -> Result<ImageId, BuildError> {
    let name = job.build(docker, cx).await?.to_string();
    let Some(id) = docker.image_id(&name, cx).await? else {
        let what = format!("`pack` succeeded for `{}` but made no `{name}`", job.artifact.image);
        return Err(Diagnostic::error("build/pack-no-image", what).because("the container daemon has no such image").into());
    };
    docker.tag(id.as_str(), job.reference, cx).await?;
    Ok(id)
}

/// Returns the environment of a build. Source: skaffold `pkg/skaffold/build/buildpacks/env.go`.
///
/// # Errors
/// When a template or the project descriptor is wrong.
pub(crate) fn environment(
    artifact: &Artifact,
    spec: &BuildpacksBuild,
    mode: &str,
    cx: &Cx,
) -> Result<BTreeMap<String, String>, BuildError> {
    let vars = Vars::from_env(&cx.env);
    let mut found = BTreeMap::new();
    for (name, template) in &spec.env {
        let value = template.render(&vars, MissingKey::NoValue).map_err(|error| {
            let what = format!("variable `{name}` of `{}` cannot be rendered", artifact.image);
            BuildError::from(Diagnostic::error("build/template", what).at(artifact.at.clone()).because(error.to_string()))
        })?;
        found.insert(name.clone(), value);
    }
    found.extend(descriptor(artifact, spec)?);
    if mode == "debug" {
        found.entry("GOOGLE_GOGCFLAGS".to_owned()).or_insert_with(|| "all=-N -l".to_owned());
    }
    Ok(found)
}

/// The variables of a project descriptor (<https://buildpacks.io/docs/reference/config/project-descriptor>), in both of its versions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    build: DescriptorBuild,
    io: DescriptorIo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DescriptorIo {
    buildpacks: DescriptorBuildpacks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DescriptorBuildpacks {
    build: DescriptorBuild,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DescriptorBuild {
    env: Vec<DescriptorVariable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DescriptorVariable {
    name: String,
    value: String,
}

fn descriptor(artifact: &Artifact, spec: &BuildpacksBuild) -> Result<Vec<(String, String)>, BuildError> {
    let path = artifact.context.join(&spec.project_descriptor);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
    let read: Descriptor = toml::from_str(&text).map_err(|error| {
        let what = format!("the project descriptor of `{}` cannot be read: `{}`", artifact.image, path.display());
        Diagnostic::error("build/project-descriptor", what).because(error.to_string().trim_end())
    })?;
    Ok(read.build.env.into_iter().chain(read.io.buildpacks.build.env).map(|variable| (variable.name, variable.value)).collect())
}

impl BuildpacksJob<'_> {
    /// Returns the name of the image in the daemon: always `latest`, so that `pack` finds its caches and the layers of the last build.
    async fn build(&self, docker: &Docker, cx: &Cx) -> Result<ImageRef, BuildError> {
        if let [_, _, ..] = self.platforms {
            let what = format!("`{}` is built for the platform of its builder image alone", self.artifact.image);
            cx.warn(
                Diagnostic::warning("build/buildpacks-platforms", what).at(self.artifact.at.clone()).help("name one with `--platform`"),
            );
        }
        let tag = Some(Tag::parse("latest").expect("it is one"));
        let latest = ImageRef { name: self.reference.name.clone(), tag, digest: None };
        let env = environment(self.artifact, self.spec, self.mode, cx)?;
        let images = Images::of(self);
        let command = Command::new("pack").args(self.arguments(&latest, &images, env.keys())).dir(&self.artifact.context);
        // Values may be secret: arguments are seen by everybody.
        let command = env.into_iter().fold(command, |command, (name, value)| command.env(name, value));
        let command = docker.command_env().into_iter().fold(command, |command, (name, value)| command.env(name, value));
        command.run(cx).await.map_err(|error| self.failed(error))?;
        images.note_pulled();
        Ok(latest)
    }

    fn arguments<'n>(&self, latest: &ImageRef, images: &Images, variables: impl Iterator<Item = &'n String>) -> Vec<String> {
        let Self { artifact, spec, .. } = self;
        let mut words = vec!["build".to_owned(), latest.to_string()];
        let mut flag = |name: &str, value: &str| words.extend([format!("--{name}"), value.to_owned()]);
        flag("path", &artifact.context.display().to_string());
        images.builder.iter().for_each(|builder| flag("builder", builder));
        images.run.iter().for_each(|run| flag("run-image", run));
        flag("pull-policy", images.pull_policy());
        spec.buildpacks.iter().for_each(|buildpack| flag("buildpack", buildpack));
        spec.volumes.iter().for_each(|volume| flag("volume", volume));
        variables.for_each(|name| flag("env", name));
        if artifact.context.join(&spec.project_descriptor).is_file() {
            flag("descriptor", &artifact.context.join(&spec.project_descriptor).display().to_string());
        }
        words.extend(spec.trust_builder.then(|| "--trust-builder".to_owned()));
        words.extend(spec.clear_cache.then(|| "--clear-cache".to_owned()));
        words.push("--no-color".to_owned());
        words.extend(spec.build_args.iter().cloned());
        words
    }

    fn failed(&self, error: ProcessError) -> BuildError {
        let Artifact { image, at, .. } = self.artifact;
        match error {
            ProcessError::NotFound { .. } => Diagnostic::error("build/no-pack", format!("there is no `pack` to build `{image}` with"))
                .at(at.clone())
                .help("install it as https://buildpacks.io/docs/install-pack says: one program, for example `brew install buildpacks/tap/pack`")
                .into(),
            ProcessError::Failed { status, last_lines, .. } => {
                let fault = Diagnostic::error("build/pack-failed", format!("`pack build` of `{image}` ended with {status}")).at(at.clone());
                let said: Vec<&str> = last_lines.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).collect();
                if said.is_empty() { fault.into() } else { fault.because(said.join("\n")).into() }
            }
            other => other.into(),
        }
    }
}

/// The images that a build needs, and whether they come from required artifacts.
#[derive(Debug, PartialEq, Eq)]
struct Images {
    builder: Option<String>,
    run: Option<String>,
    built_here: usize,
}

impl Images {
    fn of(job: &BuildpacksJob<'_>) -> Self {
        let mut built_here = 0;
        let mut resolve = |name: &Option<String>| {
            let name = name.as_ref()?;
            let required = job.required.iter().find(|(alias, _)| alias == name);
            built_here += usize::from(required.is_some());
            Some(required.map_or_else(|| name.clone(), |(_, image)| image.deployed()))
        };
        let (builder, run) = (resolve(&job.spec.builder), resolve(&job.spec.run_image));
        Self { builder, run, built_here }
    }

    /// Source: skaffold `pkg/skaffold/build/buildpacks/lifecycle.go` (`resolveDependencyImages`).
    fn pull_policy(&self) -> &'static str {
        match self.built_here {
            2 => "never",
            1 => "if-not-present",
            _ if self.pulled(|pulled, images| pulled.contains(&images)) => "if-not-present",
            _ => "always",
        }
    }

    fn note_pulled(&self) {
        self.pulled(HashSet::insert);
    }

    fn pulled<T>(&self, with: impl FnOnce(&mut HashSet<(String, String)>, (String, String)) -> T) -> T {
        let images = (self.builder.clone().unwrap_or_default(), self.run.clone().unwrap_or_default());
        with(PULLED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default(), images)
    }
}

/// Returns the variables with the values that a cache counts; a descriptor that cannot be read is the build's to tell.
pub(crate) fn counted(artifact: &Artifact, spec: &BuildpacksBuild, mode: &str, cx: &Cx) -> BTreeMap<String, String> {
    environment(artifact, spec, mode, cx).unwrap_or_default()
}

#[cfg(test)]
mod tests;
