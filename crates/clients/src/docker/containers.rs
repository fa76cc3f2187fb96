//! Containers that run images of the user: made, found again, started, stopped and removed.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::models::ContainerInspectResponse;
use bollard::models::EndpointSettings;
use bollard::models::HealthStatusEnum;
use bollard::models::HostConfig;
use bollard::models::NetworkingConfig;
use bollard::models::PortBinding;
use bollard::models::PortMap;
use bollard::query_parameters::CreateContainerOptions;
use bollard::query_parameters::InspectContainerOptions;
use bollard::query_parameters::ListContainersOptions;
use bollard::query_parameters::RemoveContainerOptions;
use bollard::query_parameters::StartContainerOptions;
use bollard::query_parameters::StopContainerOptions;
use bollard::query_parameters::WaitContainerOptions;
use devloop_model::Cx;
use devloop_model::PublishedPort;
use devloop_model::Timestamp;
use futures::StreamExt as _;
use futures::future::try_join_all;

use super::Docker;
use super::DockerError;

/// A container to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name; none lets the daemon choose.
    pub name: Option<String>,
    /// The image, as the daemon has it.
    pub image: String,
    /// The network; none is the daemon's default.
    pub network: Option<String>,
    /// What others on that network call it, beside its name.
    pub aliases: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Ports that are published.
    pub ports: Vec<PublishedPort>,
    /// Its program; empty means the image's.
    pub command: Vec<String>,
    /// Arguments of the program; empty means the image's.
    pub args: Vec<String>,
    /// More variables, `NAME=value`.
    pub env: Vec<String>,
}

/// A container as the daemon has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image, as it was named when the container was made.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it does.
    pub status: ContainerStatus,
    /// What its health check says; none if it has none.
    pub health: Option<Health>,
    /// Ports that are published.
    pub ports: Vec<PublishedPort>,
    /// Names of its networks.
    pub networks: Vec<String>,
    /// When it was started last.
    pub started: Option<Timestamp>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerStatus {
    /// It never ran.
    Created,
    /// It runs.
    Running,
    /// It ended.
    Ended {
        /// Its exit code.
        code: i64,
        /// Whether it was killed for its memory.
        out_of_memory: bool,
    },
}

/// What a health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing yet, or not often enough.
    Starting,
    /// All is well.
    Healthy,
    /// It fails.
    Unhealthy {
        /// What it wrote last.
        output: String,
    },
}

impl Docker {
    /// Returns the containers that have this label, `name` or `name=value`, whether they run or not, by name.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn find_containers(&self, label: &str, cx: &Cx) -> Result<Vec<Container>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        let listed = self.ask("list containers", self.client.list_containers(Some(options)), cx).await?;
        let ids: Vec<String> = listed.into_iter().filter_map(|container| container.id).collect();
        let found = try_join_all(ids.iter().map(|id| self.container(id, cx))).await?;
        // One that is gone by now is none.
        let mut found: Vec<Container> = found.into_iter().flatten().collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Returns the container of this name or ID; none if there is none.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn container(&self, name: &str, cx: &Cx) -> Result<Option<Container>, DockerError> {
        let question = self.client.inspect_container(name, None::<InspectContainerOptions>);
        match self.ask(&format!("find container `{name}`"), question, cx).await {
            Err(DockerError::NotFound { .. }) => Ok(None),
            result => result.map(|found| Some(container(found))),
        }
    }

    /// Makes a container, and returns its ID.
    ///
    /// # Errors
    /// [`DockerError::InUse`] when its name is taken; when there is no such image or network.
    pub async fn create_container(&self, spec: &ContainerSpec, cx: &Cx) -> Result<String, DockerError> {
        let options = CreateContainerOptions { name: spec.name.clone(), ..CreateContainerOptions::default() };
        let what = format!("create container `{}`", spec.name.as_deref().unwrap_or(&spec.image));
        self.ask(&what, self.client.create_container(Some(options), body(spec)), cx).await.map(|created| created.id)
    }

