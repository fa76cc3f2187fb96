//! `docker build`, for `useDockerCLI` and for flags that only the command knows.

use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::DockerBuild;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::MissingKey;
use devloop_model::Platform;
use devloop_model::SecretSource;

use super::DockerJob;
use super::own_image;
use crate::BuildError;
use crate::builder::image_vars;

/// Builds the image with the docker command and returns its ID.
pub(super) async fn build(
    spec: &DockerBuild,
    job: DockerJob<'_>,
    reference: &ImageRef,
    platform: Option<&Platform>,
    docker: &Docker,
    cx: &Cx,
) -> Result<ImageId, BuildError> {
    let mut command = Command::new("docker").args(arguments(spec, job, reference, platform, cx)?);
    for (name, value) in docker.command_env() {
        command = command.env(name, value);
    }
    // Only BuildKit builds for another platform than the daemon's.
    match job.local.use_buildkit.or(platform.filter(|wanted| docker.version().platform.as_ref() != Some(*wanted)).map(|_| true)) {
        Some(true) => command = command.env("DOCKER_BUILDKIT", "1"),
        Some(false) => command = command.env("DOCKER_BUILDKIT", "0"),
        None => {}
    }
    let tag = reference.to_string();
    command.run(cx).await.map_err(|error| match error {
        ProcessError::Failed { last_lines, .. } => {
            DockerError::from_build_output(&tag, &job.context.join(&spec.dockerfile), last_lines).into()
        }
        other => BuildError::from(other),
    })?;
    let id = docker.image_id(&tag, cx).await?;
    id.ok_or_else(|| {
        let fault = Diagnostic::error("build/not-loaded", format!("`docker build` made `{tag}`, and the daemon does not have it"));
        fault
            .help("a buildx builder of its own keeps images to itself: add `--load` to `cliFlags`, or run `docker buildx use default`")
            .into()
    })
}

/// Returns the arguments in the order of skaffold `pkg/skaffold/build/docker/docker.go` and `pkg/skaffold/docker/image.go`.
fn arguments(
    spec: &DockerBuild,
    job: DockerJob<'_>,
    reference: &ImageRef,
    platform: Option<&Platform>,
    cx: &Cx,
) -> Result<Vec<String>, BuildError> {
    let dockerfile = job.context.join(&spec.dockerfile);
    let mut arguments = vec![
        "build".to_owned(),
        job.context.display().to_string(),
        "--file".to_owned(),
        dockerfile.display().to_string(),
        "-t".to_owned(),
        reference.to_string(),
    ];
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    for (name, value) in job.build_args {
        add("--build-arg", format!("{name}={value}"));
    }
    for host in &spec.add_hosts {
        add("--add-host", host.clone());
    }
    for (flag, caches) in [("--cache-from", &spec.cache_from), ("--cache-to", &spec.cache_to)] {
        for cache in own_image(caches, job) {
            add(flag, cache);
        }
    }
    let vars = image_vars(Some(reference), &cx.env);
    for flag in &spec.cli_flags {
        let flag = flag.render(&vars, MissingKey::NoValue).map_err(|error| {
            BuildError::from(
                Diagnostic::error("build/template", format!("`cliFlags` of `{}` cannot be rendered", job.artifact))
                    .because(error.to_string()),
            )
        })?;
        arguments.push(flag);
    }
    let mut add = |flag: &str, value: Option<String>| arguments.extend(std::iter::once(flag.to_owned()).chain(value));
    if let Some(target) = &spec.target {
        add("--target", Some(target.clone()));
    }
    if let Some(network) = &spec.network {
        add("--network", Some(network.to_lowercase()));
    }
    for (flag, is_set) in [("--no-cache", spec.no_cache), ("--squash", spec.squash), ("--pull", spec.pull_parent)] {
        if is_set {
            add(flag, None);
        }
    }
    for secret in &spec.secrets {
        let source = match &secret.source {
            SecretSource::File(path) => format!("src={}", path.display()),
            SecretSource::Env(name) => format!("env={name}"),
        };
        add("--secret", Some(format!("id={},{source}", secret.id)));
    }
    if let Some(ssh) = &spec.ssh {
        add("--ssh", Some(ssh.clone()));
    }
    add("--force-rm", None);
    if let Some(platform) = platform {
        add("--platform", Some(platform.to_string()));
    }
    if job.local.use_buildkit == Some(true) && !job.pushes {
        add("--load", None);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests;
