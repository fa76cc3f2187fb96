//! What the status of one pod says about it.

use serde_json::Value;

use super::fault::Cause;
use super::fault::Fault;
use super::fault::Weight;
use super::workload::condition;

/// What is known of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodView {
    /// Its name.
    pub(super) name: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// UID of its controller; none for a bare pod.
    pub(super) owner: Option<String>,
    /// Labels that tell which revision of a `StatefulSet` or `DaemonSet` it is of.
    pub(super) revisions: [Option<String>; 2],
    /// Whether it runs and nothing has to be waited for.
    pub(super) settled: bool,
    /// How often its containers were restarted, all together.
    pub(super) restarts: i64,
    /// How far its being ready is to be believed.
    pub(super) trust: Trust,
    /// Whether it has a node, and none of its containers has started.
    pub(super) creating: bool,
    /// What it waits for, in one line.
    pub(super) waiting: Option<String>,
    /// The worst that is wrong with it.
    pub(super) fault: Option<Fault>,
}

/// How far a pod that says that it is ready is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A probe says so, or it is done.
    Proven,
    /// It was started, and nothing says more.
    Started,
    /// It was started again after a crash.
    Restarted,
}

impl PodView {
    /// Returns what `pod` says; none for one that is being deleted.
    pub(super) fn of(pod: &Value) -> Option<Self> {
        let metadata = &pod["metadata"];
        if metadata["deletionTimestamp"].is_string() {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let label = |name: &str| text(&metadata["labels"][name]);
        let settled = pod["status"]["phase"] == "Succeeded" || condition(pod, "Ready").is_some_and(|c| c["status"] == "True");
        Some(Self {
            name: text(&metadata["name"])?,
            namespace: text(&metadata["namespace"]).unwrap_or_default(),
            owner: controller(metadata).map(str::to_owned),
            revisions: [label("controller-revision-hash"), label("pod-template-generation")],
            settled,
            restarts: container_statuses(pod).filter_map(|status| status["restartCount"].as_i64()).sum(),
            trust: trust(pod),
            creating: !settled
                && container_statuses(pod).next().is_some()
                && container_statuses(pod)
                    .all(|status| status["state"]["waiting"].is_object() && !status["lastState"]["terminated"].is_object()),
            waiting: if settled { None } else { waiting(pod) },
            fault: if settled { None } else { fault(pod) },
        })
    }
}

fn trust(pod: &Value) -> Trust {
    let crashed = |status: &Value| status["lastState"]["terminated"]["exitCode"].as_i64().is_some_and(|code| code != 0);
    let is_probed = |spec: &Value| spec["readinessProbe"].is_object() || spec["startupProbe"].is_object();
    let specs = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if pod["status"]["phase"] == "Succeeded" || specs.iter().all(is_probed) {
        Trust::Proven
    } else if container_statuses(pod).any(crashed) {
        Trust::Restarted
    } else {
        Trust::Started
    }
}

/// Returns the UID of an object's controller.
pub(super) fn controller(metadata: &Value) -> Option<&str> {
    metadata["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)?["uid"].as_str()
}

/// Returns the statuses of init containers, then of the others.
pub(crate) fn container_statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| pod["status"][name].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    list("initContainerStatuses").chain(list("containerStatuses"))
}

fn waiting(pod: &Value) -> Option<String> {
    for status in container_statuses(pod) {
        let name = status["name"].as_str().unwrap_or_default();
        if let Some(reason) = status["state"]["waiting"]["reason"].as_str().filter(|reason| *reason != "PodInitializing") {
            return Some(format!("container {name} is waiting: {reason}"));
        }
        if status["state"]["running"].is_object() && status["ready"] == false && status["started"] != true {
            return Some(format!("container {name} is starting"));
        }
        if status["state"]["running"].is_object() && status["ready"] == false {
            return Some(format!("container {name} runs but is not ready"));
        }
    }
    condition(pod, "PodScheduled").filter(|c| c["status"] == "False").map(|_| "it has no node yet".to_owned())
}

/// Returns the worst fault of a pod.
fn fault(pod: &Value) -> Option<Fault> {
    let restarts = pod["spec"]["restartPolicy"].as_str() != Some("Never");
    let in_job = pod["metadata"]["ownerReferences"].as_array().is_some_and(|owners| owners.iter().any(|owner| owner["kind"] == "Job"));
    let of_containers = container_statuses(pod).filter_map(|status| container_fault(status, restarts, in_job));
    of_containers.chain(evicted(pod)).chain(unschedulable(pod)).reduce(|worst, next| if next.weight > worst.weight { next } else { worst })
}

fn evicted(pod: &Value) -> Option<Fault> {
    let status = &pod["status"];
    (status["phase"] == "Failed" && status["reason"] == "Evicted").then(|| Fault {
        cause: Cause::Evicted,
        // Its controller makes another one elsewhere.
        weight: if controller(&pod["metadata"]).is_some() { Weight::Passing } else { Weight::Hopeless },
        container: None,
        message: status["message"].as_str().unwrap_or_default().to_owned(),
        restarted: false,
    })
}

fn unschedulable(pod: &Value) -> Option<Fault> {
    let scheduled = condition(pod, "PodScheduled").filter(|c| c["status"] == "False" && c["reason"] == "Unschedulable")?;
    let message = scheduled["message"].as_str().unwrap_or_default().to_owned();
    Some(Fault { cause: Cause::Unschedulable, weight: Weight::Doubtful, container: None, message, restarted: false })
}

fn container_fault(status: &Value, restarts: bool, in_job: bool) -> Option<Fault> {
    let container = status["name"].as_str().map(str::to_owned);
    let waiting = &status["state"]["waiting"];
    let message = waiting["message"].as_str().unwrap_or_default();
    let (cause, weight) = match waiting["reason"].as_str() {
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed",
        ) => (Cause::ImagePull, Weight::Hopeless),
        Some("InvalidImageName") => (Cause::ImageName, Weight::Hopeless),
        // The kubelet has not heard of an object yet that is there: it tries again.
        Some("CreateContainerConfigError") if message.contains("timed out waiting") => (Cause::Config, Weight::Passing),
        Some("CreateContainerConfigError") => (Cause::Config, Weight::Hopeless),
        Some("RunContainerError" | "CreateContainerError" | "StartError" | "PostStartHookError" | "ContainerCannotRun") => {
            (Cause::Start, Weight::Hopeless)
        }
        _ => return ended(status, restarts, in_job),
    };
    Some(Fault { cause, weight, container, message: message.to_owned(), restarted: false })
}

