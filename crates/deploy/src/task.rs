//! Containers that run to their end: tests of a deployment (`verify`) and custom actions (`exec`).
//!
//! All of them run at once. What they write is told line by line, and whatever becomes of them, nothing of them is left.

mod cluster;
mod daemon;
mod job;

use std::collections::BTreeSet;
use std::time::Duration;

use devloop_clients::docker::Docker;
use devloop_clients::kube::Cluster;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::Outcome;
use devloop_model::Task;
use devloop_model::TaskGroup;
use devloop_model::TaskPlace;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use self::daemon::Ground;
use crate::ready::together;

/// The label of what runs a task, with the name of the task: so that what a killed session left can be replaced.
const TASK_LABEL: &str = "devloop.dev/task";

/// What is run, and how.
#[derive(Debug, Clone, Default)]
pub struct TaskJob {
    /// The tasks; groups run at once as well.
    pub groups: Vec<TaskGroup>,
    /// Variables that every container gets (`--env-file`).
    pub env: Vec<(String, String)>,
    /// The network of containers in the daemon (`--docker-network`); none is one of their own.
    pub network: Option<String>,
    /// The network of the project's own containers, which is used where it is there and none is named.
    pub project_network: String,
    /// The namespace of Jobs that name none.
    pub namespace: Option<Namespace>,
}

impl TaskJob {
    /// Returns whether any of it runs in the container daemon.
    pub fn needs_daemon(&self) -> bool {
        self.groups.iter().any(|group| !group.needs_cluster())
    }

    /// Returns whether any of it runs in the cluster.
    pub fn needs_cluster(&self) -> bool {
        self.groups.iter().any(TaskGroup::needs_cluster)
    }
}

/// What tasks run on; none where no task needs it.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The container daemon.
    pub docker: Option<&'a Docker>,
    /// The cluster.
    pub cluster: Option<&'a Cluster>,
}

/// Why a task did not do its work.
enum Failure {
    /// It failed.
    Told(Box<Diagnostic>),
    /// It was stopped.
    Stopped,
}

impl From<devloop_model::Cancelled> for Failure {
    fn from(_: devloop_model::Cancelled) -> Self {
        Self::Stopped
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Told(Box::new(diagnostic))
    }
}

/// Runs all tasks to their ends.
///
/// # Errors
/// Which of them failed, and of what; when one of several fails, the others still run unless their action says otherwise.
pub async fn run(job: &TaskJob, images: &[BuiltImage], places: Places<'_>, cx: &Cx) -> Result<(), Diagnostic> {
    let ground = match places.docker {
        Some(docker) => Some(Ground::prepare(job, images, docker, cx).await.map_err(told)?),
        None => None,
    };
    let running = Running { job, images, ground: ground.as_ref(), cluster: places.cluster };
    let mut groups: FuturesUnordered<_> = job.groups.iter().map(|group| running.group(group, cx)).collect();
    let mut failed = Vec::new();
    while let Some(failures) = groups.next().await {
        failed.extend(failures);
    }
    drop(groups);
    if let Some(ground) = &ground {
        ground.clean_up(cx).await;
    }
    together(failed).map_or(Ok(()), Err)
}

fn told(failure: Failure) -> Diagnostic {
    match failure {
        Failure::Told(diagnostic) => *diagnostic,
        Failure::Stopped => Diagnostic::error("task/interrupted", "interrupted"),
    }
}

/// What tasks are given.
struct Running<'a> {
    job: &'a TaskJob,
    images: &'a [BuiltImage],
    ground: Option<&'a Ground<'a>>,
    cluster: Option<&'a Cluster>,
}

