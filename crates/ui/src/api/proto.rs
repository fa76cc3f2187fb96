//! What both of Skaffold's event APIs share: JSON as its gateway writes protobuf messages, with the names of the
//! `.proto` files and every field that is not set (`proto/v1`, `proto/v2`, `proto/enums`).

use std::collections::BTreeMap;

use devloop_model::AutoStage;
use devloop_model::DebuggingContainer;
use devloop_model::Diagnostic;
use devloop_model::ForwardState;
use devloop_model::ImageName;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::Snapshot;
use crate::snapshot::ArtifactRecord;
use crate::snapshot::Forward;
use crate::snapshot::Resource;

/// The code for what nothing is known of.
pub(crate) const UNKNOWN_ERROR: &str = "UNKNOWN_ERROR";

/// What becomes of a container, in both APIs.
pub(crate) const STARTED: &str = "Started";
pub(crate) const TERMINATED: &str = "Terminated";

/// How far something is; the two APIs have different words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    NotStarted,
    InProgress,
    Succeeded,
    Failed,
    Canceled,
}

impl Status {
    /// Returns how far a step is.
    pub(crate) fn of(snapshot: &Snapshot, step: &StepId) -> Self {
        match snapshot.step(step).map(|record| record.outcome.as_ref()) {
            None => Self::NotStarted,
            Some(None) => Self::InProgress,
            Some(Some(outcome)) => outcome.into(),
        }
    }

    /// Returns how far an artifact is: one that needed no build is done as well.
    pub(crate) fn of_artifact(snapshot: &Snapshot, record: &ArtifactRecord) -> Self {
        match Self::of(snapshot, &StepId::build(record.artifact.clone())) {
            Self::NotStarted | Self::Succeeded if record.cache.is_some() && !record.stale => Self::Succeeded,
            Self::Succeeded => Self::NotStarted,
            other => other,
        }
    }
}

impl From<&Outcome> for Status {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Cancelled => Self::Canceled,
        }
    }
}

/// What was under way before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phases {
    /// Whether images are checked or built.
    pub(crate) builds: bool,
    /// Whether images are tested.
    pub(crate) tests: bool,
    /// The last save whose iteration ended.
    pub(crate) ended: u64,
}

impl Phases {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let runs = |step: &StepId| Status::of(snapshot, step) == Status::InProgress;
        let build = |record: &ArtifactRecord| StepId::build(record.artifact.clone());
        let failed = |record: &ArtifactRecord| matches!(Status::of(snapshot, &build(record)), Status::Failed | Status::Canceled);
        let stale = || snapshot.artifacts.iter().filter(|record| record.stale);
        let builds = runs(&StepId::of(Stage::Prepare))
            || snapshot.artifacts.iter().any(|record| runs(&build(record)))
            || (stale().next().is_some() && !stale().any(failed) && Status::of(snapshot, &StepId::of(Stage::Prepare)) == Status::Succeeded);
        let tests = snapshot.running().any(|record| record.step.stage == Stage::Test);
        Self { builds, tests, ended: snapshot.iteration.as_ref().map_or(0, |iteration| iteration.save) }
    }
}

/// Returns a `google.protobuf.Timestamp`: with no, 3, 6 or 9 digits after the second.
pub(crate) fn timestamp(at: Timestamp) -> Value {
    let nanoseconds = at.subsec_nanosecond();
    let digits = [(0, 1_000_000_000), (3, 1_000_000), (6, 1000)].into_iter().find(|(_, unit)| nanoseconds % unit == 0);
    json!(format!("{at:.*}", digits.map_or(9, |(digits, _)| digits)))
}

/// Returns an `ActionableErr`, or null.
pub(crate) fn error(outcome: &Outcome, code: &str) -> Value {
    match outcome {
        Outcome::Failed { diagnostic } => json!({
            "errCode": status_code(diagnostic, code),
            "message": message(diagnostic),
            "suggestions": diagnostic.help.iter().map(|help| json!({ "suggestionCode": "NIL", "action": help })).collect::<Vec<_>>(),
        }),
        Outcome::Succeeded | Outcome::Cancelled => Value::Null,
    }
}

/// Returns what went wrong and why, in one text.
pub(crate) fn message(diagnostic: &Diagnostic) -> String {
    std::iter::once(diagnostic.what.as_str()).chain(diagnostic.why.iter().map(String::as_str)).collect::<Vec<_>>().join(": ")
}

