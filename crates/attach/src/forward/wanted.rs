//! What is to be forwarded: what the configuration names, and what the modes find in a release; no I/O.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_model::ForwardPort;
use devloop_model::ForwardSource;
use devloop_model::MissingKey;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::PortForward;
use devloop_model::TemplateError;
use serde_json::Value;

use super::ForwardSpec;
use super::backing::container_ports;
use super::backing::number;
use super::backing::number_of;
use crate::Live;
use crate::debugging::debugged;
use crate::family::Family;
use crate::objects::Objects;
use crate::objects::Scope;
use crate::objects::list;
use crate::objects::name;
use crate::objects::namespace;

/// The address of forwards that nobody wrote down.
const LOOPBACK: &str = "127.0.0.1";
/// Ports below need a right that users rarely have.
const FIRST_FREE: u16 = 1024;

/// What pods are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// The selector of a Service.
    Service { name: String },
    /// What owns them.
    Workload { kind: &'static str, name: String },
    /// Their own name.
    Pod { name: String },
    /// Nothing of Kubernetes.
    Unsupported,
}

impl Resource {
    /// Returns the resource of a kind in lower case.
    fn of(kind: &str, name: &str) -> Self {
        let name = name.to_owned();
        let kind = match kind {
            "service" => return Self::Service { name },
            "pod" => return Self::Pod { name },
            "deployment" => "Deployment",
            "replicaset" => "ReplicaSet",
            "replicationcontroller" => "ReplicationController",
            "statefulset" => "StatefulSet",
            "daemonset" => "DaemonSet",
            "job" => "Job",
            "cronjob" => "CronJob",
            _ => return Self::Unsupported,
        };
        Self::Workload { kind, name }
    }
}

/// A port that is to be forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) source: ForwardSource,
    pub(super) resource: Resource,
    pub(super) port: ForwardPort,
    pub(super) address: String,
    pub(super) local_port: Option<u16>,
    /// Whether a debugger listens there.
    pub(super) is_debugger: bool,
    /// Whether the resource is part of the release, so that it is known to exist.
    pub(super) is_own: bool,
}

impl Wanted {
    /// Returns what an entry of `portForward` asks for. One that names no namespace means the session's, or the one that
    /// the release has such an object in.
    pub(super) fn of_entry(entry: &PortForward, spec: &ForwardSpec, live: &Live) -> Result<Self, TemplateError> {
        let kind = entry.kind.to_lowercase();
        let name = entry.name.render(&spec.vars, MissingKey::Error)?;
        let namespace = match &entry.namespace {
            Some(namespace) => Namespace(namespace.render(&spec.vars, MissingKey::Error)?),
            None => released_in(&kind, &name, live).unwrap_or(&spec.namespace).clone(),
        };
        let port = match &entry.port {
            ForwardPort::Number(number) => number.to_string(),
            ForwardPort::Name(name) => name.clone(),
        };
        Ok(Self {
            resource: Resource::of(&kind, &name),
            source: ForwardSource { kind, name, namespace, port },
            port: entry.port.clone(),
            address: entry.address.clone(),
            local_port: entry.local_port,
            is_debugger: false,
            is_own: false,
        })
    }

    /// Returns the forward of a port that a mode found: to the same port here, unless that needs rights.
    fn automatic(kind: &str, name: &str, namespace: &Namespace, port: u16) -> Self {
        let (kind, name) = (kind.to_lowercase(), name.to_owned());
        Self {
            resource: Resource::of(&kind, &name),
            source: ForwardSource { kind, name, namespace: namespace.clone(), port: port.to_string() },
            port: ForwardPort::Number(port),
            address: LOOPBACK.to_owned(),
            local_port: (port >= FIRST_FREE).then_some(port),
            is_debugger: false,
            is_own: true,
        }
    }