impl Running<'_> {
    /// Returns what failed of a group.
    async fn group(&self, group: &TaskGroup, cx: &Cx) -> Vec<Diagnostic> {
        let own = cx.ending_with(cx.cancel.child_token());
        let mut left: BTreeSet<&str> = group.tasks.iter().map(|task| task.name.as_str()).collect();
        let mut tasks: FuturesUnordered<_> = group.tasks.iter().map(|task| self.told_task(group, task, &own)).collect();
        let end = group.timeout.map(|limit| Instant::now() + limit);
        let mut failed = Vec::new();
        let mut late = None;
        loop {
            let elapsed = async {
                match end.filter(|_| late.is_none()) {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ended = tasks.next() => {
                    let Some((task, began, result)) = ended else { return failed };
                    left.remove(task.name.as_str());
                    let outcome = outcome(result, late.filter(|_| !cx.cancel.is_cancelled()), task);
                    if let Outcome::Failed { diagnostic } = &outcome {
                        failed.push(diagnostic.clone());
                        if group.fail_fast {
                            own.cancel.cancel();
                        }
                    }
                    cx.emit(EventKind::TaskFinished { step: cx.step.clone(), task: task.name.clone(), outcome, duration: began.elapsed() });
                }
                () = elapsed => {
                    late = group.timeout;
                    own.cancel.cancel();
                }
            }
        }
    }

    async fn told_task<'t>(&self, group: &TaskGroup, task: &'t Task, cx: &Cx) -> (&'t Task, Instant, Result<(), Failure>) {
        let began = Instant::now();
        cx.emit(EventKind::TaskStarted { step: cx.step.clone(), task: task.name.clone() });
        (task, began, self.task(group, task, cx).await)
    }

    async fn task(&self, group: &TaskGroup, task: &Task, cx: &Cx) -> Result<(), Failure> {
        match (&group.place, self.ground, self.cluster) {
            (TaskPlace::Daemon { .. }, Some(ground), _) => ground.run(task, cx).await,
            (TaskPlace::Cluster(settings), _, Some(cluster)) => {
                let job = job::job(task, settings, &self.job.env, &image(task, self.images))?;
                cluster::run(task, job, self.job.namespace.as_ref(), cluster, cx).await
            }
            _ => Err(Diagnostic::error("task/no-place", format!("`{}` has nothing to run on", task.name)).into()),
        }
    }
}

/// Returns how a task ended; one that was stopped because of its time failed.
fn outcome(result: Result<(), Failure>, late: Option<Duration>, task: &Task) -> Outcome {
    match (result, late) {
        (Ok(()), _) => Outcome::Succeeded,
        (Err(Failure::Told(diagnostic)), _) => Outcome::Failed { diagnostic: *diagnostic },
        (Err(Failure::Stopped), Some(limit)) => Outcome::Failed { diagnostic: timed_out(task, limit) },
        (Err(Failure::Stopped), None) => Outcome::Cancelled,
    }
}

fn timed_out(task: &Task, limit: Duration) -> Diagnostic {
    Diagnostic::error("task/timed-out", format!("`{}` was stopped after {} s", task.name, limit.as_secs()))
        .help("raise its `timeout` in skaffold.yaml, or find out what it waits for")
}

/// Returns the error of a container that ended with another code than 0.
fn exited(task: &Task, code: i64) -> Diagnostic {
    Diagnostic::error("task/failed", format!("container `{}` of image `{}` ended with exit code {code}", task.container, task.image))
}

/// Returns the image of a task, as it is known where it runs.
fn image(task: &Task, images: &[BuiltImage]) -> String {
    built(task, images).map_or_else(|| task.image.clone(), BuiltImage::deployed)
}

fn built<'i>(task: &Task, images: &'i [BuiltImage]) -> Option<&'i BuiltImage> {
    images.iter().find(|image| image.artifact.as_str() == task.image)
}

/// Returns the artifact that a task runs, if it is one.
fn artifact(task: &Task, images: &[BuiltImage]) -> Option<ImageName> {
    built(task, images).map(|image| image.artifact.clone())
}

#[cfg(test)]
mod tests {
    use devloop_model::Location;

    use super::*;

    pub(super) fn task() -> Task {
        let at = Location { file: "skaffold.yaml".into(), line: 4, column: 12, text: "    image: web".into(), width: 3, label: None };
        Task {
            name: "health".into(),
            container: "check".into(),
            image: "web".into(),
            command: vec!["sh".into()],
            args: Vec::new(),
            env: vec![("A".into(), "1".into())],
            at,
        }
    }

    #[test]
    fn what_was_stopped_because_of_its_time_failed() {
        let stopped = || Err(Failure::Stopped);
        assert_eq!(outcome(stopped(), None, &task()), Outcome::Cancelled);
        let Outcome::Failed { diagnostic } = outcome(stopped(), Some(Duration::from_secs(5)), &task()) else { panic!("it failed") };
        insta::assert_snapshot!(
            [diagnostic.to_string(), exited(&task(), 3).to_string()].join("\n\n"),
            @r"
        error[task/timed-out]: `health` was stopped after 5 s
        help: raise its `timeout` in skaffold.yaml, or find out what it waits for

        error[task/failed]: container `check` of image `web` ended with exit code 3
        "
        );
    }
}
