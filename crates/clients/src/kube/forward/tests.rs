use std::io;

use futures::channel::mpsc;

use super::*;

/// The kubelet's end of a websocket.
struct Kubelet {
    frames: mpsc::UnboundedSender<Result<Message, tungstenite::Error>>,
    sent: mpsc::UnboundedReceiver<Message>,
}

/// Both directions of a websocket as one.
struct Socket(mpsc::UnboundedReceiver<Result<Message, tungstenite::Error>>, mpsc::UnboundedSender<Message>);

impl Stream for Socket {
    type Item = Result<Message, tungstenite::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl Sink<Message> for Socket {
    type Error = tungstenite::Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
        self.1.unbounded_send(message).map_err(|error| tungstenite::Error::Io(io::Error::other(error)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

impl Kubelet {
    fn connected() -> (Self, PortStream) {
        let (frames, to_us) = mpsc::unbounded();
        let (from_us, sent) = mpsc::unbounded();
        let kubelet = Self { frames, sent };
        for channel in [0, 1] {
            kubelet.send(&[channel, 144, 31]);
        }
        (kubelet, carried(Socket(to_us, from_us)))
    }

    fn send(&self, frame: &[u8]) {
        self.frames.unbounded_send(Ok(Message::Binary(Bytes::copy_from_slice(frame)))).unwrap();
    }

    async fn received(&mut self) -> Vec<u8> {
        loop {
            if let Message::Binary(frame) = self.sent.next().await.unwrap() {
                return frame.to_vec();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_travel_without_their_frames_and_our_end_does_not_end_the_answer() {
    let (mut kubelet, mut stream) = Kubelet::connected();
    stream.write_all(b"ask").await.unwrap();
    assert_eq!(kubelet.received().await, b"\0ask");
    stream.shutdown().await.unwrap();
    kubelet.send(b"\0ans");
    kubelet.send(b"\0wer");
    stream.taken(Duration::from_secs(1)).await.unwrap();
    kubelet.frames.close_channel();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!((answer.as_str(), stream.refusal()), ("answer", None));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_from_silence() {
    let (_kubelet, mut stream) = Kubelet::connected();
    assert_eq!(stream.taken(Duration::from_secs(1)).await, Ok(()));
    let (kubelet, mut stream) = Kubelet::connected();
    kubelet.send(b"\x01connection refused\n");
    assert_eq!(stream.taken(Duration::from_secs(1)).await, Err("connection refused".to_owned()));
    assert_eq!(stream.refusal().as_deref(), Some("connection refused"));
    let (kubelet, mut stream) = Kubelet::connected();
    kubelet.frames.close_channel();
    assert!(stream.taken(Duration::from_secs(1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_ends_and_one_that_answers_pings_does_not() {
    let (_silent, mut stream) = Kubelet::connected();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let (mut kubelet, mut stream) = Kubelet::connected();
    let answering = async {
        for _ in 0..20 {
            assert!(matches!(kubelet.sent.next().await, Some(Message::Ping(_))));
            kubelet.frames.unbounded_send(Ok(Message::Pong(Bytes::new()))).unwrap();
        }
        kubelet.send(b"\0x");
    };
    let reading = async { stream.read(&mut [0]).await.unwrap() };
    assert_eq!(tokio::join!(answering, reading).1, 1);
}
