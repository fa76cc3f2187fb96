//! A pod: its containers under debuggers, with what brings these, and the annotation that says where they listen.

use std::collections::BTreeSet;

use devloop_model::DEBUG_ANNOTATION;
use devloop_model::Runtime;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::DebugImage;
use super::DebugSpec;
use super::buildpacks;
use super::container::Container;
use super::container::Debugged;
use super::container::runtime;
use super::probe;

/// The volume that debuggers are put into, and where containers find it.
const VOLUME: &str = "debugging-support-files";
const MOUNT: &str = "/dbg";

/// Why a container is not debugged.
pub(super) struct Why {
    pub(super) why: String,
    pub(super) help: &'static str,
}

/// Starts the containers of artifacts in a pod under debuggers; returns those that cannot be, by name. A pod that has the annotation
/// already is left alone: its user has made it what it is.
pub(super) fn debug(template: &mut Value, spec: &DebugSpec) -> Vec<(String, Why)> {
    if template["metadata"]["annotations"][DEBUG_ANNOTATION].is_string() {
        return Vec::new();
    }
    let (mut refused, mut configured, mut supports) = (Vec::new(), Map::new(), BTreeSet::new());
    let count = template["spec"]["containers"].as_array().map_or(0, Vec::len);
    let mut mounted = Vec::new();
    for index in 0..count {
        let taken = ports(&template["spec"]["containers"]);
        let object = &mut template["spec"]["containers"][index];
        let image = object["image"].as_str().unwrap_or_default();
        let Some(image) = spec.images.iter().find(|known| known.image.deployed() == image) else { continue };
        let name = object["name"].as_str().unwrap_or_default().to_owned();
        let sources = spec.sources.get(&image.image.artifact).copied();
        match start(&mut Container::new(object, &image.config, &spec.protocols, taken), image.image.runtime, sources) {
            Ok(debugged) => {
                configured.insert(name, annotation(image, &debugged));
                if let Some(support) = debugged.support {
                    supports.insert(support);
                    mounted.push(index);
                }
            }
            Err(why) => refused.push((name, why)),
        }
    }
    support(&mut template["spec"], &mounted, &supports, &spec.helpers);
    probe::stretch(template, &configured);
    if !configured.is_empty() {
        let text = Value::Object(configured).to_string();
        if !template["metadata"]["annotations"].is_object() {
            template["metadata"]["annotations"] = json!({});
        }
        template["metadata"]["annotations"][DEBUG_ANNOTATION] = json!(text);
    }
    refused
}

fn start(container: &mut Container<'_>, configured: Option<Runtime>, sources: Option<Runtime>) -> Result<Debugged, Why> {
    let as_program = |why| Why { why, help: "make the program itself the ENTRYPOINT of the image, or the container's `command`" };
    match configured.or_else(|| runtime(container)).or(sources) {
        Some(Runtime::Go) => super::go::debug(container).map_err(as_program),
        Some(Runtime::Jvm) => {
            super::jvm::debug(container).map_err(|why| Why { why, help: "let it listen at a port: `address=5005`, or leave it out" })
        }
        Some(Runtime::NodeJs) => Ok(super::nodejs::debug(container)),
        Some(Runtime::Python) => super::python::debug(container).map_err(as_program),
        Some(Runtime::NetCore) => Ok(super::netcore::debug()),
        None => Err(Why {
            why: "neither its image nor its sources tell which runtime it has".to_owned(),
            help: "say it with the artifact's `runtimeType`: go, jvm, nodejs, python or netcore",
        }),
    }
}

/// Returns the ports of all containers.
fn ports(containers: &Value) -> Vec<u16> {
    let ports = containers.as_array().into_iter().flatten().flat_map(|container| container["ports"].as_array().into_iter().flatten());
    ports.filter_map(|port| port["containerPort"].as_u64()?.try_into().ok()).collect()
}

fn annotation(image: &DebugImage, debugged: &Debugged) -> Value {
    let mut said = Map::new();
    said.insert("artifact".to_owned(), json!(image.image.artifact));
    said.insert("runtime".to_owned(), json!(debugged.runtime));
    let dir = buildpacks::working_dir(&image.config).unwrap_or_else(|| image.config.working_dir.clone());
    said.insert("workingDir".to_owned(), json!(dir));
    if let Some((name, port)) = debugged.port {
        said.insert("ports".to_owned(), json!({ name: port }));
    }
    Value::Object(said)
}

/// Gives a pod the volume that debuggers are put into, what puts them there, and the containers that need them a look at it.
fn support(spec: &mut Value, mounted: &[usize], supports: &BTreeSet<&str>, helpers: &str) {
    let Some(first) = mounted.first() else { return };
    // A namespace that forbids privileges forbids them to this container as well.
    let rights = spec["containers"][*first]["securityContext"].clone();
    push(spec, "volumes", json!({"name": VOLUME, "emptyDir": {}}));
    let mount = json!({"name": VOLUME, "mountPath": MOUNT});
    for name in supports {
        let mut installer = json!({
            "name": format!("install-{name}-debug-support"),
            "image": format!("{helpers}/{name}"),
            // What it brings is the same for a long time: a node that has it need not ask for it at every start.
            "imagePullPolicy": "IfNotPresent",
            "volumeMounts": [mount],
        });
        if rights.is_object() {
            installer["securityContext"] = rights.clone();
        }
        push(spec, "initContainers", installer);
    }
    for index in mounted {
        push(&mut spec["containers"][*index], "volumeMounts", mount.clone());
    }
}

fn push(object: &mut Value, list: &str, item: Value) {
    match object[list].as_array_mut() {
        Some(list) => list.push(item),
        None => object[list] = json!([item]),
    }
}