    /// Starts a container.
    ///
    /// # Errors
    /// When its program cannot be run, or a port of the machine is taken.
    pub async fn start_container(&self, name: &str, cx: &Cx) -> Result<(), DockerError> {
        let start = self.client.start_container(name, None::<StartContainerOptions>);
        self.ask(&format!("start container `{name}`"), start, cx).await
    }

    /// Stops a container by its stop signal, which is SIGTERM unless its image says another; what does not end in time is killed.
    ///
    /// # Errors
    /// When the daemon does not do it; that there is no such container is none.
    pub async fn stop_container(&self, name: &str, grace: Duration, cx: &Cx) -> Result<(), DockerError> {
        let options = StopContainerOptions { t: i32::try_from(grace.as_secs()).ok(), signal: None };
        match self.ask(&format!("stop container `{name}`"), self.client.stop_container(name, Some(options)), cx).await {
            Err(DockerError::NotFound { .. }) => Ok(()),
            result => result,
        }
    }

    /// Returns the exit code of a container, once it has ended.
    ///
    /// # Errors
    /// When the daemon cannot be asked, or the step was cancelled.
    pub async fn wait_container(&self, name: &str, cx: &Cx) -> Result<i64, DockerError> {
        let what = format!("wait for container `{name}`");
        tracing::debug!("container daemon: {what}");
        let mut answers = self.client.wait_container(name, None::<WaitContainerOptions>);
        match cx.unless_cancelled(answers.next()).await? {
            Some(Ok(ended)) => Ok(ended.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(DockerError::from_answer(&what, &error)),
            None => Err(DockerError::Answer { what, message: "it gave no answer".to_owned() }),
        }
    }

    /// Removes a container and its anonymous volumes, and kills it if it runs.
    ///
    /// # Errors
    /// When the daemon does not do it; that there is no such container is none.
    pub async fn remove_container(&self, name: &str, cx: &Cx) -> Result<(), DockerError> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        match self.ask(&format!("remove container `{name}`"), self.client.remove_container(name, Some(options)), cx).await {
            // Another one removes it already.
            Err(DockerError::NotFound { .. } | DockerError::InUse { .. }) => Ok(()),
            result => result,
        }
    }
}

/// Returns a container in the daemon's words.
fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let all = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let endpoint = EndpointSettings { aliases: all(&spec.aliases), ..EndpointSettings::default() };
    let endpoints = spec.network.iter().map(|network| (network.clone(), endpoint.clone())).collect();
    let host = HostConfig { port_bindings: Some(bindings(&spec.ports)), network_mode: spec.network.clone(), ..HostConfig::default() };
    let exposed: Vec<String> = spec.ports.iter().map(|port| format!("{}/tcp", port.port)).collect();
    // Built-in networks, `host` and `none`, take no aliases.
    let networking = (!spec.aliases.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(endpoints) });
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: all(&spec.command),
        cmd: all(&spec.args),
        env: all(&spec.env),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: all(&exposed),
        host_config: Some(host),
        networking_config: networking,
        ..ContainerCreateBody::default()
    }
}

fn bindings(ports: &[PublishedPort]) -> PortMap {
    let mut map = PortMap::new();
    for port in ports {
        let binding = PortBinding { host_ip: Some(port.address.clone()), host_port: Some(port.local_port.to_string()) };
        map.entry(format!("{}/tcp", port.port)).or_default().get_or_insert_default().push(binding);
    }
    map
}

/// Returns the ports that were asked for, each with the one that the daemon `found` where any would do.
fn chosen(mut wanted: PortMap, found: &PortMap) -> PortMap {
    for (port, bindings) in &mut wanted {
        let open = bindings.iter_mut().flatten().filter(|binding| binding.host_port.as_deref().is_none_or(|port| matches!(port, "" | "0")));
        let first = found.get(port).and_then(Option::as_ref).and_then(|found| found.first());
        open.for_each(|binding| binding.host_port = first.and_then(|first| first.host_port.clone()));
    }
    wanted
}

