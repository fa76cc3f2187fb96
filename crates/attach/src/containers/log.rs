//! One container's log, over restarts and lost connections; a container that replaces it has a log of its own.

use devloop_clients::docker::ContainerLogs;
use devloop_clients::docker::Docker;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::ReleasedContainer;
use devloop_model::Timestamp;
use futures::StreamExt as _;
use tokio::sync::watch;

use crate::logs::Seen;

/// Follows one container.
pub(super) struct Follower {
    docker: Docker,
    cx: Cx,
    id: String,
    name: String,
    artifact: Option<ImageName>,
    /// Lines before this time are those of an earlier session.
    since: Option<Timestamp>,
}

impl Follower {
    /// Returns what follows `container` from `since` on.
    pub(super) fn new(container: &ReleasedContainer, since: Option<&str>, docker: &Docker, cx: &Cx) -> Self {
        Self {
            docker: docker.clone(),
            cx: cx.clone(),
            id: container.id.clone(),
            name: container.name.clone(),
            artifact: container.artifact.clone(),
            since: since.and_then(|since| since.parse().ok()),
        }
    }

    /// Records the lines of the container until it is gone or the step is cancelled; `starts` tells when it is started again.
    pub(super) async fn run(self, mut starts: watch::Receiver<u64>) {
        let mut seen = Seen::default();
        loop {
            starts.mark_unchanged();
            self.read(&mut seen, true).await;
            // The daemon may end a followed log before a last line that has no newline.
            self.read(&mut seen, false).await;
            // Its log ends with it; it may be started again.
            match self.cx.unless_cancelled(starts.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    async fn read(&self, seen: &mut Seen, follow: bool) {
        let since = seen.since().and_then(|since| since.parse().ok()).or(self.since);
        let wanted = ContainerLogs { follow, timestamps: true, since: since.map_or(0, Timestamp::as_second), tail: None };
        let mut lines = self.docker.container_logs(&self.id, &wanted, &self.cx);
        seen.reopened();
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => self.record(seen, &line).await,
                Err(error) => tracing::debug!(container = self.name, %error, "log interrupted"),
            }
        }
    }

    async fn record(&self, seen: &mut Seen, line: &str) {
        // The daemon knows times to the second.
        let is_old = || Some(line.split_once(' ')?.0.parse::<Timestamp>().ok()? < self.since?);
        if is_old() == Some(true) {
            return;
        }
        let Some(text) = seen.new_text(line) else { return };
        let fact = EventKind::PodLog {
            namespace: Namespace(String::new()),
            pod: String::new(),
            container: self.name.clone(),
            artifact: self.artifact.clone(),
            line: text.to_owned(),
        };
        self.cx.emit_line(fact).await;
    }
}
