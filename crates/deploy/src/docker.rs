//! The Docker deployer: each image as one container of the container daemon, on a network of the configuration's own; and the project of
//! a Compose file, by docker compose.
//!
//! What a container was made for stands in its labels, so that the next session finds it again, and leaves it alone while its image
//! and settings are what they were.

mod compose;
mod container;
mod delete;
mod ready;
mod wanted;

use std::collections::BTreeSet;
use std::path::PathBuf;

use devloop_clients::docker::Container;
use devloop_clients::docker::Docker;
use devloop_model::BuiltImage;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::DockerDeploy;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::ObjectKey;
use devloop_model::PortForward;
use devloop_model::Release;
use devloop_model::Stream;
use futures::future::try_join_all;

pub(crate) use self::container::free_name;
pub use self::delete::delete;
pub use self::ready::follow_readiness;
pub use self::ready::wait_until_ready;
use self::wanted::Wanted;
use crate::DeployError;
use crate::INVENTORY_LABEL;

/// The label that says which entry of `deploy.docker.images` runs in a container.
const ARTIFACT_LABEL: &str = "devloop.dev/artifact";
/// The label with the ID of the image.
const IMAGE_LABEL: &str = "devloop.dev/image";
/// The label with a digest of everything else that a container was made with.
const SETTINGS_LABEL: &str = "devloop.dev/settings";
/// The label of what a watching session made, so that it goes when such a session ends.
const PASSING_LABEL: &str = "devloop.dev/passing";

/// What a deploy into the container daemon needs to know besides the images.
#[derive(Debug, Clone)]
pub struct DockerJob {
    /// `deploy.docker` of the configuration.
    pub docker: DockerDeploy,
    /// Identity of the configuration: the same text for the same project at each run, and for no other on this machine.
    pub inventory: String,
    /// The network, which all modules of a session share.
    pub network: String,
    /// The entries of `portForward` that name containers.
    pub forwards: Vec<PortForward>,
    /// Whether every port that an image exposes is published.
    pub publishes_exposed: bool,
    /// Whether what this deploy creates goes when the session ends; a delete then leaves alone what was there for longer.
    pub passing: bool,
}

impl DockerJob {
    /// Returns the label that its containers have.
    fn label(&self) -> String {
        format!("{INVENTORY_LABEL}={}", self.inventory)
    }
}

/// Returns a name for the network of a configuration: the same for the same `configuration`, and readable.
pub fn network_name(configuration: &str) -> String {
    let folder = std::path::Path::new(configuration).parent().and_then(std::path::Path::file_name).unwrap_or_default().to_string_lossy();
    let readable: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(24).collect();
    let digest = crate::fingerprint::of_text(configuration);
    match readable.trim_matches('-') {
        "" => format!("devloop-{digest}"),
        readable => format!("devloop-{readable}-{digest}"),
    }
}

/// Returns what runs in the container daemon once each image and each service has its containers, and what the configuration no longer
/// names is gone.
///
/// A container whose image and settings are as wanted is not touched.
///
/// # Errors
/// When the daemon has no such image, a program cannot be started, a port is taken, or docker compose does not do its work.
pub async fn deploy(job: &DockerJob, images: &[BuiltImage], docker: &Docker, cx: &Cx) -> Result<Release, DeployError> {
    let (composed, existing): (Vec<Container>, Vec<Container>) =
        docker.find_containers(&job.label(), cx).await?.into_iter().partition(compose::made);
    let project = if let Some(spec) = &job.docker.compose {
        Some(compose::deploy(job, spec, images, &composed, docker, cx).await?)
    } else {
        compose::prune(&composed, docker, cx).await?;
        None
    };
    // What a service runs is run by that alone.
    let mut own = job.clone();
    own.docker.images.retain(|entry| project.as_ref().is_none_or(|project| !project.runs(&entry.image)));
    let job = &own;
    let wanted = wanted::wanted(job, images, docker, cx).await?;
    let old = |one: &Wanted| existing.iter().find(|container| container.labels.get(ARTIFACT_LABEL) == Some(&one.image));
    let is_unwanted = |container: &&Container| {
        let own = wanted.iter().filter_map(old).any(|kept| kept.id == container.id);
        !own || wanted.iter().any(|one| old(one).is_some_and(|old| old.id == container.id && !one.is(old)))
    };
    let unwanted: Vec<&Container> = existing.iter().filter(is_unwanted).collect();
    try_join_all(unwanted.iter().map(|container| container::remove(container, docker, cx))).await?;
    for container in unwanted.iter().filter(|container| !wanted.iter().any(|one| old(one).is_some_and(|old| old.id == container.id))) {
        said(&container.name, Change::Pruned, cx);
    }
    let is_new = |one: &&Wanted| old(one).is_none_or(|old| !one.is(old));
    if wanted.iter().any(|one| is_new(&one)) {
        docker.ensure_network(&job.network, &job.network_labels(), cx).await?;
    }
    let mut containers = project.map(|project| project.containers).unwrap_or_default();
    for one in &wanted {
        containers.push(match old(one) {
            Some(same) if one.is(same) => container::keep(one, same, docker, cx).await?,
            old => container::create(job, one, old, docker, cx).await?,
        });
    }
    // A session that lasts tells how its ports are.
    for (container, port) in containers.iter().filter(|_| !job.passing).flat_map(|one| one.ports.iter().map(move |port| (one, port))) {
        cx.log(Stream::Stdout, format!("port {} of container/{} is at {}:{}", port.port, container.name, port.address, port.local_port));
    }
    Ok(Release { containers, ..Release::default() })
}

/// Returns the files that what runs follows from, besides the images; nothing where no Compose file is read.
pub fn files(job: &DockerJob, env: &Env) -> BTreeSet<PathBuf> {
    job.docker.compose.as_ref().map(|spec| devloop_clients::compose::files(&spec.directory, env)).unwrap_or_default()
}

impl DockerJob {
    fn network_labels(&self) -> std::collections::BTreeMap<String, String> {
        [(INVENTORY_LABEL.to_owned(), self.inventory.clone())].into_iter().collect()
    }
}

fn said(name: &str, change: Change, cx: &Cx) {
    cx.emit(EventKind::ObjectChanged { object: ObjectKey::container(name), change, fields: Vec::new() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_named_after_the_folder_and_unlike_any_other() {
        let name = network_name("/home/me/My Shop/skaffold.yaml");
        assert!(name.starts_with("devloop-my-shop-"), "{name}");
        assert_eq!(name, network_name("/home/me/My Shop/skaffold.yaml"));
        assert_ne!(name, network_name("/home/you/My Shop/skaffold.yaml"));
        assert!(network_name("").starts_with("devloop-"));
    }
}
