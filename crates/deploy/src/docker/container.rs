//! One container: kept, made anew or removed.

use std::time::Duration;

use devloop_clients::docker::Container;
use devloop_clients::docker::ContainerSpec;
use devloop_clients::docker::ContainerStatus;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_clients::local_port;
use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::PublishedPort;
use devloop_model::ReleasedContainer;

use super::ARTIFACT_LABEL;
use super::DockerJob;
use super::IMAGE_LABEL;
use super::PASSING_LABEL;
use super::SETTINGS_LABEL;
use super::said;
use super::wanted::Wanted;
use super::wanted::WantedPort;
use crate::DeployError;
use crate::INVENTORY_LABEL;

/// How long a container has between its stop signal and SIGKILL, as child processes have.
const GRACE: Duration = Duration::from_secs(5);

/// Stops a container gently and removes it.
pub(super) async fn remove(container: &Container, docker: &Docker, cx: &Cx) -> Result<(), DockerError> {
    if container.status == ContainerStatus::Running {
        docker.stop_container(&container.id, GRACE, cx).await?;
    }
    docker.remove_container(&container.id, cx).await
}

/// Returns a container that is as wanted. One that ended well has done its work; any other that does not run is started again.
pub(super) async fn keep(one: &Wanted, same: &Container, docker: &Docker, cx: &Cx) -> Result<ReleasedContainer, DeployError> {
    let change = match same.status {
        ContainerStatus::Running | ContainerStatus::Ended { code: 0, .. } => Change::Unchanged,
        ContainerStatus::Created | ContainerStatus::Ended { .. } => {
            start(one, &same.id, &same.name, docker, cx).await?;
            Change::Configured
        }
    };
    said(&same.name, change, cx);
    Ok(released(one, same.name.clone(), same.id.clone(), same.ports.clone()))
}

/// Returns a new container in the place of an old one, which is gone by now; its name and ports stay.
pub(super) async fn create(
    job: &DockerJob,
    one: &Wanted,
    old: Option<&Container>,
    docker: &Docker,
    cx: &Cx,
) -> Result<ReleasedContainer, DeployError> {
    let name = match old {
        Some(old) => old.name.clone(),
        None => own_name(&one.name, docker, cx).await?,
    };
    let ports = ports(one, &name, old, cx).await?;
    let is_passing = job.passing && old.is_none_or(|old| old.labels.contains_key(PASSING_LABEL));
    let labels = [
        (INVENTORY_LABEL, Some(job.inventory.clone())),
        (ARTIFACT_LABEL, Some(one.image.clone())),
        (IMAGE_LABEL, Some(one.id.clone())),
        (SETTINGS_LABEL, Some(one.settings.clone())),
        (PASSING_LABEL, is_passing.then(|| "true".to_owned())),
    ];
    let spec = ContainerSpec {
        name: Some(name.clone()),
        image: one.reference.clone(),
        network: Some(job.network.clone()),
        aliases: vec![one.name.clone()],
        labels: labels.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?))).collect(),
        ports: ports.clone(),
        ..ContainerSpec::default()
    };
    let id = docker.create_container(&spec, cx).await?;
    start(one, &id, &name, docker, cx).await?;
    said(&name, if old.is_some() { Change::Configured } else { Change::Created }, cx);
    Ok(released(one, name, id, ports))
}

fn released(one: &Wanted, name: String, id: String, ports: Vec<PublishedPort>) -> ReleasedContainer {
    ReleasedContainer { name, id, image: one.image.clone(), reference: one.reference.clone(), artifact: one.artifact.clone(), ports }
}

