//! One accepted connection: it waits for a pod, and is carried to it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::PortStream;
use devloop_model::Cx;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;

use super::backing::Backing;
use super::backing::PodPort;

/// How long a connection waits for a pod when none can be expected.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long when one is on its way.
const LONG_PATIENCE: Duration = Duration::from_mins(1);
/// The first pause between two attempts to reach a pod; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How much of a request is kept, to send it to another pod when the first never took it.
const MOST_KEPT: usize = 64 << 10;
/// How long an answer may pause after the other side has no more to say, before and after it began.
const UNANSWERED: Duration = Duration::from_secs(30);
const ANSWERED: Duration = Duration::from_secs(2);

/// What carries one connection.
pub(super) struct Connection {
    pub(super) cluster: Cluster,
    pub(super) cx: Cx,
    pub(super) backing: watch::Receiver<Backing>,
    /// Where to say that a pod was not reached.
    pub(super) doubt: mpsc::Sender<()>,
}

impl Connection {
    /// Carries what `local` sends to a pod and back, as soon as there is one.
    pub(super) async fn serve(mut self, mut local: TcpStream) {
        local.set_nodelay(true).ok();
        let accepted = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut kept = Vec::new();
        while let Some(pod) = pod(&mut self.backing, accepted).await {
            match self.cluster.open_port(&pod.namespace, &pod.pod, pod.port, &self.cx).await {
                Ok(mut stream) => match carry(&mut local, &mut stream, &mut kept).await {
                    Carried::Done => return,
                    Carried::Refused => tracing::debug!(pod = pod.pod, why = stream.refusal(), "refused"),
                },
                Err(error) => tracing::debug!(pod = pod.pod, %error, "not reached"),
            }
            self.doubt.try_send(()).ok();
            // The pod may be replaced by one that listens.
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = self.backing.changed() => if changed.is_err() { return },
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            if accepted.elapsed() > LONG_PATIENCE {
                return;
            }
        }
    }
}

/// Returns the pod behind the forward, once there is one; none if that takes too long.
async fn pod(backing: &mut watch::Receiver<Backing>, since: Instant) -> Option<PodPort> {
    loop {
        let patience = match &*backing.borrow_and_update() {
            Backing::Pod(pod) => return Some(pod.clone()),
            Backing::Failed { .. } => return None,
            Backing::Waiting { coming: false, .. } => PATIENCE,
            Backing::Waiting { coming: true, .. } | Backing::Unknown => LONG_PATIENCE,
        };
        tokio::time::timeout_at(since + patience, backing.changed()).await.ok()?.ok()?;
    }
}

/// How a connection to a pod ended.
#[derive(Debug, PartialEq, Eq)]
enum Carried {
    /// With whatever both had to say.
    Done,
    /// Before the pod took anything.
    Refused,
}

/// What a connection to a pod can tell; the real one is a [`PortStream`].
trait Refusable {
    /// Returns whether the pod did not take the connection.
    fn is_refused(&self) -> bool;
}

impl Refusable for PortStream {
    fn is_refused(&self) -> bool {
        self.refusal().is_some()
    }
}

/// Carries bytes both ways until the pod's side ends, or ours did and the answer is over. What `local` sends is kept as
/// long as the pod may turn out not to have taken it.
async fn carry<S>(local: &mut (impl AsyncRead + AsyncWrite + Unpin), stream: &mut S, kept: &mut Vec<u8>) -> Carried
where
    S: AsyncRead + AsyncWrite + Refusable + Unpin,
{
    let (received, answered) = (AtomicU64::new(0), AtomicBool::new(true));
    let (mut from_local, mut to_local) = tokio::io::split(local);
    let (mut from_pod, mut to_pod) = tokio::io::split(stream);
    let mut is_whole = true;
    {
        let up = send(&mut from_local, &mut to_pod, kept, &mut is_whole, &received, &answered);
        let down = receive(&mut from_pod, &mut to_local, &received, &answered);
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut down => {}
            () = &mut up => {
                // The protocol cannot tell the pod that no more comes, so it does not end by itself.
                let idle = idle(&received, &answered);
                tokio::select! {
                    () = &mut down => {}
                    () = idle => {}
                }
            }
        }
    }
    let stream = from_pod.unsplit(to_pod);
    if stream.is_refused() && received.load(Ordering::Relaxed) == 0 && is_whole {
        return Carried::Refused;
    }
    to_local.shutdown().await.ok();
    Carried::Done
}

/// Returns once the pod has said nothing for too long.
async fn idle(received: &AtomicU64, answered: &AtomicBool) {
    let mut before = received.load(Ordering::Relaxed);
    let mut silent = Duration::ZERO;
    loop {
        tokio::time::sleep(ANSWERED).await;
        let now = received.load(Ordering::Relaxed);
        silent = if now == before { silent + ANSWERED } else { Duration::ZERO };
        before = now;
        let limit = if answered.load(Ordering::Relaxed) { ANSWERED } else { UNANSWERED };
        if silent >= limit {
            return;
        }
    }
}

/// Sends what is kept, then what `local` says, until it has no more to say.
async fn send(
    local: &mut (impl AsyncRead + Unpin),
    pod: &mut (impl AsyncWrite + Unpin),
    kept: &mut Vec<u8>,
    is_whole: &mut bool,
    received: &AtomicU64,
    answered: &AtomicBool,
) {
    if pod.write_all(kept).await.is_err() {
        return;
    }
    answered.store(kept.is_empty(), Ordering::Relaxed);
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = local.read(&mut buffer).await {
        if received.load(Ordering::Relaxed) > 0 || kept.len() + count > MOST_KEPT {
            kept.clear();
            *is_whole = false;
        } else if *is_whole {
            kept.extend_from_slice(&buffer[..count]);
        }
        answered.store(false, Ordering::Relaxed);
        if pod.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    pod.shutdown().await.ok();
}

/// Passes on what the pod says, until it has no more to say or nobody listens.
async fn receive(pod: &mut (impl AsyncRead + Unpin), local: &mut (impl AsyncWrite + Unpin), received: &AtomicU64, answered: &AtomicBool) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = pod.read(&mut buffer).await {
        received.fetch_add(count as u64, Ordering::Relaxed);
        answered.store(true, Ordering::Relaxed);
        if local.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
