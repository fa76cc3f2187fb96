//! What the API server warns of, in headers beside its answers: deprecated versions, policies that would refuse.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_model::Cx;
use devloop_model::Diagnostic;
use http::HeaderMap;
use http::header::WARNING;

/// What was said of warnings; each is said once.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<HashSet<String>>);

impl Warnings {
    /// Says what the headers of an answer warn of; `action` is what was asked for.
    pub(super) fn tell(&self, headers: &HeaderMap, action: &str, cx: &Cx) {
        for value in headers.get_all(WARNING) {
            for text in texts(&String::from_utf8_lossy(value.as_bytes())) {
                if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
                    cx.warn(Diagnostic::warning("kube/warning", text).because(format!("the API server said so in answer to: {action}")));
                }
            }
        }
    }
}

/// Returns the texts of warnings of Kubernetes: `299 - "text"`, several of them with commas between (RFC 7234, 5.5).
fn texts(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = header.trim_start();
    while let Some((code, after)) = rest.split_once(' ') {
        // The agent has no spaces, and no quotes.
        let Some((_, quoted)) = after.split_once('"') else { break };
        let Some((text, end)) = unquoted(quoted) else { break };
        if code == "299" {
            texts.push(text);
        }
        // A date may stand before the comma.
        rest = quoted[end..].split_once(',').map_or("", |(_, next)| next.trim_start());
    }
    texts
}

/// Returns the text up to its closing quote, and where that ends.
fn unquoted(quoted: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text, at + 1)),
            '\\' => text.push(letters.next()?.1),
            _ => text.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use devloop_model::Env;
    use devloop_model::EventKind;
    use devloop_model::EventSink;
    use devloop_model::Stage;
    use devloop_model::StepId;
    use http::Request;
    use http::Response;
    use kube::client::Body;
    use tokio_util::sync::CancellationToken;

    use super::super::Cluster;
    use super::*;

    #[test]
    fn the_texts_of_a_header_are_found() {
        for (header, expected) in [
            (r#"299 - "policy/v1beta1 is deprecated""#, vec!["policy/v1beta1 is deprecated"]),
            (r#"299 - "a \"b\" \\c""#, vec![r#"a "b" \c"#]),
            (r#"299 - "one, two", 299 - "three""#, vec!["one, two", "three"]),
            (r#"299 - "dated" "Wed, 21 Oct 2015 07:28:00 GMT""#, vec!["dated"]),
            (r#"199 - "somebody else's""#, vec![]),
            (r#"299 - "cut off"#, vec![]),
            ("nonsense", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(texts(header), expected, "{header}");
        }
    }

    #[tokio::test]
    async fn each_is_said_once() {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        tokio::spawn(async move {
            for _ in 0..2 {
                let (_, answer) = handle.next_request().await.unwrap();
                let response = Response::builder().header("Warning", r#"299 - "old""#).header("Warning", r#"299 - "bad""#);
                answer.send_response(response.body(Body::from(b"{}".to_vec())).unwrap());
            }
        });
        let cluster = Cluster::new(kube::Client::new(service, "shop"), None, String::new(), false);
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let cx = Cx::new(StepId::of(Stage::Deploy), Env::default(), EventSink::new(sender), CancellationToken::new());
        cluster.reachable(&cx).await.unwrap();
        cluster.reachable(&cx).await.unwrap();
        drop(cx);
        let mut said = Vec::new();
        while let Some(EventKind::Warned { diagnostic }) = events.recv().await {
            said.push(diagnostic.to_string());
        }
        insta::assert_snapshot!(said.join("\n"), @r"
        warning[kube/warning]: old
          the API server said so in answer to: ask for the version
        warning[kube/warning]: bad
          the API server said so in answer to: ask for the version
        ");
    }
}
