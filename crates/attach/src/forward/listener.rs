//! One local port: it listens for the whole session, and says how what is behind it is.

use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backing::Backing;
use super::backing::PodPort;
use super::connection::Connection;
use super::probe;
use super::probe::Answer;
use super::wanted::Wanted;

/// How many connections there may be at once; more wait.
const MOST_CONNECTIONS: usize = 512;
/// How long a pod may take at first until it is said that it is not reached.
const FIRST_LIMIT: Duration = Duration::from_secs(1);
/// How long nothing may be said against a connection until it counts as taken.
const GRACE: Duration = Duration::from_millis(250);
/// The first pause between two attempts to reach a pod; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One forward.
pub(super) struct Forward {
    source: ForwardSource,
    address: String,
    local_port: u16,
    cluster: Cluster,
    cx: Cx,
    /// What was said last.
    said: Option<(ForwardState, Option<u16>)>,
    check: Option<Check>,
    probe: Option<BoxFuture<'static, Answer>>,
    /// The pod that was asked last whether it speaks HTTP.
    asked: Option<PodPort>,
    /// Whether it is known what speaks there, or not to be asked.
    is_probed: bool,
}

/// An attempt to reach a pod.
struct Check {
    pod: PodPort,
    pause: Duration,
    attempt: BoxFuture<'static, Result<(), String>>,
}

impl Forward {
    /// Returns the forward of a port that listens; `asks` says whether it is asked for a page.
    pub(super) fn new(wanted: &Wanted, local_port: u16, asks: bool, cluster: &Cluster, cx: &Cx) -> Self {
        Self {
            source: wanted.source.clone(),
            address: wanted.address.clone(),
            local_port,
            cluster: cluster.clone(),
            cx: cx.clone(),
            said: None,
            check: None,
            probe: None,
            asked: None,
            is_probed: !asks,
        }
    }

    /// Serves connections until nobody tells what is behind it any more.
    pub(super) async fn run(mut self, listener: TcpListener, mut backing: watch::Receiver<Backing>) {
        let mut connections = JoinSet::new();
        let (doubt, mut doubts) = mpsc::channel(1);
        loop {
            tokio::select! {
                changed = backing.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let now = backing.borrow_and_update().clone();
                    self.changed(now);
                }
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((local, _)) => {
                        let (cluster, cx) = (self.cluster.clone(), self.cx.clone());
                        let connection = Connection { cluster, cx, backing: backing.clone(), doubt: doubt.clone() };
                        connections.spawn(connection.serve(local));
                    }
                    Err(error) => {
                        tracing::debug!(%error, port = self.local_port, "not accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                Some(()) = doubts.recv() => self.doubt(&backing.borrow().clone()),
                result = checked(&mut self.check) => self.checked(result),
                answer = probed(&mut self.probe) => self.probed(answer),
            }
        }
        self.say(ForwardState::Closed, None);
    }

    fn changed(&mut self, backing: Backing) {
        self.check = None;
        match backing {
            Backing::Unknown => {}
            Backing::Waiting { why, .. } => self.say(ForwardState::Waiting { why }, None),
            Backing::Failed { why } => self.say(ForwardState::Failed { why }, None),
            Backing::Pod(pod) => self.check(pod, Duration::ZERO),
        }
        if self.check.is_none() && self.probe.take().is_some() {
            self.asked = None;
        }
    }

    /// Looks again whether the pod is there, because a connection did not reach it.
    fn doubt(&mut self, backing: &Backing) {
        if let (Backing::Pod(pod), None) = (backing, &self.check) {
            self.check(pod.clone(), Duration::ZERO);
        }
    }

    fn check(&mut self, pod: PodPort, pause: Duration) {
        let (cluster, cx, to) = (self.cluster.clone(), self.cx.clone(), pod.clone());
        let is_first = pause.is_zero();
        let attempt = async move {
            tokio::time::sleep(pause).await;
            let reaching = reached(&cluster, &to, &cx);
            if !is_first {
                return reaching.await;
            }
            tokio::time::timeout(FIRST_LIMIT, reaching).await.unwrap_or_else(|_| Err("it does not answer yet".to_owned()))
        };
        self.check = Some(Check { pod, pause, attempt: attempt.boxed() });
    }

    fn checked(&mut self, result: Result<(), String>) {
        let Some(Check { pod, pause, .. }) = self.check.take() else { return };
        match result {
            Ok(()) => {
                self.say(ForwardState::Ready { pod: pod.pod.clone() }, Some(pod.port));
                if !self.is_probed && self.asked.as_ref() != Some(&pod) {
                    self.probe = Some(probe::answers(&self.address, self.local_port, pod.scheme).boxed());
                    self.asked = Some(pod);
                }
            }
            Err(why) => {
                let why = format!("port {} of pod/{} is not reached: {why}", pod.port, pod.pod);
                self.say(ForwardState::Waiting { why }, Some(pod.port));
                self.check(pod, (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE));
            }
        }
    }

    fn probed(&mut self, answer: Answer) {
        self.probe = None;
        match answer {
            Answer::Url(url) => {
                self.is_probed = true;
                self.cx.emit(EventKind::UrlAnswered { source: self.source.clone(), url });
            }
            Answer::Other => self.is_probed = true,
            Answer::None => {}
        }
    }

    fn say(&mut self, state: ForwardState, remote_port: Option<u16>) {
        let new = Some((state, remote_port));
        if self.said == new {
            return;
        }
        self.said.clone_from(&new);
        let Some((state, remote_port)) = new else { return };
        self.cx.emit(EventKind::PortForwarded {
            source: self.source.clone(),
            address: self.address.clone(),
            local_port: self.local_port,
            remote_port,
            state,
        });
    }
}

/// Connects to a port of a pod, to see whether that works.
async fn reached(cluster: &Cluster, to: &PodPort, cx: &Cx) -> Result<(), String> {
    let mut stream = cluster.open_port(&to.namespace, &to.pod, to.port, cx).await.map_err(|error| {
        let told = error.diagnostic();
        told.why.last().cloned().unwrap_or(told.what)
    })?;
    stream.taken(GRACE).await.map_err(|why| readable(&why))
}

/// Returns what the kubelet says without the path of the network namespace and the like.
fn readable(why: &str) -> String {
    if why.contains("connection refused") {
        return "connection refused, so nothing listens there yet".to_owned();
    }
    why.lines().last().unwrap_or_default().to_owned()
}

async fn checked(check: &mut Option<Check>) -> Result<(), String> {
    match check {
        Some(check) => (&mut check.attempt).await,
        None => std::future::pending().await,
    }
}

async fn probed(probe: &mut Option<BoxFuture<'static, Answer>>) -> Answer {
    match probe {
        Some(probe) => probe.await,
        None => std::future::pending().await,
    }
}