/// A container that ended once and is started again may live; one that ended twice will not. What a job does about
/// its pods is the job's to decide.
fn ended(status: &Value, restarts: bool, in_job: bool) -> Option<Fault> {
    let now = &status["state"]["terminated"];
    let before = &status["lastState"]["terminated"];
    let loops = status["state"]["waiting"]["reason"] == "CrashLoopBackOff";
    let running = status["state"]["running"].is_object();
    let last = if now.is_object() { now } else { before };
    let code = last["exitCode"].as_i64().filter(|_| last.is_object())?;
    if code == 0 && !loops {
        return None;
    }
    let again = status["restartCount"].as_i64().unwrap_or_default() >= 1;
    let weight = if in_job {
        Weight::Passing
    } else if loops || !restarts || (now.is_object() && again) {
        Weight::Hopeless
    } else {
        Weight::Passing
    };
    let cause = match last["reason"].as_str() {
        Some("OOMKilled") => Cause::OutOfMemory,
        Some("StartError" | "ContainerCannotRun") => Cause::Start,
        _ => Cause::Crash { code },
    };
    let message = last["message"].as_str().unwrap_or_default().trim().to_owned();
    Some(Fault { cause, weight, container: status["name"].as_str().map(str::to_owned), message, restarted: running })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(status: &str, rest: &str) -> PodView {
        let text = format!("{{metadata: {{name: web-1, namespace: shop{rest}}}, spec: {{restartPolicy: Always}}, status: {status}}}");
        PodView::of(&serde_saphyr::from_str(&text).unwrap()).unwrap()
    }

    #[test]
    fn faults_are_told_apart() {
        let waiting = |reason: &str| {
            format!("{{containerStatuses: [{{name: web, restartCount: 0, state: {{waiting: {{reason: {reason}, message: m}}}}}}]}}")
        };
        let ended = |restarts: u8, state: &str| format!("{{containerStatuses: [{{name: web, restartCount: {restarts}, {state}}}]}}");
        let crash = "terminated: {exitCode: 1, reason: Error}";
        for (status, expected) in [
            (waiting("ContainerCreating"), None),
            (waiting("ErrImagePull"), Some((Cause::ImagePull, Weight::Hopeless, false))),
            (waiting("ImagePullBackOff"), Some((Cause::ImagePull, Weight::Hopeless, false))),
            (waiting("InvalidImageName"), Some((Cause::ImageName, Weight::Hopeless, false))),
            (waiting("CreateContainerConfigError"), Some((Cause::Config, Weight::Hopeless, false))),
            (
                waiting("CreateContainerConfigError").replace("message: m", "message: 'failed to sync configmap cache: timed out waiting'"),
                Some((Cause::Config, Weight::Passing, false)),
            ),
            (waiting("RunContainerError"), Some((Cause::Start, Weight::Hopeless, false))),
            (ended(0, &format!("state: {{{crash}}}")), Some((Cause::Crash { code: 1 }, Weight::Passing, false))),
            (ended(1, &format!("state: {{{crash}}}")), Some((Cause::Crash { code: 1 }, Weight::Hopeless, false))),
            (ended(1, &format!("state: {{running: {{}}}}, lastState: {{{crash}}}, ready: false")), Some((Cause::Crash { code: 1 }, Weight::Passing, true))),
            (ended(1, &format!("state: {{waiting: {{reason: CrashLoopBackOff}}}}, lastState: {{{crash}}}")), Some((Cause::Crash { code: 1 }, Weight::Hopeless, false))),
            (ended(1, "state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}"), Some((Cause::OutOfMemory, Weight::Hopeless, false))),
            (ended(1, "state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 0, reason: Completed}}"), Some((Cause::Crash { code: 0 }, Weight::Hopeless, false))),
            (ended(0, "state: {running: {}}, ready: true"), None),
            ("{conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: m}]}".to_owned(), Some((Cause::Unschedulable, Weight::Doubtful, false))),
            ("{phase: Failed, reason: Evicted}".to_owned(), Some((Cause::Evicted, Weight::Hopeless, false))),
            ("{initContainerStatuses: [{name: i, restartCount: 2, state: {terminated: {exitCode: 3}}}], containerStatuses: [{name: web, state: {waiting: {reason: PodInitializing}}}]}".to_owned(), Some((Cause::Crash { code: 3 }, Weight::Hopeless, false))),
        ] {
            let found = view(&status, "").fault.map(|fault| (fault.cause, fault.weight, fault.restarted));
            assert_eq!(found, expected, "{status}");
        }
        let in_job = view(&ended(3, &format!("state: {{{crash}}}")), ", ownerReferences: [{kind: Job, uid: j, controller: true}]");
        assert_eq!((in_job.owner.as_deref(), in_job.fault.unwrap().weight), (Some("j"), Weight::Passing));
    }

    #[test]
    fn a_start_alone_proves_little() {
        let pod = |container: &str, status: &str| {
            let text = format!("{{metadata: {{name: a}}, spec: {{containers: [{container}]}}, status: {{{status}}}}}");
            PodView::of(&serde_saphyr::from_str(&text).unwrap()).unwrap().trust
        };
        let crashed = "containerStatuses: [{lastState: {terminated: {exitCode: 1}}, state: {running: {}}}]";
        assert_eq!(pod("{name: c}", ""), Trust::Started);
        assert_eq!(pod("{name: c}", crashed), Trust::Restarted);
        assert_eq!(pod("{name: c, readinessProbe: {}}", crashed), Trust::Proven);
        assert_eq!(pod("{name: c}", "phase: Succeeded"), Trust::Proven);
    }

    #[test]
    fn what_is_waited_for_is_said() {
        for (status, expected) in [
            (
                "{containerStatuses: [{name: web, state: {waiting: {reason: ContainerCreating}}}]}",
                Some("container web is waiting: ContainerCreating"),
            ),
            (
                "{containerStatuses: [{name: web, started: true, ready: false, state: {running: {}}}]}",
                Some("container web runs but is not ready"),
            ),
            ("{containerStatuses: [{name: web, started: false, ready: false, state: {running: {}}}]}", Some("container web is starting")),
            ("{conditions: [{type: PodScheduled, status: 'False'}]}", Some("it has no node yet")),
            ("{conditions: [{type: Ready, status: 'True'}]}", None),
        ] {
            assert_eq!(view(status, "").waiting.as_deref(), expected, "{status}");
        }
    }
}
