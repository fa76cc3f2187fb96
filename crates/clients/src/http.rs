//! One file from the web: with a deadline, a size limit, and TLS checked against the system's roots.

use std::time::Duration;

use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;

/// What one download may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first packet to the last byte.
    pub deadline: Duration,
    /// Bytes.
    pub size: usize,
}

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server gave no usable answer.
    #[error("`{url}` could not be read")]
    Failed {
        /// The URL, without its credentials.
        url: String,
        /// The causes, outermost first.
        why: Vec<String>,
    },
    /// The server refused.
    #[error("`{url}` was answered with {status}")]
    Status {
        /// The URL, without its credentials.
        url: String,
        /// The status line.
        status: String,
    },
    /// The server did not finish in time.
    #[error("`{url}` gave no complete answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The URL, without its credentials.
        url: String,
        /// How long it may take.
        limit: Duration,
    },
    /// The file is too large.
    #[error("`{url}` is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The URL, without its credentials.
        url: String,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The step was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl HttpError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        match self {
            Self::Failed { why, .. } => why.iter().fold(Diagnostic::error("http/failed", what), Diagnostic::because),
            Self::Status { .. } => Diagnostic::error("http/status", what).help("open the URL in a browser to see whether it is right"),
            Self::TimedOut { .. } => Diagnostic::error("http/timed-out", what).help("check the network and HTTPS_PROXY"),
            Self::TooLarge { .. } => Diagnostic::error("http/too-large", what),
            Self::Cancelled(_) => Diagnostic::error("http/interrupted", what),
        }
    }
}

/// Returns the bytes at `url`.
///
/// # Errors
/// When the server cannot be reached, refuses, is too slow or sends too much, or the step is cancelled.
pub async fn fetch(url: &str, limits: Limits, cx: &Cx) -> Result<Vec<u8>, HttpError> {
    let shown = without_credentials(url);
    match cx.unless_cancelled(tokio::time::timeout(limits.deadline, download(url, &shown, limits.size))).await? {
        Ok(result) => result,
        Err(_) => Err(HttpError::TimedOut { url: shown, limit: limits.deadline }),
    }
}

async fn download(url: &str, shown: &str, limit: usize) -> Result<Vec<u8>, HttpError> {
    // The first provider that is installed stays; another crate may have done it.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let failed = |error: reqwest::Error| HttpError::Failed { url: shown.to_owned(), why: causes(&error.without_url()) };
    let client = reqwest::Client::builder().user_agent(concat!("devloop/", env!("CARGO_PKG_VERSION"))).build().map_err(failed)?;
    let mut response = client.get(url).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(HttpError::Status { url: shown.to_owned(), status: response.status().to_string() });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge { url: shown.to_owned(), limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string).collect()
}

/// Returns `url` as it may be shown: `https://user:secret@host/` has a password in it, a query may have a token.
fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;
    use devloop_model::StepId;
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const LIMITS: Limits = Limits { deadline: Duration::from_secs(10), size: 100 };

    fn cx() -> Cx {
        Cx::silent(StepId::of(Stage::Render))
    }

    /// Answers one request with `answer`, and returns where; with none, it never answers.
    async fn server(answer: Option<String>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:secret@{}/x.yaml?token=1", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
        });
        url
    }

    fn body(length: usize) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
    }

    #[tokio::test]
    async fn a_file_is_downloaded_up_to_its_limit() {
        assert_eq!(fetch(&server(Some(body(100))).await, LIMITS, &cx()).await.unwrap().len(), 100);
        assert!(matches!(fetch(&server(Some(body(101))).await, LIMITS, &cx()).await, Err(HttpError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_refusal_says_the_status_and_no_secret() {
        let url = server(Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into())).await;
        let text = fetch(&url, LIMITS, &cx()).await.unwrap_err().diagnostic().to_string();
        assert!(text.contains("404 Not Found") && !text.contains("secret") && !text.contains("token"), "{text}");
    }

    #[tokio::test]
    async fn a_silent_server_meets_the_deadline_and_the_cancel() {
        let short = Limits { deadline: Duration::from_millis(1), ..LIMITS };
        assert!(matches!(fetch(&server(None).await, short, &cx()).await, Err(HttpError::TimedOut { .. })));
        let cx = cx();
        cx.cancel.cancel();
        assert!(matches!(fetch(&server(None).await, LIMITS, &cx).await, Err(HttpError::Cancelled(_))));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let text = fetch(&format!("http://{address}/"), LIMITS, &cx()).await.unwrap_err().diagnostic().to_string();
        assert!(text.contains("Connection refused"), "{text}");
    }
}
