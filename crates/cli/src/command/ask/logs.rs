//! `devloop logs`: lines of containers, those that are kept and those that come.

use devloop_clients::session_api::SessionApi;
use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::Timestamp;
use futures::StreamExt as _;
use serde_json::Value;

use super::Print;
use crate::exit::Exit;
use crate::settings::AskSettings;
use crate::settings::Question;

/// Prints the lines that are asked for, and goes on where that is asked.
///
/// # Errors
/// When the session does not answer, or the output cannot be written.
pub(super) async fn print(api: &SessionApi, ask: &AskSettings, timestamps: bool, print: Print<'_>) -> Result<Exit, Diagnostic> {
    let lines = api.lines("/v1/logs", &query(&ask.question, Timestamp::now())).await.map_err(|error| error.diagnostic())?;
    let mut lines = std::pin::pin!(lines);
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| error.diagnostic())?;
        let text = if ask.json { line } else { text(&line, timestamps) };
        print(&format!("{text}\n"))?;
    }
    Ok(Exit::Done)
}

fn query(question: &Question, now: Timestamp) -> Vec<(&'static str, String)> {
    let Question::Logs { artifacts, follow, since, tail } = question else { return Vec::new() };
    let mut query = vec![("follow", follow.to_string())];
    if !artifacts.is_empty() {
        query.push(("artifact", artifacts.join(",")));
    }
    if let Some(since) = since.and_then(|since| now.checked_sub(since).ok()) {
        query.push(("since", since.to_string()));
    }
    query.extend(tail.map(|tail| ("tail", tail.to_string())));
    query
}

/// Returns a line for people.
fn text(line: &str, timestamps: bool) -> String {
    match serde_json::from_str::<Event>(line) {
        Ok(Event { at, fact: EventKind::PodLog { pod, container, line, .. }, .. }) => {
            let time = if timestamps { format!("{at:.3} ") } else { String::new() };
            let whose = if pod.is_empty() || pod == container { container } else { format!("{pod} {container}") };
            format!("{time}[{whose}] {line}")
        }
        _ => match serde_json::from_str::<Value>(line).ok().and_then(|value| value["dropped"].as_u64()) {
            Some(count) => format!("({count} lines came faster than they could be shown)"),
            None => line.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_are_for_people() {
        let line = r#"{"seq":1,"at":"2026-01-02T03:04:05Z","fact":{"type":"podLog","namespace":"d","pod":"web-1","container":"app","artifact":null,"line":"up"}}"#;
        assert_eq!(text(line, false), "[web-1 app] up");
        assert_eq!(text(line, true), "2026-01-02T03:04:05.000Z [web-1 app] up");
        assert_eq!(text(r#"{"dropped":3}"#, false), "(3 lines came faster than they could be shown)");
    }

    #[test]
    fn flags_become_a_query() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let question = Question::Logs {
            artifacts: vec!["web".into(), "api".into()],
            follow: true,
            since: Some(Duration::from_secs(65)),
            tail: Some(9),
        };
        let query: Vec<String> = query(&question, now).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(query, ["follow=true", "artifact=web,api", "since=2026-01-02T03:03:00Z", "tail=9"]);
    }
}
