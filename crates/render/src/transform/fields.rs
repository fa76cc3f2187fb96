//! Which fields of which kinds hold images and labels.
//!
//! Facts: `TransformAllowlist`, `TransformDenylist` in `pkg/skaffold/kubernetes/manifest/visitor.go` and
//! `ConsolidateTransformConfiguration` in `pkg/skaffold/render/renderer/util/util.go` of Skaffold: the user's
//! rules go over the built-in ones, and a rule that denies a kind takes the whole kind out.

use devloop_model::ResourceRule;
use devloop_model::ResourceSelector;
use regex::Regex;
use serde_json::Map;
use serde_json::Value;

use super::template::template;

/// Kinds whose every `image` and `metadata.labels` count, as `Kind.group`.
const WHOLE: [&str; 21] = [
    "Pod",
    "Service",
    "DaemonSet.apps",
    "Deployment.apps",
    "ReplicaSet.apps",
    "StatefulSet.apps",
    "CronJob.batch",
    "Job.batch",
    "DaemonSet.extensions",
    "Deployment.extensions",
    "ReplicaSet.extensions",
    "Service.serving.knative.dev",
    "Fleet.agones.dev",
    "GameServer.agones.dev",
    "Rollout.argoproj.io",
    "Workflow.argoproj.io",
    "CronWorkflow.argoproj.io",
    "WorkflowTemplate.argoproj.io",
    "ClusterWorkflowTemplate.argoproj.io",
    "Job.run.googleapis.com",
    "WorkerPool.run.googleapis.com",
];

const CONFLUENT: [&str; 6] = ["Connect", "ControlCenter", "Kafka", "KsqlDB", "SchemaRegistry", "Zookeeper"];
const CONFLUENT_IMAGES: &[&str] = &[".spec.image.application", ".spec.image.init"];
const STRIMZI_CONNECT_IMAGES: &[&str] = &[".spec.image"];
const STRIMZI_KAFKA_IMAGES: &[&str] = &[
    ".spec.kafka.image",
    ".spec.zookeeper.image",
    ".spec.entityOperator.topicOperator.image",
    ".spec.entityOperator.userOperator.image",
    ".spec.kafkaExporter.image",
];

/// Labels that must not change: the API server refuses it.
const FIXED_LABELS: [(&str, &str); 2] =
    [("StatefulSet.apps", ".spec.volumeClaimTemplates.metadata.labels"), ("Job.batch", ".spec.template.metadata.labels")];

