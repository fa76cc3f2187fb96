//! Which port of which pod is behind a forward now; no I/O.

use devloop_model::ForwardPort;
use devloop_model::Namespace;
use serde_json::Value;

use super::scheme::Scheme;
use super::wanted::Resource;
use super::wanted::Wanted;
use crate::objects::Objects;
use crate::objects::is_leaving;
use crate::objects::list;
use crate::objects::name;
use crate::objects::text;
use crate::objects::uid;

/// What is behind a forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Backing {
    /// Nobody knows yet.
    Unknown,
    /// No pod.
    Waiting {
        /// Why.
        why: String,
        /// Whether one can be expected soon.
        coming: bool,
    },
    /// Nothing that waiting mends.
    Failed {
        /// Why.
        why: String,
    },
    /// A port of a pod.
    Pod(PodPort),
}

/// A port of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodPort {
    pub(super) namespace: Namespace,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) port: u16,
    pub(super) scheme: Scheme,
    /// Whether the pod says that it is ready; one that changes its mind is connected to anew.
    pub(super) ready: bool,
    /// How often its containers were restarted, likewise.
    pub(super) restarts: i64,
}

/// Returns what is behind a forward.
pub(super) fn backing(wanted: &Wanted, objects: &Objects) -> Backing {
    match found(wanted, objects) {
        Ok(pod) => Backing::Pod(pod),
        Err(other) => other,
    }
}

fn found(wanted: &Wanted, objects: &Objects) -> Result<PodPort, Backing> {
    let namespace = &wanted.source.namespace;
    let failed = |why: String| Backing::Failed { why };
    match &wanted.resource {
        Resource::Service { name } => {
            let service = objects.get(namespace, "Service", name).ok_or_else(|| missing(wanted))?;
            let selector = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty());
            let selector = selector.ok_or_else(|| failed(format!("service/{name} selects no pods")))?;
            let labelled = |pod: &Value| selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value);
            let port = service_port(service, &wanted.port).map_err(failed)?;
            let pod = newest(wanted, objects.all(namespace, "Pod").map(|pod| &**pod).filter(|pod| labelled(pod)))?;
            let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
            let number = match target.as_str() {
                Some(named) => container_port(pod, named).map_err(failed)?.1,
                None => number(target).ok_or_else(|| failed(format!("service/{name} has a port without a number")))?,
            };
            Ok(pod_port(namespace, pod, number, Scheme::of(text(&port["name"]), text(&port["appProtocol"]), number)))
        }
        Resource::Workload { kind, name } => {
            let is_there = wanted.is_own || objects.get(namespace, kind, name).is_some();
            let owned = |pod: &Value| objects.owners(pod).iter().any(|owner| owner.kind == *kind && owner.name == name);
            let pods = objects.all(namespace, "Pod").map(|pod| &**pod).filter(|pod| owned(pod));
            of_pod(wanted, newest(wanted, pods).map_err(|none| if is_there { none } else { missing(wanted) })?)
        }
        Resource::Pod { name } => {
            let pod = objects.get(namespace, "Pod", name).ok_or_else(|| missing(wanted))?;
            of_pod(wanted, newest(wanted, std::iter::once(pod))?)
        }
        Resource::Unsupported => {
            Err(failed(format!("a {} is nothing that Kubernetes has: it is for the docker deployer", wanted.source.kind)))
        }
    }
}

fn missing(wanted: &Wanted) -> Backing {
    let (kind, name, namespace) = (&wanted.source.kind, &wanted.source.name, &wanted.source.namespace);
    Backing::Waiting { why: format!("there is no {kind}/{name} in namespace {namespace}"), coming: false }
}

fn of_pod(wanted: &Wanted, pod: &Value) -> Result<PodPort, Backing> {
    let (name, number) = match &wanted.port {
        ForwardPort::Name(named) => container_port(pod, named).map_err(|why| Backing::Failed { why })?,
        ForwardPort::Number(number) => (port_name(pod, *number), *number),
    };
    Ok(pod_port(&wanted.source.namespace, pod, number, if wanted.is_debugger { Scheme::Other } else { Scheme::of(name, "", number) }))
}

