//! A service as Kubernetes objects.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::ports::Port;
use super::service::Service;
use super::volumes::Kind;
use crate::outcome::object_name;

/// How much a volume that stays asks for, as Compose says nothing of it.
const STORAGE: &str = "1Gi";

/// Returns the objects of a service: the volumes that come with it, a Service by whose name others reach it, and a Deployment.
pub(super) fn of(name: &str, service: &Service, volumes: &BTreeSet<String>) -> Vec<Value> {
    let mut objects: Vec<Value> = volumes.iter().map(|volume| claim(volume)).collect();
    objects.push(reached_by(name, service));
    objects.push(deployment(name, service));
    objects
}

/// Returns the names of the volumes of a service that stay when its pods go.
pub(super) fn volumes_that_stay(service: &Service) -> impl Iterator<Item = String> {
    service.mounts.iter().filter_map(|mount| if let Kind::Named(name) = &mount.kind { Some(object_name(name)) } else { None })
}

fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}},
    })
}

/// Without a port that is known, a name that leads to the pods.
fn reached_by(name: &str, service: &Service) -> Value {
    let mut spec = json!({"selector": {"app": name}});
    let ports = distinct(&service.ports);
    if ports.is_empty() {
        spec["clusterIP"] = "None".into();
    } else {
        let entry = |port: &&Port| {
            let name = format!("{}-{}", port.protocol.to_lowercase(), port.target);
            json!({"name": name, "port": port.target, "targetPort": port.target, "protocol": port.protocol})
        };
        spec["ports"] = ports.iter().map(entry).collect();
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

fn deployment(name: &str, service: &Service) -> Value {
    let mut spec = Map::new();
    if let Some(replicas) = service.replicas {
        spec.insert("replicas".to_owned(), replicas.into());
    }
    if volumes_that_stay(service).next().is_some() {
        // Two pods cannot have the volume at once.
        spec.insert("strategy".to_owned(), json!({"type": "Recreate"}));
    }
    spec.insert("selector".to_owned(), json!({"matchLabels": {"app": name}}));
    // Compose gives a container no variables of other services.
    let mut pod = json!({"enableServiceLinks": false, "containers": [container(name, service)]});
    if !service.mounts.is_empty() {
        pod["volumes"] = volumes(service);
    }
    spec.insert("template".to_owned(), json!({"metadata": {"labels": {"app": name}}, "spec": pod}));
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

fn container(name: &str, service: &Service) -> Value {
    let mut container = Map::new();
    container.insert("name".to_owned(), name.into());
    container.insert("image".to_owned(), service.image.as_str().into());
    let lists = [("command", &service.entrypoint), ("args", &service.command)];
    for (field, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
        container.insert(field.to_owned(), json!(words.iter().map(|word| literal(word)).collect::<Vec<_>>()));
    }
    if let Some(dir) = &service.working_dir {
        container.insert("workingDir".to_owned(), dir.as_str().into());
    }
    if !service.environment.is_empty() {
        let variable = |(name, value): (&String, &String)| json!({"name": name, "value": literal(value)});
        container.insert("env".to_owned(), service.environment.iter().map(variable).collect());
    }
    let ports = distinct(&service.ports);
    if !ports.is_empty() {
        let port = |port: &&Port| json!({"containerPort": port.target, "protocol": port.protocol});
        container.insert("ports".to_owned(), ports.iter().map(port).collect());
    }
    if let Some(probe) = &service.probe {
        let mut fields = json!({"exec": {"command": probe.command.iter().map(|word| literal(word)).collect::<Vec<_>>()}});
        for (field, number) in &probe.numbers {
            fields[*field] = (*number).into();
        }
        container.insert("readinessProbe".to_owned(), fields);
    }
    if !service.mounts.is_empty() {
        let mount = |(at, mount): (usize, &super::volumes::Mount)| {
            let mut fields = json!({"name": format!("volume-{at}"), "mountPath": mount.target});
            if mount.read_only {
                fields["readOnly"] = true.into();
            }
            fields
        };
        container.insert("volumeMounts".to_owned(), service.mounts.iter().enumerate().map(mount).collect());
    }
    container.extend(service.more.clone());
    Value::Object(container)
}

fn volumes(service: &Service) -> Value {
    let volume = |(at, mount): (usize, &super::volumes::Mount)| {
        let name = format!("volume-{at}");
        match &mount.kind {
            Kind::Named(claim) => json!({"name": name, "persistentVolumeClaim": {"claimName": object_name(claim)}}),
            Kind::Empty => json!({"name": name, "emptyDir": {}}),
            Kind::Memory => json!({"name": name, "emptyDir": {"medium": "Memory"}}),
        }
    };
    service.mounts.iter().enumerate().map(volume).collect()
}

/// Returns each port once, whatever it is published as.
fn distinct(ports: &[Port]) -> Vec<&Port> {
    let mut found: Vec<&Port> = Vec::new();
    for port in ports {
        if !found.iter().any(|other| other.target == port.target && other.protocol == port.protocol) {
            found.push(port);
        }
    }
    found
}

/// Kubernetes replaces `$(NAME)` in commands and variables; Compose does not.
fn literal(text: &str) -> String {
    text.replace("$(", "$$(")
}
