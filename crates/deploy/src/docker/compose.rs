//! A Compose project: docker compose runs it, with our images and labels put in, and only where anything differs.

mod model;

use std::collections::BTreeMap;
use std::path::Path;

use devloop_clients::compose::Compose;
use devloop_clients::docker::Container;
use devloop_clients::docker::ContainerStatus;
use devloop_clients::docker::Docker;
use devloop_model::BuiltImage;
use devloop_model::Change;
use devloop_model::ComposeSpec;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageRef;
use devloop_model::PublishedPort;
use devloop_model::ReleasedContainer;
use futures::future::try_join_all;

use self::model::Identity;
use self::model::Service;
use super::DockerJob;
use super::IMAGE_LABEL;
use super::PASSING_LABEL;
use super::SETTINGS_LABEL;
use super::container::remove;
use super::said;
use crate::DeployError;
use crate::INVENTORY_LABEL;

/// The label with the project of what Compose made.
pub(super) const PROJECT_LABEL: &str = "com.docker.compose.project";
/// The label with the service.
const SERVICE_LABEL: &str = "com.docker.compose.service";
/// The label of what `docker compose run` made, which is no part of what runs.
const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";
/// The label with the directory that Compose was called in.
const DIRECTORY_LABEL: &str = "com.docker.compose.project.working_dir";

/// What runs of a project.
pub(super) struct Running {
    pub(super) containers: Vec<ReleasedContainer>,
    services: Vec<Service>,
}

impl Running {
    /// Returns whether a service runs this image.
    pub(super) fn runs(&self, image: &str) -> bool {
        self.services.iter().any(|service| service.names(image))
    }
}

/// Returns whether Compose made a container.
pub(super) fn made(container: &Container) -> bool {
    container.labels.contains_key(SERVICE_LABEL)
}

/// Returns what runs once each service does; `ours` is what an earlier deploy left.
pub(super) async fn deploy(
    job: &DockerJob,
    spec: &ComposeSpec,
    images: &[BuiltImage],
    ours: &[Container],
    docker: &Docker,
    cx: &Cx,
) -> Result<Running, DeployError> {
    let program = Compose::find(&spec.directory, &spec.at, docker, cx).await?;
    let mut model = program.config(cx).await?;
    let mut services = model::services(&mut model, images);
    let project = model["name"].as_str().unwrap_or_default().to_owned();
    warn_of_builds(&services, cx);
    let before = of_project(&project, docker, cx).await?;
    check_owner(job, spec, &project, &before)?;
    prune(ours.iter().filter(|old| !is_of(old, &project, &services)), docker, cx).await?;
    for service in &mut services {
        let old: Vec<&Container> = before.iter().filter(|container| is_of_service(container, service)).collect();
        decide(job, service, &old, docker, cx).await?;
    }
    model::identify(&mut model, &services, &job.inventory);
    if services.iter().any(|service| !service.stands) {
        if lacks_images(&services, docker, cx).await? {
            program.pull(&model, cx).await?;
        }
        program.up(&model, cx).await?;
    }
    let after = of_project(&project, docker, cx).await?;
    let after: Vec<&Container> = after.iter().filter(|container| is_of(container, &project, &services)).collect();
    tell(&before, &after, cx);
    for gone in before.iter().filter(|old| is_of(old, &project, &services) && !after.iter().any(|new| new.name == old.name)) {
        said(&gone.name, Change::Pruned, cx);
    }
    let containers = after.iter().map(|container| released(container, &services)).collect();
    Ok(Running { containers, services })
}

/// Removes containers that the configuration no longer names.
pub(super) async fn prune(stale: impl IntoIterator<Item = &Container>, docker: &Docker, cx: &Cx) -> Result<(), DeployError> {
    let removed = stale.into_iter().map(|container| async {
        remove(container, docker, cx).await?;
        said(&container.name, Change::Pruned, cx);
        Ok::<(), DeployError>(())
    });
    try_join_all(removed).await.map(drop)
}

/// Returns the containers of a project, whoever made them.
async fn of_project(project: &str, docker: &Docker, cx: &Cx) -> Result<Vec<Container>, DeployError> {
    let mut found = docker.find_containers(&format!("{PROJECT_LABEL}={project}"), cx).await?;
    found.retain(|container| made(container) && container.labels.get(ONE_OFF_LABEL).is_none_or(|one_off| one_off != "True"));
    Ok(found)
}

/// Checks that nobody else has a project of this name: Compose would put our containers in the place of theirs.
fn check_owner(job: &DockerJob, spec: &ComposeSpec, project: &str, before: &[Container]) -> Result<(), DeployError> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = |container: &Container| container.labels.get(DIRECTORY_LABEL).map(|path| real(Path::new(path)));
    let is_foreign = |container: &&Container| match container.labels.get(INVENTORY_LABEL) {
        Some(inventory) => *inventory != job.inventory,
        None => directory(container).is_some_and(|directory| directory != real(&spec.directory)),
    };
    let Some(foreign) = before.iter().find(is_foreign) else { return Ok(()) };
    let what = format!("another Compose project of this machine is called `{project}`");
    let error = Diagnostic::error("deploy/project-taken", what).at(spec.at.clone());
    let error = match foreign.labels.get(INVENTORY_LABEL).or_else(|| foreign.labels.get(DIRECTORY_LABEL)) {
        Some(place) => error.because(format!("container/{} is of {place}", foreign.name)),
        None => error,
    };
    let help = "give this one another `name:` in its Compose file, or set `COMPOSE_PROJECT_NAME`";
    Err(DeployError::Container(Box::new(error.help(help))))
}

