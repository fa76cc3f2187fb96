//! Whether the API server answers: asked only when something failed, and then until it does.

use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Stream;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Seen;

/// The first pause between two questions; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is known of the API server.
pub(super) struct Health {
    cluster: Cluster,
    cx: Cx,
    state: State,
}

enum State {
    Well,
    /// Something failed; this asks whether it is the server.
    Doubted(BoxFuture<'static, Result<String, KubeError>>),
    /// It does not answer; this ends when it does.
    Down(BoxFuture<'static, ()>),
}

impl Health {
    /// Returns the health of a server that nothing is known against.
    pub(super) fn new(cluster: &Cluster, cx: &Cx) -> Self {
        Self { cluster: cluster.clone(), cx: cx.clone(), state: State::Well }
    }

    /// Asks the server whether it is there, because something failed.
    pub(super) fn doubt(&mut self) {
        if matches!(self.state, State::Well) {
            let (cluster, cx) = (self.cluster.clone(), self.cx.clone());
            self.state = State::Doubted(async move { cluster.reachable(&cx).await }.boxed());
        }
    }

    /// Returns when the server stops or starts to answer.
    pub(super) async fn next(&mut self) -> Seen {
        loop {
            match &mut self.state {
                State::Well => std::future::pending().await,
                State::Doubted(question) => match question.await {
                    Ok(_) | Err(KubeError::Cancelled) => self.state = State::Well,
                    Err(error) => return self.went_down(&error),
                },
                State::Down(answer) => {
                    answer.await;
                    self.state = State::Well;
                    self.cx.log(Stream::Stdout, "The cluster answers again: logs and port forwards go on");
                    return Seen::Up;
                }
            }
        }
    }

    fn went_down(&mut self, error: &KubeError) -> Seen {
        let inner = error.diagnostic();
        let mut warning = Diagnostic::warning("attach/interrupted", "logs and port forwards wait for the cluster").because(inner.what);
        warning.why.extend(inner.why);
        self.cx.warn(warning);
        self.state = State::Down(answered(self.cluster.clone(), self.cx.clone()).boxed());
        Seen::Down(error.to_string())
    }
}

/// Returns once the API server answers.
async fn answered(cluster: Cluster, cx: Cx) {
    let mut pause = FIRST_PAUSE;
    while cluster.reachable(&cx).await.is_err() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
