//! One service of a Compose file.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_config::Node;
use devloop_config::read_env_file;
use devloop_model::Diagnostic;
use devloop_model::GoDuration;
use serde_json::Map;
use serde_json::Value;

use super::left_out;
use super::ports;
use super::ports::Port;
use super::variables::Variables;
use super::volumes;
use super::volumes::Mount;
use crate::artifact::Artifact;
use crate::builder::Builder;
use crate::builder::Kind;
use crate::tree::joined;

/// Fields that change nothing in a cluster, which restarts what ends and lets all reach one another.
const NEEDLESS: [&str; 16] = [
    "attach",
    "container_name",
    "depends_on",
    "develop",
    "hostname",
    "init",
    "links",
    "logging",
    "networks",
    "platform",
    "pull_policy",
    "restart",
    "stop_signal",
    "labels",
    "annotations",
    "ulimits",
];
/// Fields that are read.
const READ: [&str; 20] = [
    "build",
    "cap_add",
    "cap_drop",
    "command",
    "deploy",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "healthcheck",
    "image",
    "ports",
    "privileged",
    "profiles",
    "read_only",
    "scale",
    "stdin_open",
    "tty",
    "volumes",
    "working_dir",
];

/// A service.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) image: String,
    /// How its image is built.
    pub(super) build: Option<Artifact>,
    pub(super) profiles: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) ports: Vec<Port>,
    pub(super) mounts: Vec<Mount>,
    pub(super) probe: Option<Probe>,
    pub(super) replicas: Option<u64>,
    pub(super) working_dir: Option<String>,
    /// `securityContext`, `resources`, `stdin` and `tty`, as a container has them.
    pub(super) more: Map<String, Value>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// How it is told whether a service works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) command: Vec<String>,
    /// Kubernetes' names of numbers.
    pub(super) numbers: Vec<(&'static str, u64)>,
}

impl Service {
    /// Returns the service of that name; paths are relative to `directory` of the project `root`.
    ///
    /// # Errors
    /// When a field is not what Compose takes.
    pub(super) fn decode(name: &str, node: &Node, variables: &mut Variables, root: &Path, directory: &str) -> Result<Self, Diagnostic> {
        let Some(fields) = node.as_map() else {
            return Err(node.span.error("init/compose", format!("the service `{name}` is {}, not a mapping", node.kind())));
        };
        let mut service = Self { name: name.to_owned(), ..Self::default() };
        for (key, value) in fields {
            let is_known = READ.contains(&key.text.as_str()) || NEEDLESS.contains(&key.text.as_str()) || key.text.starts_with("x-");
            if key.text == "extends" {
                let error = key.span.error("init/compose", "`extends` of Compose is not followed");
                return Err(error.help("write the whole file by `docker compose config`, and name that"));
            }
            if !is_known {
                service.warnings.push(left_out(value, format!("`{}` of the service `{name}` is left out", key.text)));
            }
        }
        service.take_image(node, variables, directory)?;
        service.profiles = texts(node.get("profiles"), variables)?;
        service.entrypoint = words(node.get("entrypoint"), variables)?;
        service.command = words(node.get("command"), variables)?;
        service.take_environment(node, variables, &root.join(directory))?;
        for port in items(node.get("ports")) {
            service.ports.extend(ports::published(port, variables)?);
        }
        for port in items(node.get("expose")) {
            service.ports.extend(ports::exposed(port, variables)?);
        }
        for volume in items(node.get("volumes")) {
            match volumes::mount(volume, variables)? {
                Ok(mount) => service.mounts.push(mount),
                Err(warning) => service.warnings.push(warning),
            }
        }
        service.probe = node.get("healthcheck").map(|check| probe(check, variables)).transpose()?.flatten();
        service.working_dir = node.get("working_dir").map(|dir| variables.text(dir)).transpose()?;
        service.take_rest(node, variables)?;
        Ok(service)
    }