/// Returns Skaffold's code for what is known to be wrong, else `code`, else that of the stage.
fn status_code<'c>(diagnostic: &Diagnostic, code: &'c str) -> &'c str {
    match diagnostic.code.as_ref() {
        "deploy/image-pull" | "deploy/image-name" => "STATUSCHECK_IMAGE_PULL_ERR",
        "deploy/container-start" | "deploy/container-config" => "STATUSCHECK_RUN_CONTAINER_ERR",
        "deploy/crash" => "STATUSCHECK_CONTAINER_RESTARTING",
        "deploy/out-of-memory" => "STATUSCHECK_CONTAINER_TERMINATED",
        "deploy/probe" => "STATUSCHECK_UNHEALTHY",
        "deploy/unschedulable" => "STATUSCHECK_FAILED_SCHEDULING",
        "deploy/not-ready-in-time" => "STATUSCHECK_DEADLINE_EXCEEDED",
        "test/failed" => "TEST_CUSTOM_CMD_RUN_NON_ZERO_EXIT_ERR",
        "test/timed-out" => "TEST_CUSTOM_CMD_RUN_TIMEDOUT_ERR",
        "test/structure" => "TEST_CST_USER_ERR",
        "test/no-image" => "TEST_IMG_PULL_ERR",
        "test/inputs-not-listed" => "TEST_CUSTOM_DEPENDENCIES_CMD_ERR",
        "test/template" => "TEST_CUSTOM_CMD_PARSE_ERR",
        other if code == UNKNOWN_ERROR => match other.split('/').next() {
            Some("build") => unknown_code(Stage::Build),
            Some("deploy") => unknown_code(Stage::Deploy),
            Some("sync") => unknown_code(Stage::Sync),
            Some("test") => unknown_code(Stage::Test),
            _ => code,
        },
        _ => code,
    }
}

/// Returns the code for failures of a stage that are not known more closely.
pub(crate) fn unknown_code(stage: Stage) -> &'static str {
    match stage {
        Stage::Prepare | Stage::Build => "BUILD_UNKNOWN",
        Stage::Test => "TEST_UNKNOWN",
        Stage::Sync => "SYNC_UNKNOWN",
        Stage::Deploy => "DEPLOY_UNKNOWN",
        Stage::StatusCheck => "STATUSCHECK_UNKNOWN",
        Stage::Delete => "CLEANUP_UNKNOWN",
        Stage::Configure | Stage::Render | Stage::Attach | Stage::Verify | Stage::Exec => UNKNOWN_ERROR,
    }
}

/// Returns the code of a stage as a whole, for `state`.
pub(crate) fn stage_code(snapshot: &Snapshot, step: &StepId, success: &'static str) -> String {
    match snapshot.step(step).and_then(|record| record.outcome.as_ref()) {
        Some(failed @ Outcome::Failed { .. }) => {
            error(failed, unknown_code(step.stage))["errCode"].as_str().unwrap_or(UNKNOWN_ERROR).to_owned()
        }
        Some(Outcome::Succeeded) => success.to_owned(),
        _ => "OK".to_owned(),
    }
}

/// Returns how far the tests of all images together are, and their code, for `state`.
pub(crate) fn tests(snapshot: &Snapshot) -> (Status, String) {
    let steps = || snapshot.steps.iter().filter(|record| record.step.stage == Stage::Test).map(|record| &record.step);
    let is = |wanted: Status| steps().find(|step| Status::of(snapshot, step) == wanted).map(|step| (wanted, step));
    let found = [Status::InProgress, Status::Failed, Status::Canceled, Status::Succeeded].into_iter().find_map(is);
    found.map_or((Status::NotStarted, "OK".to_owned()), |(status, step)| (status, stage_code(snapshot, step, "TEST_SUCCESS")))
}

/// Returns the code of all builds together, for `state`.
pub(crate) fn build_code(snapshot: &Snapshot) -> String {
    let builds = snapshot.artifacts.iter().map(|record| StepId::build(record.artifact.clone()));
    let codes = builds.chain([StepId::of(Stage::Prepare)]).map(|step| stage_code(snapshot, &step, "OK"));
    codes.into_iter().find(|code| code != "OK").unwrap_or_else(|| "OK".to_owned())
}

/// Returns the platforms of an artifact, as its build events have them.
pub(crate) fn platforms(snapshot: &Snapshot, artifact: &ImageName) -> String {
    let platforms = snapshot.artifact(artifact).map(|record| record.platforms.as_slice()).unwrap_or_default();
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Returns the platform of this machine in Go's words.
pub(crate) fn host_platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    format!("{system}/{architecture}")
}

/// Returns what names a resource: its kind and name, with the namespace where it is not the default one
/// (`pkg/skaffold/kubernetes/status/resource/deployment.go`).
pub(crate) fn resource(object: &ObjectKey) -> String {
    match object.namespace.as_ref().map(devloop_model::Namespace::as_str) {
        None | Some("default") => object.to_string(),
        Some(namespace) => format!("{namespace}:{object}"),
    }
}

