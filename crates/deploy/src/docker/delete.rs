//! Taking back what the Docker deployer created.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_clients::docker::Container;
use devloop_clients::docker::Docker;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::ObjectKey;
use devloop_model::Stream;
use futures::future::try_join_all;

use super::DockerJob;
use super::PASSING_LABEL;
use super::compose::PROJECT_LABEL;
use super::container::remove;
use super::said;
use crate::Deletion;
use crate::DeployError;
use crate::INVENTORY_LABEL;

/// Returns what was deleted: the containers of this configuration, and their network if nothing else uses it.
///
/// # Errors
/// When the daemon does not do it.
pub async fn delete(job: &DockerJob, dry_run: bool, docker: &Docker, cx: &Cx) -> Result<Deletion, DeployError> {
    let found = docker.find_containers(&job.label(), cx).await?;
    let (doomed, staying): (Vec<Container>, Vec<Container>) =
        found.into_iter().partition(|container| !job.passing || container.labels.contains_key(PASSING_LABEL));
    let keys = |containers: &[Container]| containers.iter().map(|container| ObjectKey::container(&container.name)).collect::<Vec<_>>();
    let deletion = Deletion { deleted: keys(&doomed), kept: Vec::new(), deployed: keys(&staying) };
    if dry_run {
        for container in &doomed {
            said(&container.name, Change::Deletable, cx);
        }
        return Ok(deletion);
    }
    try_join_all(doomed.iter().map(|container| async {
        remove(container, docker, cx).await?;
        said(&container.name, Change::Deleted, cx);
        Ok::<(), DeployError>(())
    }))
    .await?;
    if !staying.is_empty() {
        let names: Vec<String> = deletion.deployed.iter().map(ToString::to_string).collect();
        cx.log(Stream::Stdout, format!("{} kept: deployed before this session; `devloop delete` deletes them", names.join(", ")));
    }
    // Another configuration may have put them onto a network of its own.
    let networks: BTreeSet<&String> = doomed.iter().flat_map(|container| &container.networks).chain([&job.network]).collect();
    for network in networks {
        let is_ours = docker.network_labels(network, cx).await?.is_some_and(|labels| is_ours(&labels, &doomed));
        if is_ours {
            docker.remove_network(network, cx).await?;
        }
    }
    Ok(deletion)
}

/// Returns whether a network was made for the containers, by us or by docker compose.
fn is_ours(labels: &BTreeMap<String, String>, doomed: &[Container]) -> bool {
    let of_project = |project: &String| doomed.iter().any(|container| container.labels.get(PROJECT_LABEL) == Some(project));
    labels.contains_key(INVENTORY_LABEL) || labels.get(PROJECT_LABEL).is_some_and(of_project)
}
