//! One container: what it runs, and what a debugger changes of it.

use std::collections::BTreeMap;

use devloop_model::ImageConfig;
use devloop_model::Runtime;
use serde_json::Value;
use serde_json::json;

use super::buildpacks;
use super::command_line::CommandLine;

/// A container of a pod, with what its image says.
pub(super) struct Container<'a> {
    object: &'a mut Value,
    pub(super) image: &'a ImageConfig,
    pub(super) command: CommandLine,
    /// The image's variables under the container's own, as far as these are plain values.
    pub(super) env: BTreeMap<String, String>,
    /// `--protocols`, the preferred first.
    pub(super) protocols: &'a [String],
    /// The ports of all containers of the pod.
    taken: Vec<u16>,
}

/// What was made of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debugged {
    /// The name of the runtime, as Skaffold's annotation has it.
    pub(super) runtime: &'static str,
    /// What listens, by name.
    pub(super) port: Option<(&'static str, u16)>,
    /// The image that brings the debugger; none where the runtime has its own.
    pub(super) support: Option<&'static str>,
}

impl<'a> Container<'a> {
    /// Returns a container as it would run. `taken` are the ports of its pod.
    pub(super) fn new(object: &'a mut Value, image: &'a ImageConfig, protocols: &'a [String], taken: Vec<u16>) -> Self {
        let words = words_of(object, image);
        let command = CommandLine::of(buildpacks::launched(image, &words).unwrap_or(words));
        let mut env = image.env.clone();
        for variable in object["env"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
                env.insert(name.to_owned(), value.to_owned());
            }
        }
        Self { object, image, command, env, protocols, taken }
    }

    /// Returns the first port from `wanted` on that no container of the pod has.
    pub(super) fn free_port(&self, wanted: u16) -> u16 {
        (wanted..=u16::MAX).find(|port| !self.taken.contains(port)).unwrap_or(wanted)
    }

    /// Makes the container run the words of its command as they are now.
    pub(super) fn set_command(&mut self) {
        self.object["command"] = json!(self.command.written());
        if let Some(object) = self.object.as_object_mut() {
            object.remove("args");
        }
    }

    /// Gives the container a variable.
    pub(super) fn set_env(&mut self, name: &str, value: &str) {
        if !self.object["env"].is_array() {
            self.object["env"] = json!([]);
        }
        let Some(variables) = self.object["env"].as_array_mut() else { return };
        let new = json!({"name": name, "value": value});
        match variables.iter_mut().find(|variable| variable["name"] == *name) {
            Some(variable) => *variable = new,
            None => variables.push(new),
        }
    }

    /// Gives the container a port with a name; what had one of both gives way.
    pub(super) fn expose(&mut self, name: &str, port: u16) {
        if !self.object["ports"].is_array() {
            self.object["ports"] = json!([]);
        }
        let Some(ports) = self.object["ports"].as_array_mut() else { return };
        ports.retain(|known| known["name"] != *name && known["containerPort"] != port);
        ports.push(json!({"name": name, "containerPort": port}));
    }
}

/// Returns the words that a container starts: a command of its own leaves out both of the image's.
fn words_of(object: &Value, image: &ImageConfig) -> Vec<String> {
    let words = |name: &str| -> Vec<String> {
        object[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (command, arguments) = (words("command"), words("args"));
    match (command.is_empty(), arguments.is_empty()) {
        (true, true) => image.entrypoint.iter().chain(&image.command).cloned().collect(),
        (true, false) => image.entrypoint.iter().cloned().chain(arguments).collect(),
        (false, _) => command.into_iter().chain(arguments).collect(),
    }
}

/// Returns the runtime of a container by the program that it starts, else by what base images leave behind.
///
/// Source of the variables: Skaffold's `pkg/skaffold/debug/transform_*.go`.
pub(super) fn runtime(container: &Container<'_>) -> Option<Runtime> {
    let program = container.command.program();
    let by_program = match program {
        "dlv" => Some(Runtime::Go),
        "java" => Some(Runtime::Jvm),
        "dotnet" => Some(Runtime::NetCore),
        "node" | "nodemon" | "npm" | "npx" | "yarn" | "pnpm" => Some(Runtime::NodeJs),
        name if super::python::is_python(name) => Some(Runtime::Python),
        _ => None,
    };
    let has = |names: &[&str]| names.iter().any(|name| container.env.contains_key(*name));
    let built_by = |ids: &[&str]| {
        let metadata = container.image.labels.get("io.buildpacks.build.metadata").map(String::as_str).unwrap_or_default();
        ids.iter().any(|id| metadata.contains(id))
    };
    by_program.or_else(|| {
        if has(&["GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK", "KO_DATA_PATH"])
            || container.image.author == "github.com/google/ko"
            || built_by(&["google.go.build", "paketo-buildpacks/go-dist", "heroku/go"])
        {
            Some(Runtime::Go)
        } else if has(&["JAVA_TOOL_OPTIONS", "JAVA_VERSION"]) {
            Some(Runtime::Jvm)
        } else if has(&["ASPNETCORE_URLS", "DOTNET_RUNNING_IN_CONTAINER", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"]) {
            Some(Runtime::NetCore)
        } else if has(&["NODE_VERSION", "NODEJS_VERSION", "NODE_ENV"]) {
            Some(Runtime::NodeJs)
        } else if container.env.keys().any(|name| name.starts_with("PYTHON")) {
            Some(Runtime::Python)
        } else {
            None
        }
    })
}
