//! What is to run: which image, under which name, with which ports.

use std::collections::BTreeMap;

use devloop_clients::docker::Container;
use devloop_clients::docker::Docker;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::DockerImage;
use devloop_model::ForwardPort;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::MissingKey;
use devloop_model::PortForward;
use devloop_model::Vars;
use serde_json::Value;

use super::DockerJob;
use super::IMAGE_LABEL;
use super::SETTINGS_LABEL;
use crate::DeployError;
use crate::fingerprint;

/// The address of ports that nobody wrote down.
const LOOPBACK: &str = "127.0.0.1";
/// Ports below need a right that users rarely have.
const FIRST_FREE: u16 = 1024;
/// The shortest name that the daemon takes.
const SHORTEST_NAME: usize = 2;

/// One container that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The image, as the configuration names it.
    pub(super) image: String,
    /// The artifact that it is, if it is one.
    pub(super) artifact: Option<ImageName>,
    /// The image, as the daemon has it.
    pub(super) reference: String,
    /// Its ID.
    pub(super) id: String,
    /// The name of the container, and what others call it.
    pub(super) name: String,
    /// Its ports.
    pub(super) ports: Vec<WantedPort>,
    /// A digest of its settings.
    pub(super) settings: String,
}

/// A port that is to be published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WantedPort {
    pub(super) port: u16,
    pub(super) address: String,
    /// The port of this machine; none is any.
    pub(super) local_port: Option<u16>,
}

impl Wanted {
    /// Returns whether `container` was made for just this.
    pub(super) fn is(&self, container: &Container) -> bool {
        container.labels.get(IMAGE_LABEL) == Some(&self.id) && container.labels.get(SETTINGS_LABEL) == Some(&self.settings)
    }
}

/// Returns what is to run; artifacts that the daemon does not have are pulled.
pub(super) async fn wanted(job: &DockerJob, images: &[BuiltImage], docker: &Docker, cx: &Cx) -> Result<Vec<Wanted>, DeployError> {
    let named: Vec<&str> = job.docker.images.iter().map(|entry| entry.image.as_str()).collect();
    let entries = entries(job, &named, cx)?;
    let mut wanted = Vec::new();
    for (entry, name) in job.docker.images.iter().zip(names(&named)) {
        let built = images.iter().find(|image| image.artifact.as_str() == entry.image);
        let reference = built.map_or_else(|| entry.image.clone(), BuiltImage::deployed);
        let id = match docker.image_id(&reference, cx).await? {
            Some(id) => id,
            None => pulled(entry, built, &reference, docker, cx).await?,
        };
        let mut ports: Vec<WantedPort> = entries.get(&entry.image).cloned().unwrap_or_default();
        if job.publishes_exposed {
            let config = docker.image_config(&reference, cx).await?.unwrap_or_default();
            ports.extend(
                exposed(&config)
                    .into_iter()
                    .filter(|number| !ports.iter().any(|port| port.port == *number))
                    .map(automatic)
                    .collect::<Vec<_>>(),
            );
        }
        ports.sort();
        let settings = fingerprint::of_text(&format!("{} {name} {ports:?}", job.network));
        wanted.push(Wanted {
            image: entry.image.clone(),
            artifact: built.map(|image| image.artifact.clone()),
            reference,
            id: id.to_string(),
            name,
            ports,
            settings,
        });
    }
    Ok(wanted)
}

/// Returns the ID of an artifact's image that only a registry has.
async fn pulled(
    entry: &DockerImage,
    built: Option<&BuiltImage>,
    reference: &str,
    docker: &Docker,
    cx: &Cx,
) -> Result<devloop_model::ImageId, DeployError> {
    let parsed = ImageRef::parse(reference).ok().filter(|_| built.is_some()).ok_or_else(|| no_image(entry))?;
    docker.pull(&parsed, None, cx).await?;
    docker.image_id(reference, cx).await?.ok_or_else(|| no_image(entry))
}

fn no_image(entry: &DockerImage) -> DeployError {
    let what = format!("`deploy.docker.images` names `{}`, which no artifact builds and the container daemon does not have", entry.image);
    let help = format!("write it as the artifact's `image` says it, or `docker pull {}` first", entry.image);
    DeployError::Container(Box::new(Diagnostic::error("deploy/no-image", what).at(entry.at.clone()).help(help)))
}

/// Returns names for containers: the last part of the image's name, with the parts before it where that is not unique.
fn names(images: &[&str]) -> Vec<String> {
    let path = |image: &str| {
        let reference = ImageRef::parse(image).map(|reference| reference.name.path().to_owned());
        reference.unwrap_or_else(|_| image.to_owned())
    };
    let paths: Vec<String> = images.iter().map(|image| path(image)).collect();
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = |at: usize| {
        let own = base(&paths[at]);
        let is_shared = paths.iter().enumerate().any(|(other, path)| other != at && base(path) == own);
        let text = if is_shared { paths[at].trim_start_matches("ko://").to_owned() } else { own };
        let name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' }).collect();
        if name.len() < SHORTEST_NAME { format!("devloop-{name}") } else { name }
    };
    (0..paths.len()).map(name).collect()
}