/// Returns the map of resources of a `StatusCheckState`.
pub(crate) fn resources(snapshot: &Snapshot, status: impl Fn(&Resource) -> &'static str) -> Value {
    Value::Object(snapshot.resources.iter().map(|found| (resource(&found.object), json!(status(found)))).collect())
}

/// Returns an `IntOrString`: type 0 is a number, 1 a name.
fn int_or_string(port: &str) -> Value {
    match port.parse::<u16>() {
        Ok(number) => json!({ "type": 0, "intVal": number, "strVal": "" }),
        Err(_) => json!({ "type": 1, "intVal": 0, "strVal": port }),
    }
}

/// Returns the fields that the port events of both APIs have, in their order.
pub(crate) fn port(now: &Snapshot, forward: &Forward) -> Map<String, Value> {
    let source = &forward.source;
    let pod = match &forward.state {
        ForwardState::Ready { pod } => pod.as_str(),
        _ => "",
    };
    let named = if source.port.parse::<u16>().is_ok() { "" } else { source.port.as_str() };
    // An IDE finds the debugger of a container by these two.
    let (container, name) = now.debugger_at(forward).map_or(("", named), |(container, name)| (container.container.as_str(), name));
    let port = json!({
        "podName": pod,
        "containerName": container,
        "namespace": source.namespace,
        "portName": name,
        "resourceType": source.kind,
        "resourceName": source.name,
        "address": forward.address,
        "targetPort": int_or_string(&source.port),
    });
    port.as_object().cloned().unwrap_or_default()
}

/// Returns the fields that the events of both APIs have of a container under a debugger, in their order.
pub(crate) fn debugging(container: &DebuggingContainer, status: &str) -> Map<String, Value> {
    let DebuggingContainer { namespace, pod, container: name, artifact, runtime, working_dir, ports } = container;
    let fact = json!({
        "status": status,
        "podName": pod,
        "containerName": name,
        "namespace": namespace,
        "artifact": artifact,
        "runtime": runtime,
        "workingDir": working_dir,
        "debugPorts": ports,
    });
    fact.as_object().cloned().unwrap_or_default()
}

/// Returns the kind of a cluster, by the name of its context (`pkg/skaffold/event/v2/metadata.go`).
pub(crate) fn cluster_type(snapshot: &Snapshot) -> &'static str {
    match snapshot.context.as_deref() {
        None => "UNKNOWN_CLUSTER_TYPE",
        Some(context) if context.contains("minikube") => "MINIKUBE",
        Some(context) if context.starts_with("gke") => "GKE",
        Some(_) => "OTHER",
    }
}

/// Returns Skaffold's word for a builder, renderer or deployer (`proto/enums/enums.proto`).
pub(crate) fn kind(name: &str) -> String {
    if name == "rawYaml" { "RAWK8S".to_owned() } else { name.to_uppercase() }
}

/// Returns how many modules do something in each way.
pub(crate) fn counted(counts: &BTreeMap<String, usize>) -> Vec<Value> {
    counts.iter().map(|(name, count)| json!({ "type": kind(name), "count": count })).collect()
}

/// Returns the entry that opens every session.
pub(crate) fn greeting(snapshot: &Snapshot) -> String {
    format!("Starting devloop: {{Version:v{} Platform:{}}}", snapshot.version, host_platform())
}

/// Returns whether a stage acts by itself, for `state`.
pub(crate) fn auto(snapshot: &Snapshot, stage: AutoStage) -> bool {
    snapshot.auto.get(stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_protobuf_gives_them() {
        for (at, written) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.500Z"),
            ("2026-01-02T03:04:05.00012Z", "2026-01-02T03:04:05.000120Z"),
            ("2026-01-02T03:04:05.0000001Z", "2026-01-02T03:04:05.000000100Z"),
        ] {
            assert_eq!(timestamp(at.parse().unwrap()), written);
        }
    }

    #[test]
    fn ports_are_numbers_or_names() {
        assert_eq!(int_or_string("8080"), json!({ "type": 0, "intVal": 8080, "strVal": "" }));
        assert_eq!(int_or_string("http"), json!({ "type": 1, "intVal": 0, "strVal": "http" }));
    }

    #[test]
    fn resources_are_named_as_skaffold_does() {
        let of = |namespace: Option<&str>| {
            let namespace = namespace.map(|name| devloop_model::Namespace(name.into()));
            resource(&ObjectKey { group: "apps".into(), kind: "Deployment".into(), namespace, name: "web".into() })
        };
        assert_eq!(of(Some("default")), "deployment/web");
        assert_eq!(of(None), "deployment/web");
        assert_eq!(of(Some("dev")), "dev:deployment/web");
    }
}
