//! Who may ask: programs of this machine, never a web page, and only with the token where there is one.

use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::header;

use super::failure::Failure;

/// What a request must have.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    port: u16,
    token: Option<String>,
}

impl Guard {
    pub(crate) fn new(port: u16, token: Option<String>) -> Self {
        Self { port, token }
    }

    /// Lets a request through.
    ///
    /// A page of the web can make a browser send requests here. It cannot choose their `Host`, which is the page's
    /// own name when that name was pointed at this machine (DNS rebinding), nor their `Origin`, nor leave that out of
    /// anything that changes something; and without asking first, which is never answered, it cannot send JSON. So only
    /// programs other than browsers, such as `curl -d`, may send JSON under another name.
    ///
    /// # Errors
    /// When it may come from a web page, or lacks the token.
    pub(crate) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
        let host = text(headers, header::HOST).unwrap_or_default();
        if !self.is_this(&host) {
            return Err(Failure::forbidden(format!("the host `{host}` is not this server: use http://127.0.0.1:{}", self.port)));
        }
        if let Some(origin) = text(headers, header::ORIGIN)
            && !origin.strip_prefix("http://").is_some_and(|host| self.is_this(host))
        {
            return Err(Failure::forbidden(format!("pages of `{origin}` may not use this server")));
        }
        if let Some(token) = &self.token {
            let given = text(headers, header::AUTHORIZATION);
            let given = given.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            if !same(given.as_bytes(), token.as_bytes()) {
                return Err(Failure::unauthenticated("send the token of the session file as `Authorization: Bearer TOKEN`"));
            }
        }
        if !matches!(*method, Method::GET | Method::HEAD) && !is_json(headers) && is_of_browser(headers) {
            return Err(Failure::unsupported("send JSON, with `Content-Type: application/json`"));
        }
        Ok(())
    }

    fn is_this(&self, host: &str) -> bool {
        let port = self.port;
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")].iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Browsers name the origin of every request that changes something, and the newer ones what it has to do with the page.
fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Compares in a time that does not tell where the first difference is.
fn same(one: &[u8], two: &[u8]) -> bool {
    one.len() == two.len() && one.iter().zip(two).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_programs_of_this_machine_may_ask() {
        let open = Guard::new(50052, None);
        for (method, pairs, status) in [
            (Method::GET, vec![("host", "127.0.0.1:50052")], None),
            (Method::GET, vec![("host", "LocalHost:50052")], None),
            (Method::GET, vec![("host", "[::1]:50052")], None),
            (Method::GET, vec![("host", "127.0.0.1:50052"), ("origin", "http://localhost:50052")], None),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("content-type", "application/json; charset=utf-8")], None),
            (Method::GET, vec![], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1")], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1:50053")], Some(403)),
            (Method::GET, vec![("host", "evil.example:50052")], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1:50052.evil.example")], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1:50052"), ("origin", "http://evil.example")], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1:50052"), ("origin", "https://127.0.0.1:50052")], Some(403)),
            (Method::GET, vec![("host", "127.0.0.1:50052"), ("origin", "null")], Some(403)),
            // What curl sends, and what a page could.
            (Method::POST, vec![("host", "127.0.0.1:50052")], None),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("content-type", FORM)], None),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("content-type", FORM), ("origin", "http://evil.example")], Some(403)),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("content-type", FORM), ("origin", "null")], Some(403)),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("origin", "http://127.0.0.1:50052")], Some(415)),
            (Method::POST, vec![("host", "127.0.0.1:50052"), ("content-type", FORM), ("origin", "http://127.0.0.1:50052")], Some(415)),
            (Method::PUT, vec![("host", "127.0.0.1:50052"), ("content-type", "text/plain"), ("sec-fetch-site", "cross-site")], Some(415)),
            (
                Method::DELETE,
                vec![("host", "127.0.0.1:50052"), ("content-type", "application/jsonp"), ("sec-fetch-site", "none")],
                Some(415),
            ),
        ] {
            let answer = open.check(&method, &headers(&pairs)).err().map(|failure| failure.status.as_u16());
            assert_eq!(answer, status, "{method} {pairs:?}");
        }
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let guard = Guard::new(1, Some("s3cret".into()));
        for (given, allowed) in
            [("Bearer s3cret", true), ("Bearer s3cre", false), ("Bearer ", false), ("s3cret", false), ("Basic s3cret", false)]
        {
            let headers = headers(&[("host", "127.0.0.1:1"), ("authorization", given)]);
            assert_eq!(guard.check(&Method::GET, &headers).is_ok(), allowed, "{given}");
        }
        assert!(guard.check(&Method::GET, &headers(&[("host", "127.0.0.1:1")])).is_err());
    }
}
