//! Waiting until containers run: those with a health check until it passes, others until they did not end at once.

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_clients::docker::Container;
use devloop_clients::docker::ContainerNews;
use devloop_clients::docker::ContainerStatus;
use devloop_clients::docker::Docker;
use devloop_clients::docker::Health;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ReleasedContainer;
use devloop_model::Timestamp;
use futures::StreamExt as _;
use tokio::time::Instant;

use crate::INVENTORY_LABEL;
use crate::ReadyError;
use crate::ReadySpec;
use crate::ready::together;

/// How long a container without a health check has to run until it counts as one that does not end at once.
const SETTLE: Duration = Duration::from_millis(500);
/// How many of its last log lines a failing container is shown with.
const LAST_LINES: u64 = 10;
/// How long the log may take to come; the failure is not held back for longer.
const LOG_DEADLINE: Duration = Duration::from_secs(3);

/// What is to be said of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Ready,
    /// It is not ready, and why.
    Pending(String),
    /// It will not be ready.
    Failed(String),
}

impl State {
    /// Returns the state of a container; `settled` is whether it had the time to end at once.
    fn of(container: Option<&Container>, settled: bool) -> Self {
        let Some(container) = container else { return Self::Failed("was removed".to_owned()) };
        match (&container.status, &container.health) {
            (ContainerStatus::Created, _) => Self::Pending("it has not started yet".to_owned()),
            (ContainerStatus::Ended { out_of_memory: true, .. }, _) => {
                Self::Failed("was killed because it used too much memory".to_owned())
            }
            (ContainerStatus::Ended { code: 0, .. }, _) | (ContainerStatus::Running, Some(Health::Healthy)) => Self::Ready,
            (ContainerStatus::Ended { code, .. }, _) => Self::Failed(format!("ended with exit code {code}")),
            (ContainerStatus::Running, None) if settled => Self::Ready,
            (ContainerStatus::Running, None) => Self::Pending("it starts".to_owned()),
            (ContainerStatus::Running, Some(Health::Starting)) => Self::Pending("its health check has not passed yet".to_owned()),
            (ContainerStatus::Running, Some(Health::Unhealthy { output })) if output.is_empty() => {
                Self::Pending("its health check fails".to_owned())
            }
            (ContainerStatus::Running, Some(Health::Unhealthy { output })) => Self::Pending(format!("its health check fails: {output}")),
        }
    }
}

/// The containers that are waited for or followed, by ID.
struct Followed<'a> {
    docker: &'a Docker,
    cx: &'a Cx,
    began: Instant,
    states: BTreeMap<&'a str, (&'a ReleasedContainer, Option<State>)>,
}

impl<'a> Followed<'a> {
    fn new(containers: &'a [ReleasedContainer], docker: &'a Docker, cx: &'a Cx) -> Self {
        let states = containers.iter().map(|container| (container.id.as_str(), (container, None))).collect();
        Self { docker, cx, began: Instant::now(), states }
    }

    /// Looks at containers, all or the one that news is about, and tells what is new.
    async fn look(&mut self, news: Option<&ContainerNews>) -> Result<(), ReadyError> {
        let ids: Vec<&str> = match news {
            Some(ContainerNews::Happened(event)) => self.states.keys().copied().filter(|id| *id == event.id).collect(),
            Some(ContainerNews::Missed) | None => self.states.keys().copied().collect(),
        };
        for id in ids {
            let container = self.docker.container(id, self.cx).await?;
            let state = State::of(container.as_ref(), self.is_settled(container.as_ref()));
            let Some((_, known)) = self.states.get_mut(id) else { continue };
            let is_new = known.as_ref() != Some(&state);
            *known = Some(state);
            if is_new {
                self.tell(id);
            }
        }
        Ok(())
    }

    /// The daemon may have another clock than this machine: what was seen running for long enough runs.
    fn is_settled(&self, container: Option<&Container>) -> bool {
        let since =
            container.and_then(|container| container.started).map(|started| Timestamp::now().duration_since(started).unsigned_abs());
        self.began.elapsed() >= SETTLE || since.is_some_and(|since| since >= SETTLE)
    }

    fn tell(&self, id: &str) {
        let Some((container, Some(state))) = self.states.get(id) else { return };
        let (ready, message) = match state {
            State::Ready => (true, "ready".to_owned()),
            State::Pending(why) => (false, why.clone()),
            State::Failed(why) => (false, format!("it {why}")),
        };
        let pending = self.states.values().filter(|(_, state)| *state != Some(State::Ready)).count();
        self.cx.emit(EventKind::Readiness { object: container.key(), ready, message, pending, total: self.states.len() });
    }

    fn pending(&self) -> impl Iterator<Item = (&ReleasedContainer, &str)> {
        self.states.values().filter_map(|(container, state)| match state {
            Some(State::Pending(why)) => Some((*container, why.as_str())),
            _ => None,
        })
    }

    fn failed(&self) -> impl Iterator<Item = (&ReleasedContainer, &str)> {
        self.states.values().filter_map(|(container, state)| match state {
            Some(State::Failed(why)) => Some((*container, why.as_str())),
            _ => None,
        })
    }
}

