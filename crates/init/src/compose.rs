//! A Compose file as Kubernetes manifests: a small conversion, which says what it leaves out.
//!
//! Facts: the Compose specification (<https://github.com/compose-spec/compose-spec/blob/main/spec.md>).

mod objects;
mod ports;
mod service;
mod variables;
mod volumes;

use std::collections::BTreeSet;
use std::path::Path;

use devloop_config::Node;
use devloop_config::Source;
use devloop_config::parse_documents;
use devloop_model::Diagnostic;
use devloop_model::Env;

use self::service::Service;
use self::variables::Variables;
use crate::artifact::Artifact;
use crate::generate::documents;
use crate::outcome::Generated;
use crate::outcome::object_name;
use crate::tree::directory;
use crate::tree::joined;

/// Where manifests are written, below the directory of the Compose file.
const DIRECTORY: &str = "k8s";

/// What was made of a Compose file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// Manifests, one file for each service.
    pub files: Vec<Generated>,
    /// Images that the file says how to build.
    pub(crate) built: Vec<Artifact>,
    /// All other images.
    pub(crate) foreign: Vec<String>,
    /// Ports that are published.
    pub(crate) forwards: Vec<Forward>,
    /// What is left out.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Volumes that stay: services may share one.
    volumes: BTreeSet<String>,
}

/// A port that is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forward {
    /// The Service.
    pub(crate) service: String,
    /// Its port.
    pub(crate) port: u16,
    /// The port on this machine; none means the same one.
    pub(crate) local: Option<u16>,
}

impl Converted {
    /// Returns what the Compose file at `path`, relative to `root`, comes to.
    ///
    /// # Errors
    /// When it cannot be read, is not a Compose file, or asks for what is read elsewhere.
    pub fn read(root: &Path, path: &str, env: &Env) -> Result<Self, Diagnostic> {
        let text = std::fs::read_to_string(root.join(path)).map_err(|error| {
            Diagnostic::error("init/compose", format!("the Compose file `{path}` cannot be read")).because(error.to_string())
        })?;
        let documents = parse_documents(&Source::new(path, text)).map_err(|mut faults| faults.swap_remove(0))?;
        let Some(services) = documents.first().and_then(|document| document.get("services")?.as_map()) else {
            return Err(Diagnostic::error("init/compose", format!("`{path}` has no `services`: it is no Compose file")));
        };
        let mut variables = Variables::read(&root.join(directory(path)), env)?;
        let mut converted = Self::default();
        if let Some((include, _)) = documents[0].entry("include") {
            let error = include.span.error("init/compose", "`include` of Compose is not followed");
            return Err(error.help("write the whole file by `docker compose config`, and name that"));
        }
        for (name, node) in services {
            let found = Service::decode(&name.text, node, &mut variables, root, directory(path))?;
            converted.warnings.append(&mut variables.warnings);
            match found.profiles.as_slice() {
                [] => converted.add(found, directory(path))?,
                profiles => {
                    let what = format!("the service `{}` is left out: it is of the profile `{}`", name.text, profiles.join("`, `"));
                    converted.warnings.push(Diagnostic::warning("init/compose-left-out", what).at(name.span.location(None)));
                }
            }
        }
        Ok(converted)
    }

    fn add(&mut self, mut service: Service, directory: &str) -> Result<(), Diagnostic> {
        let name = object_name(&service.name);
        if name != service.name {
            let what = format!("the service `{}` is called `{name}` in the cluster, which others have to know it by", service.name);
            self.warnings.push(Diagnostic::warning("init/compose-name", what));
        }
        self.warnings.append(&mut service.warnings);
        let path = joined(&joined(directory, DIRECTORY), &format!("{name}.yaml"));
        let new: BTreeSet<String> = objects::volumes_that_stay(&service).filter(|volume| !self.volumes.contains(volume)).collect();
        self.files.push(Generated { path, text: documents(&objects::of(&name, &service, &new))? });
        self.volumes.extend(new);
        let published = service.ports.iter().filter(|port| port.is_published && port.is_tcp());
        self.forwards.extend(published.map(|port| Forward { service: name.clone(), port: port.target, local: port.local }));
        match service.build {
            Some(artifact) if !self.built.iter().any(|built| built.image == artifact.image) => self.built.push(artifact),
            Some(_) => {}
            None => self.foreign.push(service.image),
        }
        Ok(())
    }
}

/// Returns the warning of something that has no place in the cluster.
fn left_out(node: &Node, what: String) -> Diagnostic {
    Diagnostic::warning("init/compose-left-out", what).at(node.span.location(None))
}

#[cfg(test)]
mod tests;
