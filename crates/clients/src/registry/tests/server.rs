//! A registry in this process: it answers as a test says, and remembers what it was asked.

use std::sync::Arc;
use std::sync::Mutex;

use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// `GET /v2/web/manifests/v1`, without the query.
    pub(super) line: String,
    pub(super) query: String,
    pub(super) authorization: String,
    pub(super) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Http {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nothing, for ever.
    Hang,
    /// The connection ends.
    Drop,
}

pub(super) fn reply(status: u16) -> Reply {
    Reply::Http { status, headers: Vec::new(), body: Vec::new() }
}

impl Reply {
    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }

    pub(super) fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        if let Self::Http { body, .. } = &mut self {
            *body = bytes.into();
        }
        self
    }

    /// The registry's own words for a fault.
    pub(super) fn fault(self, code: &str, message: &str) -> Self {
        self.body(serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string())
    }
}

type Answer = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

/// The server; it ends with the test's runtime.
pub(super) struct Server {
    /// `127.0.0.1:port`.
    pub(super) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a server; the answer is given what is asked, and how often the same line was asked before.
    pub(super) async fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { address, asked }
    }

    /// Returns what was asked, but for the first contact.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.line != "GET /v2/").cloned().collect()
    }

    /// Returns the lines of what was asked, sorted, as parts go out side by side.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.asked().into_iter().map(|asked| asked.line).collect();
        lines.sort();
        lines
    }
}

async fn serve(stream: TcpStream, log: Arc<Mutex<Vec<Asked>>>, answer: Arc<Answer>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        let before = log.lock().unwrap().iter().filter(|earlier| earlier.line == asked.line).count();
        log.lock().unwrap().push(asked.clone());
        match answer(&asked, before) {
            Reply::Drop => return,
            Reply::Hang => std::future::pending().await,
            Reply::Http { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
                }
                head.push_str("\r\n");
                let body = if asked.line.starts_with("HEAD") { Vec::new() } else { body };
                if stream.write_all(&[head.into_bytes(), body].concat()).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut first = String::new();
    if stream.read_line(&mut first).await.ok()? == 0 {
        return None;
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut asked = Asked { line: format!("{method} {path}"), query: query.to_owned(), authorization: String::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "authorization" => value.clone_into(&mut asked.authorization),
            "content-length" => asked.body.resize(value.parse().ok()?, 0),
            _ => {}
        }
    }
    stream.read_exact(&mut asked.body).await.ok()?;
    Some(asked)
}