    /// Returns what has to be watched to find its pods.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let kinds: &[&'static str] = match &self.resource {
            Resource::Service { .. } => &["Service", "Pod"],
            Resource::Pod { .. } => &["Pod"],
            Resource::Workload { kind: kind @ "Deployment", .. } => &[kind, "ReplicaSet", "Pod"],
            Resource::Workload { kind: kind @ "CronJob", .. } => &[kind, "Job", "Pod"],
            Resource::Workload { kind, .. } => &[kind, "Pod"],
            Resource::Unsupported => &[],
        };
        kinds.iter().map(|kind| Scope::new(&self.source.namespace, kind)).collect()
    }

    /// Returns whether both are about the same port: by number and by name is the same.
    pub(super) fn is_same(&self, other: &Self, objects: &Objects) -> bool {
        let (one, two) = (&self.source, &other.source);
        let is_of_one = (&one.kind, &one.name, &one.namespace) == (&two.kind, &two.name, &two.namespace);
        is_of_one && (one.port == two.port || self.number(objects).is_some_and(|number| Some(number) == other.number(objects)))
    }

    /// Returns the number of a Service's port.
    fn number(&self, objects: &Objects) -> Option<u16> {
        match (&self.port, &self.resource) {
            (ForwardPort::Number(number), _) => Some(*number),
            (ForwardPort::Name(wanted), Resource::Service { name }) => {
                let service = objects.get(&self.source.namespace, "Service", name)?;
                let port = list(&service["spec"], "ports").iter().find(|port| port["name"] == wanted.as_str())?;
                number(&port["port"])
            }
            (ForwardPort::Name(_), _) => None,
        }
    }
}

/// Returns the only namespace that the release has such an object in.
fn released_in<'a>(kind: &str, name: &str, live: &'a Live) -> Option<&'a Namespace> {
    let found = live.release.objects.iter().filter(|object| object.key.kind.to_lowercase() == kind && object.key.name == name);
    let namespaces: BTreeSet<&Namespace> = found.filter_map(|object| object.key.namespace.as_ref()).collect();
    if namespaces.len() == 1 { namespaces.into_iter().next() } else { None }
}

/// Returns every port of every Service of the release that has pods.
pub(super) fn of_services(live: &Live, objects: &Objects) -> Vec<Wanted> {
    let services = live.release.objects.iter().map(|object| &object.key).filter(|key| key.kind == "Service" && key.group.is_empty());
    let of_service = |key: &ObjectKey| -> Vec<Wanted> {
        let Some(namespace) = &key.namespace else { return Vec::new() };
        let Some(service) = objects.get(namespace, "Service", &key.name) else { return Vec::new() };
        if service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty) {
            return Vec::new();
        }
        let ports = list(&service["spec"], "ports").iter().filter(|port| is_tcp(port));
        ports.filter_map(|port| Some(Wanted::automatic("Service", &key.name, namespace, number(&port["port"])?))).collect()
    };
    services.flat_map(of_service).collect()
}

/// Returns every port of every container of the release. A pod that an object of the release made is forwarded as that
/// object, so that the next pod has the same local port.
pub(super) fn of_pods(live: &Live, family: &Family, objects: &Objects) -> Vec<Wanted> {
    let mut found = Vec::new();
    for pod in pods(live, family, objects) {
        for port in container_ports(pod).filter(|port| is_tcp(port)).filter_map(number_of) {
            found.push(of_pod(pod, port, family, objects));
        }
    }
    found
}

/// Returns the ports that debuggers listen at in the containers of the release: those of artifacts with a `planned` local port first,
/// and others at none of these.
pub(super) fn of_debuggers(live: &Live, family: &Family, objects: &Objects, planned: &BTreeMap<String, u16>) -> Vec<Wanted> {
    let mut found = Vec::new();
    for pod in pods(live, family, objects) {
        for debugged in debugged(pod).into_values() {
            let own = planned.get(&debugged.artifact).copied();
            for port in debugged.ports.into_values() {
                let local_port = own.or_else(|| (port..=u16::MAX).find(|port| !planned.values().any(|taken| taken == port)));
                found.push((own.is_none(), Wanted { is_debugger: true, local_port, ..of_pod(pod, port, family, objects) }));
            }
        }
    }
    found.sort_by_key(|(is_other, _)| *is_other);
    found.into_iter().map(|(_, wanted)| wanted).collect()
}

fn pods<'a>(live: &Live, family: &Family, objects: &'a Objects) -> Vec<&'a Value> {
    let all = live.namespaces().into_iter().flat_map(|namespace| objects.all(namespace, "Pod"));
    all.map(|pod| &**pod).filter(|pod| family.has(pod, objects)).collect()
}

fn of_pod(pod: &Value, port: u16, family: &Family, objects: &Objects) -> Wanted {
    let root = family.root(pod, objects).filter(|root| Resource::of(&root.kind.to_lowercase(), "") != Resource::Unsupported);
    match root {
        Some(root) => Wanted::automatic(&root.kind, &root.name, &namespace(pod), port),
        None => Wanted::automatic("Pod", name(pod), &namespace(pod), port),
    }
}

fn is_tcp(port: &Value) -> bool {
    matches!(port["protocol"].as_str(), None | Some("TCP"))
}

#[cfg(test)]
mod tests;