    fn take_image(&mut self, node: &Node, variables: &mut Variables, directory: &str) -> Result<(), Diagnostic> {
        let image = node.get("image").map(|image| variables.text(image)).transpose()?;
        let Some(build) = node.get("build").filter(|build| !build.is_null()) else {
            let missing = || node.span.error("init/compose", format!("the service `{}` has neither `image` nor `build`", self.name));
            self.image = image.ok_or_else(missing)?;
            return Ok(());
        };
        let repository =
            |image: &String| devloop_model::ImageRef::parse(image).map_or_else(|_| image.clone(), |found| found.name.to_string());
        self.image = image.as_ref().map_or_else(|| crate::outcome::object_name(&self.name), repository);
        let mut field = |name: &str| build.get(name).map(|node| variables.text(node)).transpose();
        let (context, dockerfile, target) = match build.as_map() {
            Some(_) => (field("context")?, field("dockerfile")?, field("target")?),
            None => (Some(variables.text(build)?), None, None),
        };
        let context = context.unwrap_or_else(|| ".".to_owned());
        let elsewhere = context.contains("://") || context.starts_with('/') || build.get("dockerfile_inline").is_some();
        if elsewhere {
            let what = format!("the service `{}` is built from something else than a folder of this project", self.name);
            return Err(build.span.error("init/compose", what));
        }
        let context = joined(directory, &context);
        let path = joined(&context, dockerfile.as_deref().unwrap_or("Dockerfile"));
        let arguments = build.get("args").map(|args| pairs(args, variables)).transpose()?.unwrap_or_default();
        let builder = Builder { target: target.unwrap_or_default(), arguments, ..Builder::new(Kind::Docker, path) };
        self.build = Some(Artifact { context: Some(context), ..Artifact::new(self.image.clone(), builder) });
        Ok(())
    }

    /// Variables that are named win over those of files; one without a value is that of this machine.
    fn take_environment(&mut self, node: &Node, variables: &mut Variables, directory: &Path) -> Result<(), Diagnostic> {
        let files = node.get("env_file").map(|files| if files.as_list().is_some() { items(Some(files)).collect() } else { vec![files] });
        for file in files.unwrap_or_default() {
            let path = directory.join(variables.text(file.get("path").unwrap_or(file))?);
            let is_needed = file.get("required").and_then(Node::as_bool).unwrap_or(true);
            if is_needed || path.is_file() {
                self.environment.extend(read_env_file(&path)?);
            }
        }
        let named = node.get("environment").map(|named| pairs(named, variables)).transpose()?.unwrap_or_default();
        for (name, value) in named {
            if let Some(value) = value.or_else(|| variables.get(&name).map(str::to_owned)) {
                self.environment.insert(name, value);
            }
        }
        Ok(())
    }

    fn take_rest(&mut self, node: &Node, variables: &mut Variables) -> Result<(), Diagnostic> {
        let replicas = node.pointer("/deploy/replicas").or_else(|| node.get("scale"));
        let number = |text: String| text.parse().ok();
        self.replicas = replicas.map(|replicas| variables.text(replicas)).transpose()?.and_then(number);
        let is_on = |field: &str| node.get(field).and_then(Node::as_bool).unwrap_or_default();
        for (field, name) in [("stdin_open", "stdin"), ("tty", "tty")] {
            if is_on(field) {
                self.more.insert(name.to_owned(), true.into());
            }
        }
        let mut security = Map::new();
        for (field, name) in [("privileged", "privileged"), ("read_only", "readOnlyRootFilesystem")] {
            if is_on(field) {
                security.insert(name.to_owned(), true.into());
            }
        }
        let (add, drop) = (texts(node.get("cap_add"), variables)?, texts(node.get("cap_drop"), variables)?);
        let named = [("add", add), ("drop", drop)].into_iter().filter(|(_, names)| !names.is_empty());
        let capabilities: Map<String, Value> = named.map(|(field, names)| (field.to_owned(), names.into())).collect();
        if !capabilities.is_empty() {
            security.insert("capabilities".to_owned(), capabilities.into());
        }
        if !security.is_empty() {
            self.more.insert("securityContext".to_owned(), security.into());
        }
        self.take_resources(node, variables)
    }