/// The fields of one kind that may be rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KindFields {
    images: Paths,
    labels: Paths,
    pods: Paths,
    fixed_labels: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Paths {
    Any,
    These(Vec<String>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Paths {
    /// A path may be written with list positions and wildcards; they are passed over, as lists are.
    fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut these = Vec::new();
        for path in paths {
            if path == ".*" {
                return Self::Any;
            }
            let bare = path.trim_start_matches('$').replace("[*]", "").replace(".*", "");
            these.push(if bare.starts_with('.') { bare } else { format!(".{bare}") });
        }
        Self::These(these)
    }
}

/// The rules of a session.
#[derive(Debug)]
pub(crate) struct Fields {
    allow: Vec<(Regex, KindFields)>,
    deny: Vec<Regex>,
}

impl Fields {
    /// Returns the built-in rules with the user's on top.
    pub(crate) fn new(selector: &ResourceSelector) -> Self {
        let allow = selector.allow.iter().rev().map(|rule| (group_kind(rule), kind_fields(rule))).collect();
        Self { allow, deny: selector.deny.iter().map(group_kind).collect() }
    }

    /// Returns what may be rewritten in `object`; none if nothing.
    pub(crate) fn of(&self, object: &Value) -> Option<KindFields> {
        let kind = object["kind"].as_str()?;
        let group = object["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
        let name = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        if self.deny.iter().any(|deny| deny.is_match(&name)) {
            return None;
        }
        if let Some((_, fields)) = self.allow.iter().find(|(allow, _)| allow.is_match(&name)) {
            return Some(fields.clone());
        }
        built_in(kind, group, &name)
    }
}

/// A rule's name is taken as a pattern over the whole `Kind.group`; one that is no pattern, as the text itself.
fn group_kind(rule: &ResourceRule) -> Regex {
    let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
    whole(&rule.group_kind).or_else(|_| whole(&regex::escape(&rule.group_kind))).expect("escaped text is a pattern")
}

fn kind_fields(rule: &ResourceRule) -> KindFields {
    KindFields {
        images: Paths::new(rule.image.iter().map(String::as_str)),
        labels: Paths::new(rule.labels.iter().map(String::as_str)),
        pods: Paths::new(rule.pod_spec.iter().map(String::as_str)),
        fixed_labels: None,
    }
}

fn built_in(kind: &str, group: &str, name: &str) -> Option<KindFields> {
    let images = match group {
        _ if WHOLE.contains(&name) || is_config_connector(group) => Paths::Any,
        "platform.confluent.io" if CONFLUENT.contains(&kind) => Paths::new(CONFLUENT_IMAGES.iter().copied()),
        "kafka.strimzi.io" if kind == "KafkaConnect" => Paths::new(STRIMZI_CONNECT_IMAGES.iter().copied()),
        "kafka.strimzi.io" if kind == "Kafka" => Paths::new(STRIMZI_KAFKA_IMAGES.iter().copied()),
        _ => return None,
    };
    let fixed_labels = FIXED_LABELS.iter().find(|(fixed, _)| *fixed == name).map(|(_, path)| *path);
    Some(KindFields { images, labels: Paths::Any, pods: Paths::Any, fixed_labels })
}

/// Google's Config Connector has a group per service: `sql.cnrm.cloud.google.com`.
fn is_config_connector(group: &str) -> bool {
    group.strip_suffix(".cnrm.cloud.google.com").is_some_and(|service| service.ends_with(|c: char| c.is_ascii_alphabetic()))
}

impl KindFields {
    /// Calls `visit` with every image field of `object`.
    pub(crate) fn images(&self, object: &mut Value, visit: &mut impl FnMut(&mut String)) {
        walk(object, &mut String::new(), &mut |path, key, value| {
            let here = match &self.images {
                Paths::Any => key == "image",
                Paths::These(paths) => paths.iter().any(|p| p == path),
            };
            match value {
                Value::String(image) if here => {
                    visit(image);
                    false
                }
                _ => true,
            }
        });
    }

    /// Calls `visit` with every pod spec of `object`.
    pub(crate) fn pod_specs(&self, object: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
        match &self.pods {
            Paths::Any => template(object).and_then(|template| template.get_mut("spec")?.as_object_mut()).into_iter().for_each(visit),
            Paths::These(paths) => walk(object, &mut String::new(), &mut |path, _, value| match value {
                Value::Object(spec) if paths.iter().any(|p| p == path) => {
                    visit(spec);
                    false
                }
                _ => true,
            }),
        }
    }

    /// Calls `visit` with every mapping of labels of `object`; one that is not there is made.
    pub(crate) fn labels(&self, object: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
        walk(object, &mut String::new(), &mut |path, key, value| {
            let Value::Object(holder) = value else { return true };
            let field = match &self.labels {
                Paths::Any if key == "metadata" => Some("labels"),
                Paths::Any => None,
                Paths::These(paths) => {
                    paths.iter().find_map(|p| p.rsplit_once('.').filter(|(parent, _)| *parent == path).map(|(_, field)| field))
                }
            };
            let Some(field) = field.filter(|field| self.fixed_labels != Some(&*format!("{path}.{field}"))) else { return true };
            let labels = holder.entry(field).or_insert_with(|| Value::Object(Map::new()));
            if labels.is_null() {
                *labels = Value::Object(Map::new());
            }
            match labels {
                Value::Object(labels) => {
                    visit(labels);
                    false
                }
                _ => true,
            }
        });
    }
}

/// Calls `visit(path, key, value)` for every entry of every mapping, from the outside in; lists are passed through.
/// What is below an entry is walked where `visit` returns true.
fn walk(value: &mut Value, path: &mut String, visit: &mut impl FnMut(&str, &str, &mut Value) -> bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, path, visit)),
        Value::Object(entries) => {
            for (key, value) in entries {
                let length = path.len();
                path.push('.');
                path.push_str(key);
                if visit(path, key, value) {
                    walk(value, path, visit);
                }
                path.truncate(length);
            }
        }
        _ => {}
    }
}
