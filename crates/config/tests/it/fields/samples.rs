//! A pair of configurations for each field of the schema, which differ in this field alone.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// A field that holds no other fields.
pub(super) struct Leaf {
    /// `build.artifacts[].docker.target`.
    pub(super) path: String,
    schema: Value,
    /// Definitions on the way, outermost first, each with the step into it.
    way: Vec<(String, Value)>,
}

/// Two values of fields that do not take any text or number, by the end of their path; the longest that fits counts.
fn special(path: &str) -> Option<(Value, Value)> {
    let named = |one: &str, other: &str| (json!(one), json!(other));
    let table = [
        ("timeout", named("1m", "2m")),
        ("verify[].timeout", (json!(1), json!(2))),
        ("customActions[].timeout", (json!(1), json!(2))),
        ("copyTimeout", named("1m", "2m")),
        ("cache.ttl", named("1h", "2h")),
        ("platforms", (json!(["linux/amd64"]), json!(["linux/arm64"]))),
        ("platforms[].platform", named("linux/amd64", "linux/arm64")),
        ("buildpacks.env", (json!(["A=b"]), json!(["A=c"]))),
        ("runtimeType", named("go", "python")),
        ("gitCommit.variant", named("TreeSha", "Branches")),
        ("imageFSExtractRetry", named("1", "2")),
        ("pushRetry", named("1", "2")),
        ("logs.prefix", named("none", "auto")),
        ("resourceType", named("service", "pod")),
        ("portForward[].port", (json!(80), json!(81))),
        ("kubernetesCluster.overrides", named("{\"a\": 1}", "{\"a\": 2}")),
        ("kaniko.env", (json!([{"name": "A", "value": "b"}]), json!([{"name": "A", "value": "c"}]))),
        ("kaniko.volumeMounts", (json!([]), json!([{"name": "v", "mountPath": "/v"}]))),
        ("cluster.volumes", (json!([{"name": "v"}]), json!([{"name": "v"}, {"name": "w"}]))),
        ("tolerations", (json!([]), json!([{"key": "a"}]))),
        ("jib.type", named("maven", "gradle")),
        ("bazel.target", named("//:a.tar", "//:b.tar")),
        ("requires[].image", named("base", "tools")),
        ("requires[].alias", named("ONE", "OTHER")),
        ("sync.auto", (json!(null), json!(true))),
        ("sync.manual[].strip", named("", "x")),
        ("test[].image", named("web", "base")),
        ("docker.images", (json!(["web"]), json!(["base"]))),
        ("docker.useCompose", (json!(false), json!(true))),
        ("statusCheck", (json!(true), json!(false))),
        ("dependsOn", (json!([]), json!(["first"]))),
        ("whitelistVarRun", (json!(true), json!(false))),
        ("cacheRunLayers", (json!(true), json!(false))),
        ("custom.buildCommand", named("make one", "make other")),
        ("artifacts[].image", named("one", "other")),
    ];
    let fits = table.into_iter().filter(|(end, _)| path == *end || path.ends_with(&format!(".{end}")));
    fits.max_by_key(|(end, _)| end.len()).map(|(_, values)| values)
}