/// Returns once every container runs, or ended well.
///
/// # Errors
/// When one ended otherwise, its health check does not pass in time, the daemon cannot be asked, or the step was cancelled.
pub async fn wait_until_ready(spec: &ReadySpec, containers: &[ReleasedContainer], docker: &Docker, cx: &Cx) -> Result<(), ReadyError> {
    if containers.is_empty() {
        return Ok(());
    }
    let mut news = docker.container_news(INVENTORY_LABEL, cx);
    let mut followed = Followed::new(containers, docker, cx);
    let end = followed.began + spec.deadline;
    // All are looked at once more when they had the time to end, whatever news of other containers comes at that moment.
    let mut wake = end.min(followed.began + SETTLE);
    followed.look(None).await?;
    loop {
        let mut failed = Vec::new();
        for (container, why) in followed.failed() {
            failed.push(failure(container, why, docker, cx).await);
        }
        let is_over = followed.pending().next().is_none() || spec.fast_fail && !failed.is_empty();
        if !is_over && Instant::now() >= end {
            failed.extend(followed.pending().map(|(container, why)| late(container, why, spec.deadline)));
        }
        if let Some(error) = together(failed).filter(|_| is_over || Instant::now() >= end) {
            return Err(ReadyError::Failed(Box::new(error)));
        }
        if is_over {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(Cancelled.into()),
            Some(one) = news.next() => followed.look(Some(&one)).await?,
            () = tokio::time::sleep_until(wake) => {
                wake = end;
                followed.look(None).await?;
            }
        }
    }
}

/// Tells whenever a container that was waited for is ready no more, or again, until the step is cancelled.
///
/// # Errors
/// When the daemon cannot be asked.
pub async fn follow_readiness(containers: &[ReleasedContainer], docker: &Docker, cx: &Cx) -> Result<(), ReadyError> {
    let mut news = docker.container_news(INVENTORY_LABEL, cx);
    let silent = cx.silenced();
    let mut followed = Followed::new(containers, docker, &silent);
    // How they are was said by whoever waited for them.
    followed.look(None).await?;
    followed.cx = cx;
    while let Some(one) = cx.unless_cancelled(news.next()).await? {
        followed.look(Some(&one)).await?;
    }
    cx.cancel.cancelled().await;
    Ok(())
}

/// Returns the error of a container that ended, with the last lines of its log.
async fn failure(container: &ReleasedContainer, why: &str, docker: &Docker, cx: &Cx) -> Diagnostic {
    let read = tokio::time::timeout(LOG_DEADLINE, docker.last_lines(&container.id, LAST_LINES, cx)).await;
    written(container, why, &read.ok().and_then(Result::ok).unwrap_or_default())
}

fn written(container: &ReleasedContainer, why: &str, log: &[String]) -> Diagnostic {
    let error = Diagnostic::error("deploy/container-ended", format!("container/{} {why}", container.name));
    if log.is_empty() {
        return error.help("check the image's ENTRYPOINT and CMD: it wrote nothing");
    }
    let lines: Vec<String> = log.iter().map(|line| format!("  {line}")).collect();
    error.because(format!("last lines of its log:\n{}", lines.join("\n"))).help("the last lines of its log say why")
}

fn late(container: &ReleasedContainer, why: &str, limit: Duration) -> Diagnostic {
    Diagnostic::error("deploy/not-ready-in-time", format!("container/{} is not ready after {} s", container.name, limit.as_secs()))
        .because(why)
        .help("check the image's HEALTHCHECK, or raise `statusCheckDeadlineSeconds`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(status: ContainerStatus, health: Option<Health>) -> Container {
        let (id, name) = (String::new(), "web".to_owned());
        Container {
            id,
            name,
            image: String::new(),
            labels: BTreeMap::new(),
            status,
            health,
            ports: Vec::new(),
            networks: Vec::new(),
            started: None,
        }
    }

    #[test]
    fn a_container_is_ready_when_it_runs_or_ended_well() {
        let ended = |code, out_of_memory| ContainerStatus::Ended { code, out_of_memory };
        let pending = |why: &str| State::Pending(why.into());
        let failed = |why: &str| State::Failed(why.into());
        for (status, health, settled, expected) in [
            (ContainerStatus::Running, None, true, State::Ready),
            (ContainerStatus::Running, None, false, pending("it starts")),
            (ContainerStatus::Running, Some(Health::Starting), true, pending("its health check has not passed yet")),
            (ContainerStatus::Running, Some(Health::Healthy), false, State::Ready),
            (ContainerStatus::Running, Some(Health::Unhealthy { output: "no".into() }), true, pending("its health check fails: no")),
            (ContainerStatus::Created, None, true, pending("it has not started yet")),
            (ended(0, false), None, false, State::Ready),
            (ended(2, false), None, false, failed("ended with exit code 2")),
            (ended(137, true), None, false, failed("was killed because it used too much memory")),
        ] {
            assert_eq!(State::of(Some(&container(status.clone(), health)), settled), expected, "{status:?}");
        }
        assert_eq!(State::of(None, true), failed("was removed"));
    }

    #[test]
    fn failures_are_told_with_the_log() {
        let (name, id, image) = ("web".to_owned(), String::new(), "web".to_owned());
        let web = ReleasedContainer { name, id, reference: String::new(), image, artifact: None, ports: Vec::new() };
        let log = ["starting".to_owned(), "panic: no database".to_owned()];
        let shown = [
            written(&web, "ended with exit code 2", &log),
            written(&web, "ended with exit code 1", &[]),
            late(&web, "its health check fails: connection refused", Duration::from_mins(1)),
        ];
        insta::assert_snapshot!(shown.map(|error| error.to_string()).join("\n\n"), @r"
        error[deploy/container-ended]: container/web ended with exit code 2
          last lines of its log:
            starting
            panic: no database
        help: the last lines of its log say why

        error[deploy/container-ended]: container/web ended with exit code 1
        help: check the image's ENTRYPOINT and CMD: it wrote nothing

        error[deploy/not-ready-in-time]: container/web is not ready after 60 s
          its health check fails: connection refused
        help: check the image's HEALTHCHECK, or raise `statusCheckDeadlineSeconds`
        ");
    }
}