fn pod_port(namespace: &Namespace, pod: &Value, port: u16, scheme: Scheme) -> PodPort {
    let restarts = list(&pod["status"], "containerStatuses").iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    PodPort {
        namespace: namespace.clone(),
        pod: name(pod).to_owned(),
        uid: uid(pod).to_owned(),
        port,
        scheme,
        ready: is_ready(pod),
        restarts,
    }
}

/// Returns the newest pod that is ready, else the newest that runs; what is on its way out does not count.
fn newest<'a>(wanted: &Wanted, pods: impl Iterator<Item = &'a Value>) -> Result<&'a Value, Backing> {
    let source = format!("{}/{}", wanted.source.kind, wanted.source.name);
    let mut why = format!("no pod of {source} is there");
    let mut coming = false;
    let mut best: Option<&Value> = None;
    let rank = |pod: &'a Value| (is_ready(pod), text(&pod["metadata"]["creationTimestamp"]), name(pod));
    for pod in pods {
        match text(&pod["status"]["phase"]) {
            // Whatever replaces it comes soon.
            _ if is_leaving(pod) => (why, coming) = (format!("pod/{} is being replaced or deleted", name(pod)), true),
            "Running" if best.is_none_or(|best| rank(pod) > rank(best)) => best = Some(pod),
            "Succeeded" | "Failed" | "Running" => {}
            _ => (why, coming) = (format!("pod/{} is starting", name(pod)), true),
        }
    }
    best.ok_or(Backing::Waiting { why, coming })
}

fn is_ready(pod: &Value) -> bool {
    list(&pod["status"], "conditions").iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Returns the port of a Service by number or name.
fn service_port<'a>(service: &'a Value, wanted: &ForwardPort) -> Result<&'a Value, String> {
    let ports = list(&service["spec"], "ports");
    let is_wanted = |port: &&Value| match wanted {
        ForwardPort::Number(wanted) => number(&port["port"]) == Some(*wanted),
        ForwardPort::Name(wanted) => port["name"] == wanted.as_str(),
    };
    let Some(port) = ports.iter().find(is_wanted) else {
        return Err(no_such_port(&format!("service/{}", name(service)), wanted, ports, "port"));
    };
    match port["protocol"].as_str() {
        Some(protocol) if protocol != "TCP" => Err(format!("{protocol} ports cannot be forwarded")),
        _ => Ok(port),
    }
}

fn no_such_port(what: &str, wanted: &ForwardPort, ports: &[Value], number: &str) -> String {
    let wanted = match wanted {
        ForwardPort::Number(number) => number.to_string(),
        ForwardPort::Name(name) => format!("`{name}`"),
    };
    let known: Vec<String> = ports
        .iter()
        .map(|port| match port["name"].as_str() {
            Some(name) => format!("{} (`{name}`)", port[number]),
            None => port[number].to_string(),
        })
        .collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("{what} has no port {wanted}; its ports: {known}")
}

/// Returns the name and number of a container's port with this name.
fn container_port<'a>(pod: &'a Value, named: &str) -> Result<(&'a str, u16), String> {
    let found = container_ports(pod).find(|port| port["name"] == named).and_then(|port| Some((text(&port["name"]), number_of(port)?)));
    found.ok_or_else(|| {
        let ports: Vec<Value> = container_ports(pod).cloned().collect();
        no_such_port(&format!("pod/{}", name(pod)), &ForwardPort::Name(named.to_owned()), &ports, "containerPort")
    })
}

fn port_name(pod: &Value, number: u16) -> &str {
    container_ports(pod).find(|port| number_of(port) == Some(number)).map_or("", |port| text(&port["name"]))
}

/// Returns the ports of all containers of a pod.
pub(super) fn container_ports(pod: &Value) -> impl Iterator<Item = &Value> {
    // Init containers that go on running beside the others have ports as well.
    crate::family::containers(pod).flat_map(|container| list(container, "ports"))
}

/// Returns the number of a container's port.
pub(super) fn number_of(port: &Value) -> Option<u16> {
    number(&port["containerPort"])
}

/// Returns a port number.
pub(super) fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

#[cfg(test)]
mod tests;