/// Starts a container; one that does not start is removed, so that the next try is free to choose other ports.
async fn start(one: &Wanted, id: &str, name: &str, docker: &Docker, cx: &Cx) -> Result<(), DeployError> {
    match docker.start_container(id, cx).await {
        Ok(()) => Ok(()),
        Err(DockerError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(error) => {
            docker.remove_container(id, cx).await?;
            Err(DeployError::Container(Box::new(not_started(one, name, &error))))
        }
    }
}

fn not_started(one: &Wanted, name: &str, error: &DockerError) -> Diagnostic {
    let why = error.diagnostic().why.join("\n");
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let (code, help) = if has(&["port is already allocated", "address already in use"]) {
        ("deploy/port-taken", "end what listens there, or choose another `localPort` in `portForward`")
    } else if has(&["executable file not found", "no such file or directory"]) {
        ("deploy/container-start", "check the image's ENTRYPOINT and CMD: the program is not in the image")
    } else if has(&["exec format error"]) {
        ("deploy/container-start", "build the image for the platform of the container daemon (`--platform`)")
    } else if has(&["permission denied"]) {
        ("deploy/container-start", "make the program in the image executable")
    } else {
        ("deploy/container-start", "look at what the container daemon says")
    };
    Diagnostic::error(code, format!("container/{name} of image `{}` cannot be started", one.image)).because(why).help(help)
}

async fn own_name(name: &str, docker: &Docker, cx: &Cx) -> Result<String, DockerError> {
    let (free, is_other) = free_name(name, docker, cx).await?;
    if is_other {
        cx.warn(name_taken(name, &free));
    }
    Ok(free)
}

/// Returns the first name of `name`, `name-1`, `name-2` that no container has, and whether that is another one than `name`.
pub(crate) async fn free_name(name: &str, docker: &Docker, cx: &Cx) -> Result<(String, bool), DockerError> {
    let mut free = name.to_owned();
    let mut number = 0;
    while docker.container(&free, cx).await?.is_some() {
        number += 1;
        free = format!("{name}-{number}");
    }
    Ok((free, number > 0))
}

fn name_taken(name: &str, free: &str) -> Diagnostic {
    let what = format!("another project has a container called `{name}`: this one is called `{free}`");
    Diagnostic::warning("deploy/name-taken", what).help(format!("other containers of this project reach it as `{name}`"))
}

/// Returns the ports of this machine for a container: those of the one before it, else the wanted ones, else what is free.
async fn ports(one: &Wanted, name: &str, old: Option<&Container>, cx: &Cx) -> Result<Vec<PublishedPort>, DeployError> {
    let mut published = Vec::new();
    // They are held until all are chosen, so that no two are the same.
    let mut held = Vec::new();
    for WantedPort { port, address, local_port } in &one.ports {
        let was = |old: &Container| old.ports.iter().find(|was| was.port == *port && was.address == *address).map(|was| was.local_port);
        let kept = old.and_then(was).filter(|kept| {
            local_port.is_none_or(|wanted| wanted == *kept || !published.iter().any(|p: &PublishedPort| p.local_port == *kept))
        });
        if let Some(local_port) = kept {
            published.push(PublishedPort { port: *port, address: address.clone(), local_port });
            continue;
        }
        let listening = local_port::listen(address, *local_port).await.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (found, listener) = listening.map_err(|error| DeployError::Container(Box::new(no_address(name, address, &error))))?;
        held.push(listener);
        if let Some(wanted) = local_port.filter(|wanted| *wanted != found) {
            cx.warn(port_taken(name, *port, wanted, found));
        }
        published.push(PublishedPort { port: *port, address: address.clone(), local_port: found });
    }
    Ok(published)
}

fn no_address(name: &str, address: &str, error: &std::io::Error) -> Diagnostic {
    let what = format!("no port of container/{name} can be published at {address}");
    Diagnostic::error("deploy/no-address", what).because(error.to_string()).help("choose an address of this machine in `portForward`")
}

fn port_taken(name: &str, port: u16, wanted: u16, found: u16) -> Diagnostic {
    let what = format!("port {wanted} of this machine is taken: port {port} of container/{name} is published at {found}");
    Diagnostic::warning("deploy/port-taken", what).help("end what listens there, or choose another `localPort` in `portForward`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            image: "web".into(),
            artifact: None,
            reference: "web:1".into(),
            id: String::new(),
            name: "web".into(),
            ports: Vec::new(),
            settings: String::new(),
        }
    }

    #[test]
    fn what_does_not_start_is_told_with_what_to_do() {
        let said = |message: &str| {
            let error = DockerError::Answer { what: "start container `web`".into(), message: message.into() };
            not_started(&wanted(), "web", &error).to_string()
        };
        insta::assert_snapshot!(
            [
                said("driver failed programming external connectivity: Bind for 127.0.0.1:8080 failed: port is already allocated"),
                said("OCI runtime create failed: exec: \"/app\": stat /app: no such file or directory: unknown"),
                name_taken("web", "web-1").to_string(),
                port_taken("web", 80, 8080, 8081).to_string(),
            ]
            .join("\n\n"),
            @r#"
        error[deploy/port-taken]: container/web of image `web` cannot be started
          driver failed programming external connectivity: Bind for 127.0.0.1:8080 failed: port is already allocated
        help: end what listens there, or choose another `localPort` in `portForward`

        error[deploy/container-start]: container/web of image `web` cannot be started
          OCI runtime create failed: exec: "/app": stat /app: no such file or directory: unknown
        help: check the image's ENTRYPOINT and CMD: the program is not in the image

        warning[deploy/name-taken]: another project has a container called `web`: this one is called `web-1`
        help: other containers of this project reach it as `web`

        warning[deploy/port-taken]: port 8080 of this machine is taken: port 80 of container/web is published at 8081
        help: end what listens there, or choose another `localPort` in `portForward`
        "#
        );
    }

    #[tokio::test]
    async fn ports_stay_over_replacements() {
        let cx = Cx::silent(devloop_model::StepId::of(devloop_model::Stage::Deploy));
        let address = || "127.0.0.1".to_owned();
        let one = Wanted { ports: vec![WantedPort { port: 80, address: address(), local_port: Some(8080) }], ..wanted() };
        let had = PublishedPort { port: 80, address: address(), local_port: 8083 };
        let old = Container {
            id: String::new(),
            name: "web".into(),
            image: "web".into(),
            labels: std::collections::BTreeMap::new(),
            status: ContainerStatus::Running,
            health: None,
            ports: vec![had.clone()],
            networks: Vec::new(),
            started: None,
        };
        assert_eq!(ports(&one, "web", Some(&old), &cx).await.unwrap(), [had]);
        let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
        let two = [taken, taken].map(|port| WantedPort { port: 80, address: address(), local_port: Some(port) });
        let found = ports(&Wanted { ports: two.to_vec(), ..wanted() }, "web", None, &cx).await.unwrap();
        assert_ne!(found[0].local_port, found[1].local_port);
    }
}