/// What a field needs beside it, by the start of its path, as a patch (RFC 7386) of the whole configuration.
fn beside(path: &str) -> Vec<Value> {
    let mut more = Vec::new();
    if path.starts_with("build.artifacts[].kaniko") {
        more.push(json!({"build": {"cluster": {"volumes": [{"name": "v"}]}}}));
    }
    if path.starts_with("build.cluster.pullSecret") || path == "build.cluster.randomPullSecret" {
        more.push(json!({"build": {"cluster": {"pullSecretPath": "key.json"}}}));
    }
    if path == "build.cluster.randomDockerConfigSecret" {
        more.push(json!({"build": {"cluster": {"dockerConfig": {"path": "config.json"}}}}));
    }
    if path.ends_with("dependencies.ignore") {
        let list = path.trim_start_matches("build.").trim_end_matches(".ignore").replace("[]", "/0").replace('.', "/");
        let start = if path.starts_with("build.") { "/build/" } else { "/" };
        more.push(json!({"SET": {format!("{start}{list}/paths"): ["p"]}}));
    }
    if path.ends_with("releases[].repo") || path.ends_with("releases[].remoteChart") {
        let list = if path.starts_with("deploy") { "/deploy/helm" } else { "/manifests/helm" };
        more.push(json!({"SET": {format!("{list}/releases/0/chartPath"): null}}));
        if path.ends_with("repo") {
            more.push(json!({"SET": {format!("{list}/releases/0/remoteChart"): "c"}}));
        }
    }
    if path.ends_with("structureTestsArgs") {
        more.push(json!({"SET": {"/test/0/structureTests": ["a.yaml"]}}));
    }
    if path == "deploy.docker.useCompose" {
        more.push(json!({"deploy": {"docker": {"images": ["web"]}}}));
    }
    more
}

/// Returns every leaf of the latest schema. What a profile overlays are the same fields as outside.
pub(super) fn leaves() -> Vec<Leaf> {
    let schema: Value = serde_json::from_str(&devloop_config::json_schema("skaffold/v4beta14").unwrap()).unwrap();
    let mut leaves = Vec::new();
    walk(&schema, &schema, "", &mut Vec::new(), &mut leaves);
    leaves
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let options = schema["anyOf"].as_array().into_iter().chain(schema["allOf"].as_array()).flatten();
    let reference = std::iter::once(schema).chain(options).find_map(|schema| schema["$ref"].as_str());
    reference.map_or(schema, |reference| &root["definitions"][reference.rsplit('/').next().unwrap()])
}

fn walk(root: &Value, definition: &Value, path: &str, way: &mut Vec<(String, Value)>, leaves: &mut Vec<Leaf>) {
    for (name, property) in definition["properties"].as_object().into_iter().flatten() {
        // A template in a template is refused whatever is in it, and its schema has no end.
        let is_nested = path.ends_with("components[]") && name == "customTemplate";
        if path == "profiles[]" && !["name", "activation", "requiresAllActivations", "patches"].contains(&name.as_str()) {
            continue;
        }
        let schema = resolve(root, property);
        let items = resolve(root, &schema["items"]);
        let inner = if items["properties"].is_object() { items } else { schema };
        let list = if items["properties"].is_object() { "[]" } else { "" };
        let here = format!("{path}{}{name}{list}", if path.is_empty() { "" } else { "." });
        let has_fields = inner["properties"].as_object().is_some_and(|fields| !fields.is_empty());
        way.push((format!("{name}{list}"), inner.clone()));
        if has_fields && !is_nested {
            walk(root, inner, &here, way, leaves);
        } else {
            leaves.push(Leaf { path: here, schema: schema.clone(), way: way.clone() });
        }
        way.pop();
    }
}

impl Leaf {
    /// Returns the two configurations.
    pub(super) fn configs(&self) -> (Value, Value) {
        let (one, other) = special(&self.path).unwrap_or_else(|| values(&self.schema));
        (self.config(one), self.config(other))
    }

    fn config(&self, value: Value) -> Value {
        let mut config = json!({
            "apiVersion": "skaffold/v4beta14",
            "kind": "Config",
            "build": {"artifacts": [{"image": "web"}, {"image": "base"}, {"image": "tools"}]},
        });
        let mut at = &mut config;
        let (last, way) = self.way.split_last().unwrap();
        for (step, definition) in way {
            at = enter(at, step);
            let fields = at.as_object_mut().unwrap();
            for required in definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let chart = matches!(step.as_str(), "releases[]");
                if !fields.contains_key(required) {
                    fields.insert(required.to_owned(), required_value(step, required));
                }
                if chart && !self.path.ends_with("chartPath") {
                    fields.insert("chartPath".into(), "chart".into());
                }
            }
        }
        let name = last.0.trim_end_matches("[]");
        let fields = at.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value);
        }
        complete(&mut config, &self.path);
        for more in beside(&self.path) {
            add(&mut config, &more);
        }
        config
    }
}