fn published(map: PortMap) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for (port, bindings) in map {
        let Some(number) = port.strip_suffix("/tcp").and_then(|number| number.parse().ok()) else { continue };
        let of_binding = |binding: PortBinding| {
            let local_port = binding.host_port?.parse().ok()?;
            Some(PublishedPort { port: number, address: binding.host_ip.unwrap_or_default(), local_port })
        };
        ports.extend(bindings.into_iter().flatten().filter_map(of_binding));
    }
    ports.sort();
    ports
}

fn container(found: ContainerInspectResponse) -> Container {
    let state = found.state.unwrap_or_default();
    let started: Option<Timestamp> = state.started_at.as_deref().and_then(|time| time.parse().ok());
    // What never ran was started in the year 1.
    let started = started.filter(|time| time.as_second() > 0);
    let status = if state.running == Some(true) {
        ContainerStatus::Running
    } else if started.is_some() {
        ContainerStatus::Ended { code: state.exit_code.unwrap_or_default(), out_of_memory: state.oom_killed == Some(true) }
    } else {
        ContainerStatus::Created
    };
    let health = state.health.and_then(|health| match health.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => {
            let output = health.log.and_then(|log| log.into_iter().next_back()?.output);
            Some(Health::Unhealthy { output: output.unwrap_or_default().trim().to_owned() })
        }
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    });
    let settings = found.network_settings.unwrap_or_default();
    let mut networks: Vec<String> = settings.networks.unwrap_or_default().into_keys().collect();
    networks.sort();
    let wanted = found.host_config.and_then(|host| host.port_bindings).unwrap_or_default();
    let config = found.config.unwrap_or_default();
    Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image: config.image.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        status,
        health,
        ports: published(chosen(wanted, &settings.ports.unwrap_or_default())),
        networks,
        started,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_read_as_they_were_written() {
        let port = |port, address: &str, local_port| PublishedPort { port, address: address.into(), local_port };
        let ports = vec![port(80, "0.0.0.0", 8081), port(80, "127.0.0.1", 8080), port(443, "127.0.0.1", 8443)];
        let mut map = bindings(&ports);
        map.insert("53/udp".into(), None);
        assert_eq!(published(map), ports);
    }

    #[test]
    fn a_port_that_the_daemon_chose_is_the_one_that_it_found() {
        let of = |text: &str| serde_json::from_str::<PortMap>(text).unwrap();
        let wanted = of(r#"{"80/tcp": [{"HostIp": "", "HostPort": ""}], "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}]}"#);
        let found = of(r#"{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}, {"HostIp": "::", "HostPort": "32769"}]}"#);
        let ports: Vec<(u16, u16)> = published(chosen(wanted.clone(), &found)).iter().map(|port| (port.port, port.local_port)).collect();
        assert_eq!(ports, [(80, 32768), (81, 8081)]);
        assert_eq!(published(chosen(wanted, &PortMap::new())).len(), 1, "one that does not run has none");
    }

    #[test]
    fn a_container_that_ended_has_its_code_and_one_that_never_ran_has_none() {
        let of = |state: serde_json::Value| {
            let found = serde_json::json!({"Id": "1", "Name": "/web", "State": state, "Config": {"Labels": {"a": "b"}}});
            container(serde_json::from_value(found).unwrap())
        };
        let created = of(serde_json::json!({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "ExitCode": 0}));
        assert_eq!((created.name.as_str(), created.status), ("web", ContainerStatus::Created));
        let ended = of(serde_json::json!({"Status": "exited", "StartedAt": "2026-01-02T03:04:05Z", "ExitCode": 137, "OOMKilled": true}));
        assert_eq!(ended.status, ContainerStatus::Ended { code: 137, out_of_memory: true });
        let sick = of(serde_json::json!({"Running": true, "Health": {"Status": "unhealthy", "Log": [{"Output": "no\n"}]}}));
        assert_eq!((sick.status, sick.health), (ContainerStatus::Running, Some(Health::Unhealthy { output: "no".into() })));
    }
}
