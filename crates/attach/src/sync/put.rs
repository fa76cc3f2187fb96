//! The agent put into a container by its daemon, which needs nothing of the image: neither a shell nor a place that its user can write.

use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_model::Cx;

use super::agent;
use super::agent::Agent;
use super::channel::Closed;

/// Where it goes: nothing is mounted over the root. It stays there until the container goes, as its user may not delete it.
const NAME: &str = ".devloop-agent";

/// Returns an agent that runs in the container as the container's user, or as root.
///
/// # Errors
/// Why there is none.
pub(super) async fn start(container: &str, as_root: bool, docker: &Docker, cx: &Cx) -> Result<Agent, Closed> {
    docker.put_archive(container, agent::archive(NAME), cx).await.map_err(closed)?;
    let command = [format!("/{NAME}"), "stay".to_owned()];
    let exec = docker.exec(container, &command, as_root.then_some("0:0"), cx).await.map_err(closed)?;
    Agent::greet(exec).await
}

fn closed(error: DockerError) -> Closed {
    match error {
        DockerError::Answer { message, .. } => Closed::ForGood(message),
        error => Closed::ForNow(error.to_string()),
    }
}
