//! Images from a Dockerfile, by the container daemon or the docker command.

mod command;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::docker::BuildRequest;
use devloop_clients::docker::Docker;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RemoteManifest;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::DockerBuild;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::LocalBuild;
use devloop_model::Platform;
use devloop_model::Tag;
use serde_json::json;

use super::timed_push;
use crate::BuildError;

/// The media type of an index of images for several platforms.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What is built besides what the configuration says of the builder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DockerJob<'a> {
    /// The artifact's name as configured, which `cacheFrom` may use for the image itself.
    pub(crate) artifact: &'a ImageName,
    /// The context directory.
    pub(crate) context: &'a Path,
    /// What of it the Dockerfile uses, relative to it.
    pub(crate) files: &'a [PathBuf],
    /// The name and tag that the image gets.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; empty is the daemon's own platform.
    pub(crate) platforms: &'a [Platform],
    /// Build arguments, templates and required images resolved.
    pub(crate) build_args: &'a BTreeMap<String, String>,
    /// `build.local`.
    pub(crate) local: &'a LocalBuild,
    /// Whether the image goes to a registry.
    pub(crate) pushes: bool,
}

/// Builds the image and pushes it where it has to go, and returns its digest then, else its ID in the daemon.
///
/// # Errors
/// When the build or the push fails.
pub(crate) async fn build(
    spec: &DockerBuild,
    job: DockerJob<'_>,
    docker: &Docker,
    registry: &Registry,
    cx: &Cx,
) -> Result<Identity, BuildError> {
    match job.platforms {
        [] => build_one(spec, job, job.reference, None, docker, cx).await,
        [platform] => build_one(spec, job, job.reference, Some(platform), docker, cx).await,
        several if job.pushes => Box::pin(build_index(spec, job, several, docker, registry, cx)).await,
        several => {
            // A daemon holds one platform under a name: its own, if it is among them.
            let own = docker.version().platform.as_ref().filter(|own| several.contains(own));
            build_one(spec, job, job.reference, own.or(several.first()), docker, cx).await
        }
    }
}

async fn build_one(
    spec: &DockerBuild,
    job: DockerJob<'_>,
    reference: &ImageRef,
    platform: Option<&Platform>,
    docker: &Docker,
    cx: &Cx,
) -> Result<Identity, BuildError> {
    let dockerfile = dockerfile(spec, job)?;
    let id = if job.local.use_docker_cli || !spec.cli_flags.is_empty() {
        command::build(spec, job, reference, platform, docker, cx).await?
    } else {
        docker.build(request(spec, job, reference, platform, dockerfile), cx).await?
    };
    if !job.pushes {
        return Ok(Identity::Id(id));
    }
    Ok(Identity::Digest(timed_push(job.artifact, docker.push(reference, cx), cx).await?))
}

fn dockerfile(spec: &DockerBuild, job: DockerJob<'_>) -> Result<PathBuf, BuildError> {
    let dockerfile = job.context.join(&spec.dockerfile);
    if dockerfile.is_file() {
        return Ok(dockerfile);
    }
    let what = format!("the Dockerfile of `{}` does not exist: `{}`", job.artifact, dockerfile.display());
    let fault = Diagnostic::error("build/no-dockerfile", what);
    Err(fault.help("set `docker.dockerfile` to its path, relative to the artifact's context").into())
}

/// Returns what BuildKit is asked for where no daemon of this machine builds: all platforms at once.
///
/// # Errors
/// When there is no Dockerfile, or a field is set that only the docker command or the classic builder understands.
pub(crate) fn request_in_cluster(spec: &DockerBuild, job: DockerJob<'_>) -> Result<BuildRequest, BuildError> {
    let only_local = [("squash", spec.squash), ("cliFlags", !spec.cli_flags.is_empty())];
    if let Some((field, _)) = only_local.iter().find(|(_, is_set)| *is_set) {
        let fault =
            Diagnostic::error("build/only-local", format!("`{field}` of `{}` needs the container daemon of this machine", job.artifact));
        return Err(fault.help("leave it out, or build with `build.local`").into());
    }
    let request = request(spec, job, job.reference, None, dockerfile(spec, job)?);
    Ok(BuildRequest { platforms: job.platforms.to_vec(), ..request })
}

