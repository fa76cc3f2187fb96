//! Whether a local port speaks HTTP: asked a few times, for there is a moment between listening and serving.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::scheme::Scheme;

/// How often it is asked.
const ATTEMPTS: u32 = 6;
/// The first pause; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How long an answer may take: a first request may compile a page.
const LIMIT: Duration = Duration::from_secs(20);
/// The first byte of a TLS alert, with which a TLS server answers what is not TLS.
const TLS_ALERT: u8 = 0x15;

/// What a port said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It speaks HTTP: look here.
    Url(String),
    /// It speaks something else.
    Other,
    /// Nothing.
    None,
}

/// Returns what listens at a local port.
pub(crate) fn answers(address: &str, port: u16, scheme: Scheme) -> impl Future<Output = Answer> + Send + use<> {
    let host = host(address);
    async move {
        if scheme == Scheme::Other {
            return Answer::Other;
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..ATTEMPTS {
            match tokio::time::timeout(LIMIT, ask(&host, port)).await {
                Ok(Ok(answer)) if !answer.is_empty() => return judged(&answer, scheme, &host, port),
                failed => tracing::debug!(port, ?failed, "no answer yet"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Answer::None
    }
}

/// Returns the host of a URL that leads to what listens at `address`.
fn host(address: &str) -> String {
    if address.parse() == Ok(Ipv4Addr::UNSPECIFIED) {
        return Ipv4Addr::LOCALHOST.to_string();
    }
    match address.parse::<Ipv6Addr>() {
        Ok(Ipv6Addr::UNSPECIFIED) => format!("[{}]", Ipv6Addr::LOCALHOST),
        Ok(address) => format!("[{address}]"),
        Err(_) => address.to_owned(),
    }
}

/// Returns the start of the answer to a request for the first page.
async fn ask(host: &str, port: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(format!("{host}:{port}")).await?;
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {host}:{port}\r\nUser-Agent: devloop\r\nAccept: */*\r\n\r\n").as_bytes()).await?;
    let mut start = Vec::with_capacity(512);
    // A page may never end.
    while start.len() < b"HTTP/".len() && stream.read_buf(&mut start).await? > 0 {}
    Ok(start)
}

fn judged(answer: &[u8], scheme: Scheme, host: &str, port: u16) -> Answer {
    let is_http = answer.starts_with(b"HTTP/");
    // A Go server says in plain HTTP that it wants TLS.
    let wants_tls = String::from_utf8_lossy(answer).contains("to an HTTPS server");
    match (is_http, scheme) {
        (true, Scheme::Https) => Answer::Url(format!("https://{host}:{port}")),
        (true, _) if wants_tls => Answer::Url(format!("https://{host}:{port}")),
        (true, _) => Answer::Url(format!("http://{host}:{port}")),
        (false, Scheme::Https) if answer[0] == TLS_ALERT => Answer::Url(format!("https://{host}:{port}")),
        (false, _) => Answer::Other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn urls_lead_to_where_it_listens() {
        for (address, expected) in
            [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost"), ("::", "[::1]"), ("::1", "[::1]")]
        {
            assert_eq!(host(address), expected, "{address}");
        }
    }

    #[test]
    fn an_answer_tells_what_speaks() {
        let url = |scheme: &str| Answer::Url(format!("{scheme}://h:1"));
        for (answer, scheme, expected) in [
            ("HTTP/1.0 404 Not Found", Scheme::Http, url("http")),
            ("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.", Scheme::Http, url("https")),
            ("HTTP/1.1 400 The plain HTTP request", Scheme::Https, url("https")),
            ("\x15\x03\x01", Scheme::Https, url("https")),
            ("-ERR unknown command", Scheme::Http, Answer::Other),
        ] {
            assert_eq!(judged(answer.as_bytes(), scheme, "h", 1), expected, "{answer}");
        }
    }

    /// Answers each connection with the next of these.
    async fn server(answers: &'static [&'static str]) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut request).await.unwrap();
                }
                assert!(request.starts_with(b"GET / HTTP/1.0\r\nHost: 127.0.0.1:"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn it_is_asked_until_it_answers() {
        let port = server(&["", "HTTP/1.1 200 OK\r\n\r\n"]).await;
        assert_eq!(answers("0.0.0.0", port, Scheme::Http).await, Answer::Url(format!("http://127.0.0.1:{port}")));
        let port = server(&["220 ready"]).await;
        assert_eq!(answers("127.0.0.1", port, Scheme::Http).await, Answer::Other);
        assert_eq!(answers("127.0.0.1", 1, Scheme::Other).await, Answer::Other);
    }
}
