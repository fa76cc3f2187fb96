//! The HTTP API of a session on this machine: its listener, and a client of a running one.

use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::time::Duration;

use devloop_model::Diagnostic;
use futures::Stream;
use futures::StreamExt as _;
use reqwest::Url;
use serde_json::Value;

/// How long a session may take to answer: it is on this machine, and never busy with it.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a stream may be silent: a living one says something four times as often.
const SILENCE: Duration = Duration::from_mins(1);

/// Bytes of one line of a stream.
const LINE_BYTES: usize = 16 << 20;

/// Why a session does not answer, or cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SessionApiError {
    /// Somebody else has the port.
    #[error("port {port} of this machine is taken")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The port cannot be had.
    #[error("port {port} of this machine cannot be listened on")]
    Listen {
        /// The port; 0 is any.
        port: u16,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The session gave no usable answer.
    #[error("the session at {url} does not answer")]
    Failed {
        /// Where it should be.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The session refused.
    #[error("{message}")]
    Refused {
        /// Its words.
        message: String,
    },
    /// The answer is not what a session says.
    #[error("the session at {url} gave an answer that makes no sense")]
    Nonsense {
        /// Where it is.
        url: String,
    },
}

impl SessionApiError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        let because_of =
            |diagnostic: Diagnostic| std::error::Error::source(self).map_or(diagnostic.clone(), |source| diagnostic.because_of(source));
        match self {
            Self::PortTaken { .. } => Diagnostic::error("api/port-taken", what)
                .help("end the program that has it, or give another port; without the flag a free one is taken"),
            Self::Listen { .. } => because_of(Diagnostic::error("api/no-port", what)),
            Self::Failed { .. } => because_of(Diagnostic::error("api/no-answer", what)).help("it may have ended just now: try again"),
            Self::Refused { .. } => Diagnostic::error("api/refused", what),
            Self::Nonsense { .. } => {
                Diagnostic::error("api/nonsense", what).help("another version of devloop may run there; start it anew")
            }
        }
    }
}

/// Returns a listener on loopback, on this port, or any free one.
///
/// # Errors
/// When the port is taken or not allowed.
pub fn listen(port: Option<u16>) -> Result<TcpListener, SessionApiError> {
    let port = port.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => SessionApiError::PortTaken { port },
        _ => SessionApiError::Listen { port, source },
    })
}

/// A client of a running session.
#[derive(Debug, Clone)]
pub struct SessionApi {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl SessionApi {
    /// Returns a client of the session at `url`, which may want a token.
    ///
    /// # Errors
    /// When the system has no random numbers or the like.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, SessionApiError> {
        // The first provider that is installed stays; another crate may have done it.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        // No proxy has a way to this machine's own loopback.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(DEADLINE).read_timeout(SILENCE).build();
        let http = http.map_err(|source| SessionApiError::Failed { url: url.to_owned(), source })?;
        Ok(Self { http, url: url.to_owned(), token: token.map(str::to_owned) })
    }

    /// Returns what the session answers at `path`.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, SessionApiError> {
        let answer = async { self.answer(path, query).await?.json().await.map_err(|error| self.failed(error)) };
        tokio::time::timeout(DEADLINE, answer).await.unwrap_or_else(|_| Err(self.nonsense()))
    }

    /// Returns the lines that the session answers at `path`, for as long as it goes on; empty ones are left out.
    ///
    /// # Errors
    /// When it does not answer, or refuses; in the stream, when it goes away.
    pub async fn lines(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<impl Stream<Item = Result<String, SessionApiError>> + Send + use<>, SessionApiError> {
        let answer = tokio::time::timeout(DEADLINE, self.answer(path, query)).await.unwrap_or_else(|_| Err(self.nonsense()))?;
        let (api, chunks) = (self.clone(), answer.bytes_stream());
        let lines = futures::stream::unfold((chunks.boxed(), Vec::new()), move |(mut chunks, mut read)| {
            let api = api.clone();
            async move {
                loop {
                    if let Some(line) = first_line(&mut read) {
                        return Some((Ok(line), (chunks, read)));
                    }
                    match chunks.next().await {
                        Some(Ok(chunk)) => read.extend_from_slice(&chunk),
                        Some(Err(error)) => return Some((Err(api.failed(error)), (futures::stream::empty().boxed(), Vec::new()))),
                        None => return None,
                    }
                    if read.len() > LINE_BYTES {
                        return Some((Err(api.nonsense()), (futures::stream::empty().boxed(), Vec::new())));
                    }
                }
            }
        });
        Ok(lines)
    }

    async fn answer(&self, path: &str, query: &[(&str, String)]) -> Result<reqwest::Response, SessionApiError> {
        let url = Url::parse_with_params(&format!("{}{path}", self.url), query).map_err(|_| self.nonsense())?;
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or_default();
        let message = said["message"].as_str().map_or_else(|| format!("the session answered with {status}"), str::to_owned);
        Err(SessionApiError::Refused { message })
    }

    fn failed(&self, source: reqwest::Error) -> SessionApiError {
        SessionApiError::Failed { url: self.url.clone(), source: source.without_url() }
    }

    fn nonsense(&self) -> SessionApiError {
        SessionApiError::Nonsense { url: self.url.clone() }
    }
}

/// Takes the first line that is whole and not empty out of what was read.
fn first_line(read: &mut Vec<u8>) -> Option<String> {
    loop {
        let end = read.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = read.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !text.is_empty() {
            return Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Answers one request, and returns where, and what was asked.
    fn session(answer: &'static str) -> (SessionApi, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::from_std({
            let listener = listen(None).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        })
        .unwrap();
        let api = SessionApi::new(&format!("http://{}", listener.local_addr().unwrap()), Some("s3cret")).unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        (api, asked)
    }

    #[tokio::test]
    async fn a_session_is_asked_with_its_token() {
        let (api, asked) = session("HTTP/1.1 200 OK\r\n\r\n{\"seq\":1}");
        let answer = api.get("/v1/why", &[("artifact", "gcr.io/p/web".to_owned())]).await.unwrap();
        assert_eq!(answer["seq"], 1);
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /v1/why?artifact=gcr.io%2Fp%2Fweb HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer s3cret\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_refusal_has_the_words_of_the_session() {
        let (api, _asked) = session("HTTP/1.1 404 Not Found\r\n\r\n{\"code\":5,\"message\":\"no web so\"}");
        assert_eq!(api.get("/v1/why", &[]).await.unwrap_err().to_string(), "no web so");
    }

    #[tokio::test]
    async fn lines_come_whole_and_empty_ones_do_not() {
        let (api, _asked) = session("HTTP/1.1 200 OK\r\n\r\none\n\n\ntwo\nx");
        let lines: Vec<String> = api.lines("/v1/logs", &[]).await.unwrap().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_session_that_is_gone_is_named() {
        let listener = listen(None).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let text = SessionApi::new(&url, None).unwrap().get("/v1/session", &[]).await.unwrap_err().diagnostic().to_string();
        assert!(text.starts_with(&format!("error[api/no-answer]: the session at {url} does not answer")), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let first = listen(None).unwrap();
        let port = first.local_addr().unwrap().port();
        assert!(first.local_addr().unwrap().ip().is_loopback());
        let text = listen(Some(port)).unwrap_err().diagnostic().to_string();
        assert!(text.starts_with(&format!("error[api/port-taken]: port {port} of this machine is taken")), "{text}");
    }
}