    fn take_resources(&mut self, node: &Node, variables: &mut Variables) -> Result<(), Diagnostic> {
        let mut resources = Map::new();
        for (from, to) in [("limits", "limits"), ("reservations", "requests")] {
            let mut amounts = Map::new();
            for (field, name) in [("cpus", "cpu"), ("memory", "memory")] {
                if let Some(amount) = node.pointer(&format!("/deploy/resources/{from}/{field}")) {
                    let text = variables.text(amount)?;
                    amounts.insert(name.to_owned(), if name == "memory" { memory(&text) } else { text }.into());
                }
            }
            if !amounts.is_empty() {
                resources.insert(to.to_owned(), amounts.into());
            }
        }
        if !resources.is_empty() {
            self.more.insert("resources".to_owned(), resources.into());
        }
        Ok(())
    }
}

/// Returns an amount of memory as Kubernetes writes it: `512m` and `512MB` are `512Mi`.
fn memory(text: &str) -> String {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    match unit.to_lowercase().chars().next() {
        Some(unit @ ('k' | 'm' | 'g')) => format!("{amount}{}i", unit.to_uppercase()),
        _ => amount.to_owned(),
    }
}

fn items(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    node.and_then(Node::as_list).unwrap_or_default().iter()
}

fn texts(node: Option<&Node>, variables: &mut Variables) -> Result<Vec<String>, Diagnostic> {
    items(node).map(|node| variables.text(node)).collect()
}

/// Returns the words of a command line: a list, or text that is split as a shell does.
fn words(node: Option<&Node>, variables: &mut Variables) -> Result<Vec<String>, Diagnostic> {
    match node {
        None => Ok(Vec::new()),
        Some(node) if node.is_null() => Ok(Vec::new()),
        Some(node) if node.as_list().is_some() => texts(Some(node), variables),
        Some(node) => {
            let text = variables.text(node)?;
            shlex::split(&text).ok_or_else(|| node.span.error("init/compose", "this command has a quote that is not closed"))
        }
    }
}

/// Returns the entries of `NAME: value` or `- NAME=value`; one without a value has none.
fn pairs(node: &Node, variables: &mut Variables) -> Result<Vec<(String, Option<String>)>, Diagnostic> {
    if let Some(entries) = node.as_map() {
        let value = |value: &Node, variables: &mut Variables| if value.is_null() { Ok(None) } else { variables.text(value).map(Some) };
        return entries.iter().map(|(key, node)| Ok((key.text.clone(), value(node, variables)?))).collect();
    }
    let pair = |text: String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text, None),
    };
    Ok(texts(Some(node), variables)?.into_iter().map(pair).collect())
}

fn probe(node: &Node, variables: &mut Variables) -> Result<Option<Probe>, Diagnostic> {
    let (Some(test), false) = (node.get("test"), node.get("disable").and_then(Node::as_bool).unwrap_or_default()) else { return Ok(None) };
    let command =
        if test.as_list().is_some() { texts(Some(test), variables)? } else { vec!["CMD-SHELL".to_owned(), variables.text(test)?] };
    let command = match command.split_first() {
        Some((kind, words)) if kind == "CMD" && !words.is_empty() => words.to_vec(),
        Some((kind, words)) if kind == "CMD-SHELL" => vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")],
        _ => return Ok(None),
    };
    let mut numbers = Vec::new();
    for (field, name) in [("interval", "periodSeconds"), ("timeout", "timeoutSeconds"), ("start_period", "initialDelaySeconds")] {
        if let Some(duration) = node.get(field) {
            let text = variables.text(duration)?;
            let duration: GoDuration = text.parse().map_err(|_| duration.span.error("init/compose", format!("`{text}` is no duration")))?;
            numbers.push((name, duration.0.as_secs().max(1)));
        }
    }
    if let Some(retries) = node.get("retries").map(|retries| variables.text(retries)).transpose()?.and_then(|text| text.parse().ok()) {
        numbers.push(("failureThreshold", retries));
    }
    Ok(Some(Probe { command, numbers }))
}
