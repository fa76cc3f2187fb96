//! From where an image was built to where the cluster runs it from.

mod archive;
mod nodes;

pub(crate) use self::archive::Saved;
use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Delivery;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageRef;
use devloop_model::LoadInto;
use devloop_model::Platform;
use devloop_model::Stream;

use crate::BuildError;

/// Brings an image that only a daemon has to the cluster: under the name that manifests are given, on every node.
/// A pushed image is there already.
///
/// # Errors
/// When the daemon does not have the image, or a node does not take it.
pub(crate) async fn deliver(image: &BuiltImage, delivery: &Delivery, docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let Identity::Id(id) = &image.identity else { return Ok(()) };
    let name: ImageRef = image
        .deployed()
        .parse()
        .map_err(|error| DockerError::Answer { what: format!("name image `{}`", image.deployed()), message: format!("{error}") })?;
    docker.tag(id.as_str(), &name, cx).await?;
    load(image, &name, delivery, docker, cx).await
}

/// Puts an image that was built before onto the nodes of a local cluster (`--load-images`); nothing to do where nodes
/// have the daemon's images, or pull from a registry.
///
/// # Errors
/// When the daemon does not have the image, or a node does not take it.
pub async fn load_named(image: &BuiltImage, delivery: &Delivery, clients: &Clients, cx: &Cx) -> Result<(), BuildError> {
    if matches!(delivery, Delivery::Push | Delivery::Load(LoadInto::Daemon)) {
        return Ok(());
    }
    let name = ImageRef { name: image.name.clone(), tag: image.tag.clone(), digest: None };
    load(image, &name, delivery, clients.docker(cx).await?, cx).await
}

async fn load(image: &BuiltImage, name: &ImageRef, delivery: &Delivery, docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let into = match delivery {
        Delivery::Push | Delivery::Load(LoadInto::Daemon) => return Ok(()),
        Delivery::Load(LoadInto::Kind { cluster }) => {
            nodes::load(name, nodes::kind(cluster), docker, cx).await?;
            cluster
        }
        Delivery::Load(LoadInto::K3d { cluster }) => {
            nodes::load(name, nodes::k3d(cluster), docker, cx).await?;
            cluster
        }
    };
    cx.emit(EventKind::ImageLoaded { image: image.clone(), into: into.clone() });
    Ok(())
}

/// Returns the image under `reference` if somebody else has built it (`tryImportMissing`): in the registry, or pulled
/// into the daemon.
///
/// # Errors
/// When the registry or the daemon cannot be asked; that there is no such image is none.
pub(crate) async fn import_missing(
    reference: &ImageRef,
    platform: Option<&Platform>,
    pushes: bool,
    clients: &Clients,
    cx: &Cx,
) -> Result<Option<Identity>, BuildError> {
    if pushes {
        return Ok(clients.registry().digest(reference, cx).await?.map(Identity::Digest));
    }
    let docker = clients.docker(cx).await?;
    let name = reference.to_string();
    if let Some(id) = docker.image_id(&name, cx).await? {
        return Ok(Some(Identity::Id(id)));
    }
    match docker.pull(reference, platform, cx).await {
        Ok(()) => Ok(docker.image_id(&name, cx).await?.map(Identity::Id)),
        Err(DockerError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(error) => {
            cx.log(Stream::Stdout, format!("Failed to import {name}: {error}"));
            Ok(None)
        }
    }
}
