//! One container's log, from its first line to the last, over restarts and lost connections.

use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::LogOptions;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Namespace;
use futures::StreamExt as _;
use tokio::sync::watch;

use super::containers::ContainerState;
use super::seen::Seen;

/// The first pause before a log is opened again; it doubles with each that gave nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long the rest of a log may take once its pod is gone.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Follows one container.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) cluster: Cluster,
    pub(super) cx: Cx,
    pub(super) namespace: Namespace,
    pub(super) pod: String,
    pub(super) container: String,
    pub(super) artifact: Option<ImageName>,
    pub(super) since: Option<String>,
}

/// How far a log was read.
#[derive(Debug)]
struct Read {
    /// Lines that were new.
    lines: usize,
    /// Whether it came to its end, rather than to the end of a connection.
    complete: bool,
}

impl Follower {
    /// Records the lines of the container until its pod is gone or the step is cancelled.
    pub(super) async fn run(self, mut states: watch::Receiver<ContainerState>) {
        let mut seen = Seen::default();
        let mut pause = FIRST_PAUSE;
        // The run whose log was read to its end.
        let mut finished = -1;
        let mut opened = 0;
        loop {
            let Ok(state) =
                states.wait_for(|state| state.started && (state.running || state.restarts > finished)).await.map(|state| state.clone())
            else {
                return;
            };
            // A run that came and went between two looks has its log with the one before.
            if state.restarts > opened {
                self.read(&mut seen, true, &mut states).await;
                opened = state.restarts;
            }
            let Read { lines, complete } = self.read(&mut seen, false, &mut states).await;
            let now = states.borrow().clone();
            if complete && !now.running && now.restarts == state.restarts {
                finished = now.restarts;
                pause = FIRST_PAUSE;
                continue;
            }
            pause = if lines > 0 { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            // The pod's status lags behind its log: look again when it moves, or after a pause.
            tokio::select! {
                () = self.cx.cancel.cancelled() => return,
                changed = states.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Reads the log of this run, or of the one before, to its end.
    async fn read(&self, seen: &mut Seen, previous: bool, states: &mut watch::Receiver<ContainerState>) -> Read {
        let options = LogOptions {
            container: Some(self.container.clone()),
            follow: !previous,
            timestamps: true,
            since: seen.since().or_else(|| self.since.clone()),
            tail: None,
            previous,
        };
        let mut lines = match self.cluster.logs(&self.namespace, &self.pod, &options, &self.cx).await {
            Ok(lines) => lines,
            Err(error) => return self.interrupted(0, &error),
        };
        seen.reopened();
        let mut read = 0;
        let mut states = states.clone();
        let gone = async {
            // Never true: it ends when the pod is gone.
            drop(states.wait_for(|_| false).await.map(|_| ()));
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::pin!(gone);
        loop {
            let line = tokio::select! {
                biased;
                line = lines.next() => line,
                () = &mut gone => return Read { lines: read, complete: true },
            };
            match line {
                Some(Ok(line)) => read += usize::from(self.record(seen, &line).await),
                Some(Err(error)) => return self.interrupted(read, &error),
                None => return Read { lines: read, complete: true },
            }
        }
    }

    /// The API server keeps what is not read while the terminal is slower than the container.
    async fn record(&self, seen: &mut Seen, line: &str) -> bool {
        let Some(text) = seen.new_text(line) else { return false };
        let fact = EventKind::PodLog {
            namespace: self.namespace.clone(),
            pod: self.pod.clone(),
            container: self.container.clone(),
            artifact: self.artifact.clone(),
            line: text.to_owned(),
        };
        self.cx.emit_line(fact).await;
        true
    }

    fn interrupted(&self, lines: usize, error: &KubeError) -> Read {
        tracing::debug!(pod = self.pod, container = self.container, %error, "log interrupted");
        Read { lines, complete: false }
    }
}
