//! A connection to a port of a pod, through the API server, over one websocket.
//!
//! The protocol is `v4.channel.k8s.io` with two channels a port, as in Kubernetes'
//! `staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go`: data and errors, each opened by a frame with
//! the number of the port. It cannot say that one side has no more to send, so a local end of input is kept from the pod.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use devloop_model::Cx;
use devloop_model::Namespace;
use futures::Sink;
use futures::SinkExt as _;
use futures::Stream;
use futures::StreamExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::DuplexStream;
use tokio::io::ReadBuf;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;
use super::kinds::built_in_kind;

/// How long it may take until the kubelet takes the connection.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// How often the other side is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How long it may say nothing, not even that it is there.
const LONGEST_SILENCE: Duration = Duration::from_secs(45);
/// How much may wait on its way through us, each way.
const BUFFER_BYTES: usize = 64 << 10;

/// What is known of the pod's side of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Nothing,
    Data,
    Refused(String),
    Ended,
}

/// A connection to a port of a pod; it ends when the pod's side ends or is found dead, and is closed when it is dropped.
#[derive(Debug)]
pub struct PortStream {
    io: DuplexStream,
    heard: watch::Receiver<Heard>,
    _carrier: AbortOnDropHandle<()>,
}

impl PortStream {
    /// Returns why the pod did not take the connection, as the kubelet says it; none as long as it says nothing.
    pub fn refusal(&self) -> Option<String> {
        match &*self.heard.borrow() {
            Heard::Refused(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// Returns once the pod sent something, or said nothing against the connection for `grace`: the kubelet tells only of
    /// failures.
    ///
    /// # Errors
    /// Why the pod does not take it, in the kubelet's words.
    pub async fn taken(&mut self, grace: Duration) -> Result<(), String> {
        let said = tokio::time::timeout(grace, self.heard.wait_for(|heard| *heard != Heard::Nothing)).await;
        match said.map(|heard| heard.map(|heard| heard.clone())) {
            Err(_) | Ok(Ok(Heard::Data | Heard::Nothing)) => Ok(()),
            Ok(Ok(Heard::Refused(why))) => Err(why),
            Ok(Ok(Heard::Ended) | Err(_)) => Err("the connection was closed at once".to_owned()),
        }
    }
}

impl AsyncRead for PortStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for PortStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Cluster {
    /// Returns a connection to `port` of a pod. The kubelet connects to the port only then: that nobody listens there is
    /// said by the stream ([`PortStream::refusal`]), not here.
    ///
    /// # Errors
    /// When the pod does not exist or does not run, the cluster forbids it, or nothing answers within 10 s.
    pub async fn open_port(&self, namespace: &Namespace, pod: &str, port: u16, cx: &Cx) -> Result<PortStream, KubeError> {
        let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
        let uri = format!("{}/portforward?ports={port}", kind.path(Some(namespace.as_str()), Some(pod)));
        let mut call = Call::get(uri, format!("connect to port {port} of pod/{pod} in namespace {namespace}"));
        call.limit = DIAL_LIMIT;
        // What comes is no object: JSON alone would be refused.
        call.accept = "*/*";
        let dial = tokio::time::timeout(call.limit, self.client().connect(call.request()));
        match cx.unless_cancelled(dial).await? {
            Ok(connected) => Ok(carried(connected.map_err(|error| self.error(error, &call))?.into_stream())),
            Err(_) => Err(KubeError::TimedOut { action: call.action, limit: call.limit }),
        }
    }
}

/// Returns the stream whose bytes are the frames of `socket`.
fn carried<S>(socket: S) -> PortStream
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Send + 'static,
{
    let (io, ours) = tokio::io::duplex(BUFFER_BYTES);
    let (says, heard) = watch::channel(Heard::Nothing);
    let carrier = tokio::spawn(async move {
        let (frames_out, frames_in) = socket.split();
        let (bytes_out, bytes_in) = tokio::io::split(ours);
        let is_sending = Arc::new(AtomicBool::new(false));
        tokio::select! {
            () = from_pod(frames_in, bytes_in, &says, &is_sending) => {}
            () = to_pod(bytes_out, frames_out, &is_sending) => {}
        }
        says.send_if_modified(|heard| {
            let silent = *heard == Heard::Nothing;
            if silent {
                *heard = Heard::Ended;
            }
            silent
        });
    });
    PortStream { io, heard, _carrier: AbortOnDropHandle::new(carrier) }
}

/// Writes what the pod sends, until its end.
async fn from_pod(
    mut frames: impl Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    mut bytes: impl AsyncWrite + Unpin,
    says: &watch::Sender<Heard>,
    is_sending: &AtomicBool,
) {
    let mut opened = [false; 2];
    loop {
        let frame = match tokio::time::timeout(LONGEST_SILENCE, frames.next()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => frame,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => break,
            Ok(Some(Ok(_))) => continue,
            // A pod that does not read holds up pings as well.
            Err(_) if is_sending.load(Ordering::Relaxed) => continue,
            Err(_) => break,
        };
        let Some((channel, data)) = frame.split_first() else { continue };
        let Some(opened) = opened.get_mut(usize::from(*channel)) else { continue };
        if !*opened {
            *opened = true;
        } else if *channel == 1 {
            // Nothing follows an error.
            says.send_replace(Heard::Refused(String::from_utf8_lossy(data).trim().to_owned()));
            break;
        } else {
            says.send_if_modified(|heard| std::mem::replace(heard, Heard::Data) != Heard::Data);
            if bytes.write_all(data).await.is_err() {
                break;
            }
        }
    }
    bytes.shutdown().await.ok();
}

/// Sends what is written, and pings; ends when nothing can be sent.
async fn to_pod(
    mut bytes: impl AsyncRead + Unpin,
    mut frames: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    is_sending: &AtomicBool,
) {
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut is_open = true;
    // Channel 0 is the data of the first port.
    let mut frame = Vec::with_capacity(BUFFER_BYTES);
    loop {
        frame.clear();
        frame.push(0);
        let message = tokio::select! {
            read = bytes.read_buf(&mut frame), if is_open => match read {
                Ok(0) | Err(_) => {
                    is_open = false;
                    continue;
                }
                Ok(_) => Message::Binary(Bytes::copy_from_slice(&frame)),
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        is_sending.store(true, Ordering::Relaxed);
        let sent = frames.send(message).await;
        is_sending.store(false, Ordering::Relaxed);
        if sent.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
