//! A command of the user's that makes an image.

use devloop_clients::docker::Docker;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_clients::registry::Registry;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::ClusterBuild;
use devloop_model::CustomBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::MissingKey;
use devloop_model::Namespace;
use devloop_model::Platform;
use devloop_model::Vars;

use crate::BuildError;

/// What is built, and how the command is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CustomJob<'a> {
    /// The artifact.
    pub(crate) artifact: &'a Artifact,
    /// The name and tag that the image has to get.
    pub(crate) reference: &'a ImageRef,
    /// What to build for.
    pub(crate) platforms: &'a [Platform],
    /// The images that it requires, each under its alias.
    pub(crate) required: &'a [(String, BuiltImage)],
    /// Whether the command has to push.
    pub(crate) pushes: bool,
    /// Whether tests are skipped.
    pub(crate) skips_tests: bool,
    /// Variables with which the command reaches where it builds: the daemon that the image has to be in, or the cluster.
    pub(crate) place: &'a [(&'static str, String)],
}

/// Returns the variables of a command that builds in the cluster. Source: skaffold `pkg/skaffold/build/cluster/cluster.go`.
///
/// `secrets` are those of `build.cluster`: of a Google service account key, and of a docker configuration.
pub(crate) fn in_cluster(
    build: &ClusterBuild,
    context: Option<&str>,
    namespace: &Namespace,
    secrets: [Option<String>; 2],
) -> Vec<(&'static str, String)> {
    let [pull, docker_config] = secrets;
    let all = [
        ("KUBE_CONTEXT", context.map(str::to_owned)),
        ("NAMESPACE", Some(namespace.to_string())),
        ("PULL_SECRET_NAME", pull),
        ("DOCKER_CONFIG_SECRET_NAME", docker_config),
        ("TIMEOUT", Some(format!("{}s", build.timeout.as_secs()))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Runs the command and returns the digest under which it pushed the image.
///
/// # Errors
/// When the command fails, or the registry has no such image afterwards.
pub(crate) async fn push(spec: &CustomBuild, job: CustomJob<'_>, registry: &Registry, cx: &Cx) -> Result<Digest, BuildError> {
    run(spec, job, cx).await?;
    let found = registry.digest(job.reference, cx).await?;
    found.ok_or_else(|| {
        no_image(job, "the registry has no such image").help("push the image as `$IMAGE` when `$PUSH_IMAGE` is `true`").into()
    })
}

/// Runs the command and returns the ID of the image that it put into the daemon.
///
/// # Errors
/// When the command fails, or the daemon has no such image afterwards.
pub(crate) async fn load(spec: &CustomBuild, job: CustomJob<'_>, docker: &Docker, cx: &Cx) -> Result<ImageId, BuildError> {
    run(spec, job, cx).await?;
    let found = docker.image_id(&job.reference.to_string(), cx).await?;
    found.ok_or_else(|| {
        no_image(job, "the container daemon has no such image").help("name the image `$IMAGE` in the daemon that `docker` speaks to").into()
    })
}

async fn run(spec: &CustomBuild, job: CustomJob<'_>, cx: &Cx) -> Result<(), BuildError> {
    let vars = Vars::from_env(&cx.env);
    let command = spec.command.render(&vars, MissingKey::NoValue).map_err(|error| {
        BuildError::from(
            Diagnostic::error("build/template", format!("the build command of `{}` cannot be rendered", job.artifact.image))
                .at(job.artifact.at.clone())
                .because(error.to_string()),
        )
    })?;
    let (shell, flag) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("sh", "-c") };
    let process = Command::new(shell).arg(flag).arg(&command).dir(&job.artifact.context);
    let process = variables(job, cx).into_iter().fold(process, |process, (name, value)| process.env(name, value));
    process.run(cx).await.map_err(|error| match error {
        ProcessError::Failed { status, last_lines, .. } => {
            let fault = Diagnostic::error(
                "build/custom-failed",
                format!("the build command of `{}` ended with {status}: `{command}`", job.artifact.image),
            );
            let fault = fault.help("run it by hand in the context of the artifact to see more");
            if last_lines.is_empty() { fault.into() } else { fault.because(last_lines.join("\n")).into() }
        }
        other => other.into(),
    })
}

/// Returns what the command is told; what the environment says already stays, as the last value wins
/// there. Source: skaffold `pkg/skaffold/build/custom/script.go`.
fn variables(job: CustomJob<'_>, cx: &Cx) -> Vec<(String, String)> {
    let platforms = job.platforms.iter().map(Platform::as_str).collect::<Vec<_>>().join(",");
    let own = [
        ("IMAGE", job.reference.to_string()),
        ("PUSH_IMAGE", job.pushes.to_string()),
        ("BUILD_CONTEXT", job.artifact.context.display().to_string()),
        ("PLATFORMS", platforms),
        ("SKIP_TEST", job.skips_tests.to_string()),
        ("IMAGE_REPO", job.reference.name.to_string()),
        ("IMAGE_TAG", job.reference.tag.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    let own = own.into_iter().chain(job.place.iter().cloned()).map(|(name, value)| (name.to_owned(), value));
    let required = job.required.iter().map(|(alias, image)| (alias.clone(), image.deployed()));
    own.chain(required).filter(|(name, _)| cx.env.get(name).is_none()).collect()
}

fn no_image(job: CustomJob<'_>, why: &str) -> Diagnostic {
    Diagnostic::error(
        "build/custom-no-image",
        format!("the build command of `{}` succeeded but made no `{}`", job.artifact.image, job.reference),
    )
    .because(why)
}

#[cfg(test)]
mod tests;