/// Returns the ports that `portForward` names, by image.
fn entries(job: &DockerJob, images: &[&str], cx: &Cx) -> Result<BTreeMap<String, Vec<WantedPort>>, DeployError> {
    let vars = Vars::from_env(&cx.env);
    let mut found: BTreeMap<String, Vec<WantedPort>> = BTreeMap::new();
    let names = names(images);
    for entry in &job.forwards {
        let name = entry.name.render(&vars, MissingKey::NoValue).map_err(|error| template(entry, &error.to_string()))?;
        let is_it = |(image, container): (&&&str, &String)| image.eq_ignore_ascii_case(&name) || *container == name;
        let Some((image, _)) = images.iter().zip(&names).find(|(image, container)| is_it((image, container))) else { continue };
        let ForwardPort::Number(port) = entry.port else { return Err(no_number(entry)) };
        let address = if entry.address.is_empty() || entry.address == "localhost" { LOOPBACK } else { &entry.address };
        let wanted = WantedPort { port, address: address.to_owned(), local_port: entry.local_port };
        found.entry((*image).to_owned()).or_default().push(wanted);
    }
    Ok(found)
}

fn template(entry: &PortForward, why: &str) -> DeployError {
    let error = Diagnostic::error("deploy/template", "the name of a container whose port is forwarded cannot be rendered");
    DeployError::Container(Box::new(error.at(entry.at.clone()).because(why)))
}

fn no_number(entry: &PortForward) -> DeployError {
    let error = Diagnostic::error("deploy/port-name", "ports of containers have no names in the container daemon");
    DeployError::Container(Box::new(error.at(entry.at.clone()).help("write the number of the port")))
}

/// Returns the TCP ports that an image exposes.
fn exposed(config: &Value) -> Vec<u16> {
    let ports = &config["config"]["ExposedPorts"];
    let names: Vec<&str> = match ports {
        Value::Object(ports) => ports.keys().map(String::as_str).collect(),
        Value::Array(ports) => ports.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.into_iter().filter_map(|name| name.strip_suffix("/tcp")?.parse().ok()).collect()
}

/// Returns a port that a mode found: the same here, unless that needs rights.
fn automatic(port: u16) -> WantedPort {
    WantedPort { port, address: LOOPBACK.to_owned(), local_port: (port >= FIRST_FREE).then_some(port) }
}

#[cfg(test)]
mod tests {
    use devloop_model::DockerDeploy;
    use devloop_model::Location;
    use devloop_model::Stage;
    use devloop_model::StepId;
    use devloop_model::Template;
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_are_named_after_their_images() {
        for (images, expected) in [
            (&["web", "gcr.io/p/api", "redis:7"][..], &["web", "api", "redis"][..]),
            (&["gcr.io/a/web", "gcr.io/b/web", "api"], &["a-web", "b-web", "api"]),
            (&["ko://example.com/shop/cmd/web~1"], &["web-1"]),
            (&["a"], &["devloop-a"]),
        ] {
            assert_eq!(names(images), expected, "{images:?}");
        }
    }

    #[test]
    fn exposed_ports_are_those_of_tcp() {
        let config = json!({"config": {"ExposedPorts": {"8080/tcp": {}, "53/udp": {}, "80/tcp": {}}}});
        let mut ports = exposed(&config);
        ports.sort_unstable();
        assert_eq!(ports, [80, 8080]);
        assert_eq!(exposed(&json!({"config": {"ExposedPorts": ["9/tcp"]}})), [9]);
        assert_eq!(exposed(&Value::Null), [0; 0]);
        assert_eq!((automatic(80).local_port, automatic(8080).local_port), (None, Some(8080)));
    }

    fn forward(name: &str, port: ForwardPort) -> PortForward {
        let at = Location { file: "skaffold.yaml".into(), line: 7, column: 3, text: "- port: x".into(), width: 1, label: None };
        let name = Template::parse(name).unwrap();
        PortForward {
            context: None,
            kind: "container".into(),
            name,
            namespace: None,
            port,
            address: "localhost".into(),
            local_port: Some(9000),
            at,
        }
    }

    fn job(forwards: Vec<PortForward>) -> DockerJob {
        let docker = DockerDeploy::default();
        DockerJob { docker, inventory: String::new(), network: String::new(), forwards, publishes_exposed: false, passing: false }
    }

    #[test]
    fn ports_are_forwarded_by_the_name_of_the_image_or_of_the_container() {
        let cx = Cx::silent(StepId::of(Stage::Deploy));
        for name in ["gcr.io/p/web", "GCR.io/p/Web", "web"] {
            let found = entries(&job(vec![forward(name, ForwardPort::Number(80))]), &["api", "gcr.io/p/web"], &cx).unwrap();
            let expected = WantedPort { port: 80, address: "127.0.0.1".into(), local_port: Some(9000) };
            assert_eq!(found, BTreeMap::from([("gcr.io/p/web".to_owned(), vec![expected])]), "{name}");
        }
        let error = entries(&job(vec![forward("web", ForwardPort::Name("http".into()))]), &["web"], &cx).unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[deploy/port-name]: ports of containers have no names in the container daemon
         --> skaffold.yaml:7:3
          |
        7 | - port: x
          |   ^
        help: write the number of the port
        ");
    }

    #[test]
    fn an_image_that_is_nowhere_is_shown_at_its_place() {
        let at = Location { file: "skaffold.yaml".into(), line: 9, column: 7, text: "    - wbe".into(), width: 3, label: None };
        insta::assert_snapshot!(no_image(&DockerImage { image: "wbe".into(), at }).diagnostic(), @r"
        error[deploy/no-image]: `deploy.docker.images` names `wbe`, which no artifact builds and the container daemon does not have
         --> skaffold.yaml:9:7
          |
        9 |     - wbe
          |       ^^^
        help: write it as the artifact's `image` says it, or `docker pull wbe` first
        ");
    }
}