fn is_of(container: &Container, project: &str, services: &[Service]) -> bool {
    container.labels.get(PROJECT_LABEL).is_some_and(|of| of == project) && services.iter().any(|service| is_of_service(container, service))
}

fn is_of_service(container: &Container, service: &Service) -> bool {
    container.labels.get(SERVICE_LABEL) == Some(&service.name)
}

/// Fills in which image a service runs, and whether it runs as it is to.
async fn decide(job: &DockerJob, service: &mut Service, old: &[&Container], docker: &Docker, cx: &Cx) -> Result<(), DeployError> {
    let id = match &service.artifact {
        Some(artifact) => Some(image_id(&artifact.reference, docker, cx).await?),
        None => None,
    };
    let is_same = |container: &&Container| {
        container.labels.get(IMAGE_LABEL) == id.as_ref() && container.labels.get(SETTINGS_LABEL) == Some(&service.settings)
    };
    let same = !old.is_empty() && old.iter().all(is_same);
    // What stands keeps the name that its image had, as long as that means the image: for another name, Compose would make it anew.
    if let (true, Some(artifact), Some(standing)) = (same, &mut service.artifact, old.first())
        && docker.image_id(&standing.image, cx).await?.map(|id| id.to_string()) == id
    {
        artifact.reference.clone_from(&standing.image);
    }
    let is_up = |container: &&Container| matches!(container.status, ContainerStatus::Running | ContainerStatus::Ended { code: 0, .. });
    let was_passing = old.iter().any(|container| container.labels.contains_key(PASSING_LABEL));
    let passing = if same { was_passing } else { job.passing && (old.is_empty() || was_passing) };
    service.stands = (same || service.count == 0) && old.len() == service.count && old.iter().all(is_up);
    service.identity = Identity { id, passing };
    Ok(())
}

/// Returns whether the daemon has to get an image from elsewhere.
async fn lacks_images(services: &[Service], docker: &Docker, cx: &Cx) -> Result<bool, DeployError> {
    let others = services.iter().filter(|service| service.artifact.is_none() && !service.builds_itself && service.count > 0);
    for image in others.filter_map(|service| service.image.as_deref()) {
        if docker.image_id(image, cx).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the ID of an artifact's image, which is pulled where only a registry has it.
async fn image_id(reference: &str, docker: &Docker, cx: &Cx) -> Result<String, DeployError> {
    if let Some(id) = docker.image_id(reference, cx).await? {
        return Ok(id.to_string());
    }
    let missing = || {
        let what = format!("the container daemon does not have `{reference}`");
        DeployError::Container(Box::new(Diagnostic::error("deploy/no-image", what)))
    };
    docker.pull(&ImageRef::parse(reference).map_err(|_| missing())?, None, cx).await?;
    docker.image_id(reference, cx).await?.map(|id| id.to_string()).ok_or_else(missing)
}

/// Says what became of each container.
fn tell(before: &[Container], after: &[&Container], cx: &Cx) {
    let known: BTreeMap<&str, &Container> = before.iter().map(|container| (container.name.as_str(), container)).collect();
    for container in after {
        let change = match known.get(container.name.as_str()) {
            None => Change::Created,
            Some(old) if old.id == container.id && old.started == container.started => Change::Unchanged,
            Some(_) => Change::Configured,
        };
        said(&container.name, change, cx);
    }
}

fn released(container: &Container, services: &[Service]) -> ReleasedContainer {
    let service = services.iter().find(|service| is_of_service(container, service));
    let artifact = service.and_then(|service| service.artifact.as_ref());
    // What is published everywhere is reached from here as what is published here.
    let here = |port: &PublishedPort| match port.address.as_str() {
        "" | "0.0.0.0" | "::" => PublishedPort { address: "127.0.0.1".to_owned(), ..port.clone() },
        _ => port.clone(),
    };
    ReleasedContainer {
        name: container.name.clone(),
        id: container.id.clone(),
        image: service.and_then(|service| service.image.clone()).unwrap_or_else(|| container.image.clone()),
        reference: artifact.map_or_else(|| container.image.clone(), |artifact| artifact.reference.clone()),
        artifact: artifact.map(|artifact| artifact.name.clone()),
        ports: container.ports.iter().map(here).collect(),
    }
}

/// Says which services Compose builds by itself, for it does so only once.
fn warn_of_builds(services: &[Service], cx: &Cx) {
    for service in services.iter().filter(|service| service.builds_itself) {
        let what = format!("service `{}` is built by docker compose, which does not look at its sources again", service.name);
        let help = "make it an artifact, and name that in the service's `image`";
        cx.warn(Diagnostic::warning("deploy/built-by-compose", what).help(help));
    }
}
