//! Images from a Dockerfile, by BuildKit in a pod of the cluster, or by a BuildKit of the user's own.

mod connect;
mod object;
mod state;

use std::time::Duration;

use devloop_clients::Clients;
use devloop_clients::buildkit::Address;
use devloop_clients::buildkit::BuildKit;
use devloop_clients::buildkit::Output;
use devloop_clients::docker::BuildRequest;
use devloop_clients::docker::DockerError;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::ClusterBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageRef;
use devloop_model::Platform;
use devloop_model::Stream;

pub use self::connect::remove_builders;
pub use self::object::ROOT;
use crate::BuildError;
use crate::BuildOptions;

/// Which BuildKit builds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// `build.cluster`.
    pub(crate) cluster: &'a ClusterBuild,
    /// What somebody asks for; commands that look at the nodes, and those that do not, share a builder.
    pub(crate) platforms: &'a [Platform],
    /// What holds for every build.
    pub(crate) options: &'a BuildOptions,
    /// Whether the artifact says that its registry is spoken to without TLS.
    pub(crate) is_insecure: bool,
}

/// Returns the digest of the image that was built and pushed under `names`.
///
/// # Errors
/// When there is no BuildKit to be had, or the build fails.
pub(crate) async fn build(
    request: &BuildRequest,
    names: Vec<String>,
    place: Place<'_>,
    clients: &Clients,
    cx: &Cx,
) -> Result<Digest, BuildError> {
    let insecure = place.is_insecure || place.options.builder.is_insecure(&request.tag);
    let output = Output::Push { names, insecure };
    let own = Address::from_env(&cx.env)?;
    let mut attempt = 1;
    let built = loop {
        let buildkit = match &own {
            Some(address) => of_user(address, clients, cx).await?,
            None => connect::builder(place, clients, cx).await?,
        };
        let building = buildkit.build(request, &output, &cx.env, cx);
        let built = in_time(&request.tag, place.cluster, building).await?;
        match built {
            // A pod that was evicted or killed takes its builds with it, and nothing of them is wrong.
            Err(error) if attempt == 1 && !is_told_by_build(&error) && !buildkit.answers().await => {
                cx.log(Stream::Stderr, "the builder is gone in the middle of the build: once more".to_owned());
                attempt += 1;
            }
            built => break built?,
        }
    };
    let no_digest = || Diagnostic::error("build/no-digest", format!("BuildKit names no digest of `{}`", request.tag));
    Ok(built.ok_or_else(no_digest)?)
}

/// Returns what `building` gives, unless `build.cluster.timeout` is over first.
///
/// # Errors
/// When it is.
pub(super) async fn in_time<T>(image: &ImageRef, cluster: &ClusterBuild, building: impl Future<Output = T>) -> Result<T, BuildError> {
    match cluster.timeout {
        Duration::ZERO => Ok(building.await),
        limit => Ok(tokio::time::timeout(limit, building).await.map_err(|_| too_long(image, limit))?),
    }
}

fn too_long(image: &ImageRef, limit: Duration) -> Diagnostic {
    let what = format!("the build of `{image}` was not done after {} s", limit.as_secs());
    Diagnostic::error("build/timeout", what).help("give it longer: `build.cluster.timeout`")
}

/// Returns whether it is the build that went wrong, and no connection.
fn is_told_by_build(error: &DockerError) -> bool {
    match error {
        DockerError::BuildFailed { step, .. } => step.is_some(),
        DockerError::BuildKit { .. } => false,
        _ => true,
    }
}

/// Returns what builds the Dockerfile of an artifact in the cluster, and what is known of that; none for what is built elsewhere.
pub async fn examine(artifact: &Artifact, options: &BuildOptions, clients: &Clients, cx: &Cx) -> Option<Result<String, Diagnostic>> {
    let cluster = artifact.cluster().filter(|_| artifact.builder.dockerfile().is_some())?;
    if let Builder::Kaniko(kaniko) = &artifact.builder
        && (kaniko.asks_for_kaniko() || !is_there(cluster, options, cx))
    {
        return Some(Ok(super::kaniko::announcement(kaniko).join("; ")));
    }
    match Address::from_env(&cx.env) {
        Err(error) => return Some(Err(error.diagnostic())),
        Ok(Some(address)) => return Some(Ok(format!("BuildKit at {address}, as BUILDKIT_HOST says"))),
        Ok(None) => {}
    }
    let place = Place { cluster, platforms: options.asked_platforms_of(artifact), options, is_insecure: false };
    let examined = connect::examine(place, clients, cx).await.map_err(|error| error.diagnostic());
    Some(examined.map(|found| format!("BuildKit in a pod of the cluster, which needs no privilege: {found}")))
}

/// Returns whether there is a BuildKit for builds in the cluster: an image to make one of, or one of the user's own.
pub(crate) fn is_there(cluster: &ClusterBuild, options: &BuildOptions, cx: &Cx) -> bool {
    image(cluster, options).is_some() || cx.env.get("BUILDKIT_HOST").is_some_and(|host| !host.is_empty())
}

/// Returns the image of the builder pod: what the command line says, else the configuration, else the settings.
fn image<'a>(cluster: &'a ClusterBuild, options: &'a BuildOptions) -> Option<&'a str> {
    let of_settings = options.builder.image.as_deref();
    if options.builder.image_is_forced { of_settings } else { cluster.builder_image.as_deref().or(of_settings) }
}

/// Returns the BuildKit that `BUILDKIT_HOST` names.
async fn of_user(address: &Address, clients: &Clients, cx: &Cx) -> Result<BuildKit, BuildError> {
    let open = || async {
        let buildkit = address.connect(cx).await?;
        cx.log(Stream::Stdout, format!("Builder: BuildKit at {address}, as BUILDKIT_HOST says"));
        Ok::<_, BuildError>(buildkit)
    };
    clients.builder(&address.to_string(), open).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BuilderOptions;

    #[test]
    fn the_image_of_the_builder_is_that_of_whoever_says_it_most_loudly() {
        for (of_settings, is_forced, of_file, expected) in [
            (None, false, None, None),
            (Some("settings"), false, None, Some("settings")),
            (Some("settings"), false, Some("file"), Some("file")),
            (Some("flag"), true, Some("file"), Some("flag")),
            (None, false, Some("file"), Some("file")),
        ] {
            let cluster = ClusterBuild { builder_image: of_file.map(str::to_owned), ..ClusterBuild::default() };
            let builder = BuilderOptions { image: of_settings.map(str::to_owned), image_is_forced: is_forced, ..BuilderOptions::default() };
            let options = BuildOptions { builder, ..BuildOptions::without_cluster("/cache".into(), "/".into(), "run") };
            assert_eq!(image(&cluster, &options), expected);
        }
    }
}