/// Adds what has to be there where a rule asks for it rather than the schema.
fn complete(config: &mut Value, path: &str) {
    if path.starts_with("build.artifacts[].custom") {
        let custom = &mut config["build"]["artifacts"][0]["custom"];
        if custom["buildCommand"].is_null() {
            custom["buildCommand"] = "make".into();
        }
    }
    for index in 0..config["portForward"].as_array().map_or(0, Vec::len) {
        let forward = config["portForward"][index].as_object_mut().unwrap();
        for (field, value) in [("resourceType", json!("service")), ("resourceName", json!("web")), ("port", json!(80))] {
            forward.entry(field).or_insert(value);
        }
    }
    if path.starts_with("test[]") && config["test"][0]["structureTests"].is_null() && config["test"][0]["custom"].is_null() {
        config["test"][0]["custom"] = json!([{"command": "make"}]);
    }
    if path.contains("components[]") {
        let component = config["build"]["tagPolicy"]["customTemplate"]["components"][0].as_object_mut().unwrap();
        if component.keys().all(|field| field == "name") {
            component.insert("gitCommit".into(), json!({}));
        }
    }
    if path.contains("releases[]") {
        let list = if path.starts_with("deploy") { "deploy" } else { "manifests" };
        let releases = config[list]["helm"]["releases"].as_array_mut().unwrap();
        releases.push(json!({"name": "first", "chartPath": "first"}));
    }
    if path.starts_with("manifests.helm") {
        config["deploy"]["kubectl"] = json!({});
    }
    if path.contains("helm.") && !path.contains("releases[]") {
        let list = if path.starts_with("deploy") { "deploy" } else { "manifests" };
        config[list]["helm"]["releases"] = json!([{"name": "first", "chartPath": "first"}]);
    }
}

fn add(config: &mut Value, more: &Value) {
    if let Some(set) = more["SET"].as_object() {
        for (pointer, value) in set {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let fields = config.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.entry(name).or_insert(value.clone());
            }
        }
        return;
    }
    for (name, value) in more.as_object().unwrap() {
        match (config.get_mut(name), value) {
            (Some(inner @ Value::Object(_)), Value::Object(_)) => add(inner, value),
            (Some(_), _) => {}
            (None, _) => config[name] = value.clone(),
        }
    }
}

fn enter<'v>(at: &'v mut Value, step: &str) -> &'v mut Value {
    let fields = at.as_object_mut().unwrap();
    match step.strip_suffix("[]") {
        Some(list) => {
            let items = fields.entry(list).or_insert_with(|| json!([{}])).as_array_mut().unwrap();
            &mut items[0]
        }
        None => fields.entry(step).or_insert_with(|| json!({})),
    }
}

fn required_value(step: &str, field: &str) -> Value {
    match (step, field) {
        ("requires[]", "image") => "base".into(),
        (_, "image") => "web".into(),
        (_, "command") if step == "custom[]" => "make".into(),
        (_, "command") => json!(["true"]),
        (_, "target") if step == "bazel" => "//:a.tar".into(),
        (_, "platform") => "linux/amd64".into(),
        (_, "container") => json!({"name": "c", "image": "alpine"}),
        (_, "containers") => json!([{"name": "c", "image": "alpine"}]),
        (_, "releases") => json!([{"name": "r", "chartPath": "chart"}]),
        _ => "x".into(),
    }
}

/// Returns two values of a type.
fn values(schema: &Value) -> (Value, Value) {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    match kind {
        "boolean" => (json!(false), json!(true)),
        "integer" => (json!(1), json!(2)),
        "string" => (json!("one"), json!("other")),
        "array" => (json!(["one"]), json!(["other"])),
        _ if schema["properties"].as_object().is_some_and(Map::is_empty) || schema["additionalProperties"] == false => {
            (json!(null), json!({}))
        }
        _ => (json!({"key": "one"}), json!({"key": "other"})),
    }
}
