//! A client that can misbehave, and the server that it speaks to.

use devloop_model::Command;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::LIMIT;
use crate::Api;
use crate::ApiSettings;
use crate::Redactor;

pub(crate) struct Server {
    pub(crate) api: Api,
    pub(crate) port: u16,
    pub(crate) commands: Receiver<Command>,
    pub(crate) cancel: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

/// The rest of an answer that goes on.
pub(crate) struct Lines {
    stream: TcpStream,
    read: Vec<u8>,
    text: String,
}

impl Server {
    pub(crate) fn start(token: Option<&str>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, commands) = tokio::sync::mpsc::channel(16);
        let cancel = CancellationToken::new();
        let redactor = Redactor::new(["hunter2".to_owned()]);
        let settings = ApiSettings { token: token.map(str::to_owned), redactor, ..ApiSettings::default() };
        let (api, serving) = Api::start(listener, settings, sender, cancel.clone()).unwrap();
        Self { api, port, commands, cancel, serving: tokio::spawn(serving) }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", self.port)).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json", self.port);
        self.raw(&format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await
    }

    /// Sends a request as it stands, and returns the whole answer.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(&mut body.as_bytes().to_vec()) } else { body.to_owned() };
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head: head.to_lowercase(), body }
    }

    /// Sends a request whose answer goes on.
    pub(crate) async fn stream(&self, path: &str, header: &str) -> Lines {
        let mut stream = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n{header}\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = Lines { stream, read: Vec::new(), text: String::new() };
        while !lines.read.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(lines.more().await, "no answer");
        }
        let end = lines.read.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        assert!(lines.read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&lines.read));
        lines.read.drain(..end + 4);
        lines
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

impl Lines {
    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        let read = tokio::time::timeout(LIMIT, self.stream.read(&mut chunk)).await.expect("no more in time").unwrap_or(0);
        self.read.extend_from_slice(&chunk[..read]);
        read > 0
    }

    /// Returns the text up to `end`, without it.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                let mut found = std::mem::replace(&mut self.text, rest);
                found.truncate(at);
                return found;
            }
            self.text += &unchunked(&mut self.read);
            if !self.text.contains(end) {
                assert!(self.more().await, "the stream ended at {:?}", self.text);
                self.text += &unchunked(&mut self.read);
            }
        }
    }

    /// Returns all that comes until the answer ends.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        self.text += &unchunked(&mut self.read);
        std::mem::take(&mut self.text)
    }
}

/// Takes the whole chunks out of what was read.
fn unchunked(read: &mut Vec<u8>) -> String {
    let (mut text, mut at) = (String::new(), 0);
    while let Some(line) = read[at..].windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&read[at..at + line]).unwrap(), 16).unwrap();
        let (start, end) = (at + line + 2, at + line + 2 + size);
        if read.len() < end + 2 {
            break;
        }
        text += std::str::from_utf8(&read[start..end]).unwrap();
        at = end + 2;
    }
    read.drain(..at);
    text
}
