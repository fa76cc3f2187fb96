use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use devloop_model::Namespace;
use tokio::io::DuplexStream;
use tokio::io::ReadBuf;

use super::*;
use crate::forward::scheme::Scheme;

/// A pod's end of a connection, as the test sees it, and as it is carried.
struct Pod(DuplexStream, bool);

impl Refusable for Pod {
    fn is_refused(&self) -> bool {
        self.1
    }
}

impl AsyncRead for Pod {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pod {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn pod_end(is_refused: bool) -> (DuplexStream, Pod) {
    let (server, end) = tokio::io::duplex(1 << 20);
    (server, Pod(end, is_refused))
}

async fn text(stream: &mut DuplexStream, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer).await.unwrap();
    String::from_utf8(buffer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_a_pod_did_not_take_goes_to_the_next() {
    let (mut client, mut local) = tokio::io::duplex(1 << 20);
    let mut kept = Vec::new();
    client.write_all(b"ask").await.unwrap();
    let (mut server, mut refused) = pod_end(true);
    let refusing = async {
        assert_eq!(text(&mut server, 3).await, "ask");
        drop(server);
    };
    assert_eq!(tokio::join!(carry(&mut local, &mut refused, &mut kept), refusing).0, Carried::Refused);
    client.write_all(b"ing").await.unwrap();
    let (mut server, mut stream) = pod_end(false);
    let answering = async {
        assert_eq!(text(&mut server, 6).await, "asking");
        server.write_all(b"answer").await.unwrap();
        drop(server);
    };
    assert_eq!(tokio::join!(carry(&mut local, &mut stream, &mut kept), answering).0, Carried::Done);
    drop(local);
    assert_eq!(text(&mut client, 6).await, "answer");
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_to_keep_is_not_sent_twice() {
    let (mut client, mut local) = tokio::io::duplex(1 << 20);
    client.write_all(&vec![0; MOST_KEPT + 1]).await.unwrap();
    let (mut server, mut stream) = pod_end(true);
    let mut kept = Vec::new();
    let refusing = async {
        text(&mut server, MOST_KEPT + 1).await;
        drop(server);
    };
    assert_eq!(tokio::join!(carry(&mut local, &mut stream, &mut kept), refusing).0, Carried::Done);
    assert!(kept.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_after_the_client_has_no_more_to_say_but_not_for_ever() {
    let (mut client, mut local) = tokio::io::duplex(1 << 20);
    client.write_all(b"ask").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut server, mut stream) = pod_end(false);
    let mut kept = Vec::new();
    let answering = async {
        assert_eq!(text(&mut server, 3).await, "ask");
        for part in ["an", "sw", "er"] {
            tokio::time::sleep(ANSWERED / 2).await;
            server.write_all(part.as_bytes()).await.unwrap();
        }
    };
    let began = Instant::now();
    assert_eq!(tokio::join!(carry(&mut local, &mut stream, &mut kept), answering).0, Carried::Done);
    assert!(began.elapsed() < ANSWERED * 4, "{:?}", began.elapsed());
    drop(local);
    assert_eq!(text(&mut client, 6).await, "answer");
}

fn ready() -> Backing {
    let (namespace, pod, uid) = (Namespace("shop".into()), "p".to_owned(), "u".to_owned());
    Backing::Pod(PodPort { namespace, pod, uid, port: 1, scheme: Scheme::Http, ready: true, restarts: 0 })
}

#[tokio::test(start_paused = true)]
async fn a_connection_waits_longer_for_a_pod_that_is_coming() {
    for (backing, patience) in [
        (Backing::Waiting { why: String::new(), coming: false }, PATIENCE),
        (Backing::Waiting { why: String::new(), coming: true }, LONG_PATIENCE),
        (Backing::Unknown, LONG_PATIENCE),
        (Backing::Failed { why: String::new() }, Duration::ZERO),
    ] {
        let (_sender, mut receiver) = watch::channel(backing.clone());
        let began = Instant::now();
        assert_eq!(pod(&mut receiver, began).await, None);
        assert_eq!(began.elapsed(), patience, "{backing:?}");
    }
    let (sender, mut receiver) = watch::channel(Backing::Unknown);
    let coming = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        sender.send_replace(ready());
    };
    assert!(tokio::join!(pod(&mut receiver, Instant::now()), coming).0.is_some());
}