fn request(spec: &DockerBuild, job: DockerJob<'_>, reference: &ImageRef, platform: Option<&Platform>, dockerfile: PathBuf) -> BuildRequest {
    BuildRequest {
        context: job.context.to_owned(),
        // A Dockerfile outside of the context is an input, and no part of what is sent.
        files: job.files.iter().filter(|file| !file.starts_with("..") && !file.is_absolute()).cloned().collect(),
        dockerfile,
        tag: reference.clone(),
        platforms: platform.cloned().into_iter().collect(),
        remote_context: None,
        export: BTreeMap::new(),
        labels: BTreeMap::new(),
        cache_to: own_image(&spec.cache_to, job),
        reproducible: false,
        build_args: job.build_args.clone(),
        target: spec.target.clone(),
        network: spec.network.clone(),
        add_hosts: spec.add_hosts.clone(),
        cache_from: own_image(&spec.cache_from, job),
        no_cache: spec.no_cache,
        pull: spec.pull_parent,
        squash: spec.squash,
        secrets: spec.secrets.clone(),
        ssh: spec.ssh.clone(),
        use_buildkit: job.local.use_buildkit,
    }
}

/// Returns caches; the artifact's own name in them stands for the image under its new tag, as in
/// skaffold `pkg/skaffold/build/docker/docker.go` (`adjustCacheFrom`).
fn own_image(caches: &[String], job: DockerJob<'_>) -> Vec<String> {
    let own = job.artifact.as_str();
    let tagged = job.reference.to_string();
    caches
        .iter()
        .map(|cache| {
            if cache == own {
                return tagged.clone();
            }
            let fields = cache
                .split(',')
                .map(|field| if field.split_once('=') == Some(("ref", own)) { format!("ref={tagged}") } else { field.to_owned() });
            fields.collect::<Vec<_>>().join(",")
        })
        .collect()
}

/// Builds and pushes an image for each platform, and an index of them under the wanted tag.
async fn build_index(
    spec: &DockerBuild,
    job: DockerJob<'_>,
    platforms: &[Platform],
    docker: &Docker,
    registry: &Registry,
    cx: &Cx,
) -> Result<Identity, BuildError> {
    let mut entries = Vec::new();
    for platform in platforms {
        let reference = platform_reference(job.reference, platform)?;
        let Identity::Digest(digest) = build_one(spec, job, &reference, Some(platform), docker, cx).await? else { continue };
        let pinned = ImageRef { name: reference.name, tag: None, digest: Some(digest) };
        entries.push(index_entry(&registry.manifest(&pinned, cx).await?, platform));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    let digest: Digest = registry.push_manifest(job.reference, index.to_string().into(), INDEX, cx).await?;
    Ok(Identity::Digest(digest))
}

/// Returns the reference of the image for one platform: `web:v1_linux_arm64`.
fn platform_reference(reference: &ImageRef, platform: &Platform) -> Result<ImageRef, BuildError> {
    let tag = reference.tag.as_ref().map_or("latest", Tag::as_str);
    let tag = Tag::parse(&format!("{tag}_{}", platform.as_str().replace('/', "_")))
        .map_err(|error| BuildError::from(Diagnostic::error("build/tag", error.to_string()).help("use a shorter tag")))?;
    Ok(ImageRef::tagged(reference.name.clone(), tag))
}

fn index_entry(manifest: &RemoteManifest, platform: &Platform) -> serde_json::Value {
    let mut entry = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.bytes.len(),
        "platform": { "os": platform.os(), "architecture": platform.arch() },
    });
    if let Some(variant) = platform.variant() {
        entry["platform"]["variant"] = variant.into();
    }
    entry
}

#[cfg(test)]
mod tests;
