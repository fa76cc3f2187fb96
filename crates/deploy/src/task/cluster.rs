//! Tasks in the cluster: each is a Job, which is deleted whatever becomes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::LogOptions;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Task;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Failure;
use super::TASK_LABEL;
use super::exited;
use crate::ready::container_statuses;

/// The version of Jobs.
const VERSION: &str = "batch/v1";
/// How long an old Job, or the one that ended, may take to go.
const GONE: Duration = Duration::from_mins(1);
/// How long the rest of a log may take once its container ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl From<KubeError> for Failure {
    fn from(error: KubeError) -> Self {
        match error {
            KubeError::Cancelled => Self::Stopped,
            error => error.diagnostic().into(),
        }
    }
}

/// Runs one task to its end.
pub(super) async fn run(task: &Task, mut job: Value, namespace: Option<&Namespace>, cluster: &Cluster, cx: &Cx) -> Result<(), Failure> {
    if job["metadata"]["namespace"].as_str().is_none_or(str::is_empty) {
        let namespace = namespace.map_or_else(|| cluster.default_namespace(), Namespace::as_str);
        job["metadata"]["namespace"] = namespace.into();
    }
    let key = ObjectKey::of(&job);
    make_room(&key, cluster, cx).await?;
    let applied = cluster.apply(&job, ApplyOptions::default(), cx).await?.object;
    let ended = to_its_end(task, &applied, cluster, cx).await;
    let removed = remove(&key, &applied, cluster, &cx.for_clean_up()).await;
    ended?;
    removed
}

/// Deletes what a killed session left under this name.
async fn make_room(key: &ObjectKey, cluster: &Cluster, cx: &Cx) -> Result<(), Failure> {
    let Some(old) = cluster.get(VERSION, key, cx).await? else { return Ok(()) };
    if old["metadata"]["labels"][TASK_LABEL].is_string() {
        return remove(key, &old, cluster, cx).await;
    }
    let what = format!("there is a {key} already, which is none of devloop's");
    Err(Diagnostic::error("task/job-exists", what)
        .help(format!("delete it with `kubectl delete {}`, or choose another name", key.for_kubectl()))
        .into())
}

async fn remove(key: &ObjectKey, job: &Value, cluster: &Cluster, cx: &Cx) -> Result<(), Failure> {
    let uid = job["metadata"]["uid"].as_str().map(str::to_owned);
    let options = DeleteOptions { uid: uid.clone(), ..DeleteOptions::default() };
    match cluster.delete(VERSION, key, &options, cx).await {
        Ok(_) | Err(KubeError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(cluster.wait_gone(VERSION, key, uid.as_deref(), GONE, cx).await?)
}

/// Watches the pods of a Job until one of them ended, and follows what they say.
async fn to_its_end(task: &Task, job: &Value, cluster: &Cluster, cx: &Cx) -> Result<(), Failure> {
    let key = ObjectKey::of(job);
    let kind = |version, kind| built_in_kind(version, kind).expect("it is in the table");
    let pods = Selection::of(kind("v1", "Pod"), key.namespace.clone()).labels(format!("job-name={}", key.name));
    let jobs = Selection::of(kind(VERSION, "Job"), key.namespace.clone()).fields(format!("metadata.name={}", key.name));
    let mut events = futures::stream::select(cluster.watch(&pods, cx), cluster.watch(&jobs, cx));
    let mut logs = Logs { cluster, cx, following: BTreeSet::new(), tasks: JoinSet::new() };
    let ended = loop {
        let Some(event) = events.next().await else { break Err(Failure::Stopped) };
        let object = match event {
            Ok(WatchEvent::Applied(object)) => object,
            Ok(_) => continue,
            Err(error) => break Err(error.into()),
        };
        let is_of_job = object["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"];
        let state = match object["kind"] == "Pod" {
            true if is_of_job => {
                logs.follow(&object);
                of_pod(task, &object)
            }
            true => None,
            false => of_job(task, &object),
        };
        if let Some(ended) = state {
            break ended.map_err(Failure::from);
        }
    };
    logs.end(ended.is_err() && cx.cancel.is_cancelled()).await;
    ended
}

/// Returns how the pod of a task ended; none while it has not.
fn of_pod(task: &Task, pod: &Value) -> Option<Result<(), Diagnostic>> {
    match pod["status"]["phase"].as_str() {
        Some("Succeeded") => return Some(Ok(())),
        Some("Failed") => {
            let own = container_statuses(pod).find(|status| status["name"] == *task.container);
            let failed = own
                .into_iter()
                .chain(container_statuses(pod))
                .find_map(|status| status["state"]["terminated"]["exitCode"].as_i64().filter(|code| *code != 0));
            return Some(Err(failed.map_or_else(|| failed_pod(task, pod), |code| exited(task, code))));
        }
        _ => {}
    }
    let waiting = container_statuses(pod).map(|status| &status["state"]["waiting"]).find(|waiting| {
        let hopeless = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"];
        waiting["reason"].as_str().is_some_and(|reason| hopeless.contains(&reason))
    })?;
    let is_pull = waiting["reason"].as_str().is_some_and(|reason| reason.contains("Image"));
    let (code, what) = if is_pull {
        ("task/image-pull", format!("the image `{}` of `{}` cannot be pulled", task.image, task.name))
    } else {
        ("task/container", format!("the container of `{}` cannot be started", task.name))
    };
    let why = waiting["message"].as_str().or(waiting["reason"].as_str()).unwrap_or_default();
    Some(Err(Diagnostic::error(code, what).at(task.at.clone()).because(why)))
}

fn failed_pod(task: &Task, pod: &Value) -> Diagnostic {
    let why = pod["status"]["message"].as_str().or(pod["status"]["reason"].as_str()).unwrap_or("its pod failed");
    Diagnostic::error("task/failed", format!("`{}` failed", task.name)).because(why)
}

/// Returns that a Job failed without a pod that could say why; none otherwise.
fn of_job(task: &Task, job: &Value) -> Option<Result<(), Diagnostic>> {
    let conditions = job["status"]["conditions"].as_array()?;
    let failed = conditions.iter().find(|condition| condition["type"] == "Failed" && condition["status"] == "True")?;
    // A pod that failed says more, and comes with it.
    if failed["reason"] == "BackoffLimitExceeded" {
        return None;
    }
    let why = failed["message"].as_str().unwrap_or_default();
    Some(Err(Diagnostic::error("task/failed", format!("`{}` failed", task.name)).because(why)))
}

/// The logs of the pods of a Job.
struct Logs<'a> {
    cluster: &'a Cluster,
    cx: &'a Cx,
    following: BTreeSet<(String, String)>,
    tasks: JoinSet<()>,
}

impl Logs<'_> {
    /// Follows every container of a pod that runs or ran, from its first line on.
    fn follow(&mut self, pod: &Value) {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let namespace = Namespace(pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned());
        for status in container_statuses(pod) {
            let has_run = status["state"]["running"].is_object() || status["state"]["terminated"]["containerID"].is_string();
            let container = status["name"].as_str().unwrap_or_default().to_owned();
            if has_run && self.following.insert((name.clone(), container.clone())) {
                self.tasks.spawn(read(self.cluster.clone(), self.cx.clone(), namespace.clone(), name.clone(), container));
            }
        }
    }

    /// Reads them to their ends, unless nobody wants that any more.
    async fn end(mut self, is_stopped: bool) {
        if is_stopped {
            return;
        }
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(LAST_WORDS, rest).await.ok();
    }
}

async fn read(cluster: Cluster, cx: Cx, namespace: Namespace, pod: String, container: String) {
    let options = LogOptions { container: Some(container.clone()), follow: true, ..LogOptions::default() };
    let mut lines = match cluster.logs(&namespace, &pod, &options, &cx).await {
        Ok(lines) => lines,
        Err(error) => return tracing::debug!(pod, container, %error, "no log"),
    };
    while let Some(Ok(line)) = lines.next().await {
        let fact = EventKind::PodLog { namespace: namespace.clone(), pod: pod.clone(), container: container.clone(), artifact: None, line };
        cx.emit_line(fact).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::task;
    use super::*;

    #[test]
    fn pods_tell_how_a_task_ended() {
        let of = |status: Value| of_pod(&task(), &json!({"status": status})).map(|ended| ended.map_err(|error| error.to_string()));
        let one = |state: Value| json!([{"name": "check", "state": state}]);
        assert_eq!(of(json!({"phase": "Pending"})), None);
        assert_eq!(of(json!({"phase": "Running", "containerStatuses": one(json!({"running": {}}))})), None);
        assert_eq!(of(json!({"phase": "Succeeded"})), Some(Ok(())));
        let failed = of(json!({"phase": "Failed", "containerStatuses": one(json!({"terminated": {"exitCode": 4}}))}));
        assert_eq!(failed, Some(Err("error[task/failed]: container `check` of image `web` ended with exit code 4".to_owned())));
        let evicted = of(json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}));
        assert_eq!(evicted, Some(Err("error[task/failed]: `health` failed\n  low on memory".to_owned())));
        let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
        let pull = of(json!({"phase": "Pending", "containerStatuses": one(waiting)})).unwrap().unwrap_err();
        assert!(pull.starts_with("error[task/image-pull]: the image `web` of `health` cannot be pulled\n"), "{pull}");
    }

    #[test]
    fn a_job_that_could_make_no_pod_is_told() {
        let of = |reason: &str| {
            of_job(&task(), &json!({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "why"}]}}))
        };
        assert_eq!(of("BackoffLimitExceeded"), None);
        assert_eq!(of("DeadlineExceeded").unwrap().unwrap_err().to_string(), "error[task/failed]: `health` failed\n  why");
    }
}
