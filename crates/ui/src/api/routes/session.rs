//! What this session knows, in its own words: `schemas/event.v1.json`, and [`Snapshot`].

use std::collections::HashSet;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header;
use axum::response::Response;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::super::body::Query;
use super::super::failure::Failure;
use super::super::replay::Batch;
use super::super::replay::Entry;
use super::super::stream::Stream;
use super::Shared;
use super::skaffold;
use crate::Redactor;

/// Which session answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Its process.
    pub pid: u32,
    /// The command, `dev`.
    pub command: String,
    /// devloop's version.
    pub version: String,
    /// When it started; none before its first event.
    pub since: Option<Timestamp>,
    /// The configuration, as the user would name it.
    pub config: Option<String>,
    /// The directory that it works in.
    pub directory: Option<String>,
    /// Kubernetes context.
    pub context: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
}

/// `GET /v1/session`.
pub(crate) async fn session(State(shared): State<Shared>) -> Response {
    let now = shared.replay.now();
    shared.json(&SessionInfo {
        pid: std::process::id(),
        command: now.command,
        version: now.version,
        since: now.since,
        config: shared.settings.config.clone(),
        directory: shared.settings.directory.clone(),
        context: now.context,
        namespace: now.namespace.map(|namespace| namespace.0),
    })
}

/// `GET /v1/snapshot`.
pub(crate) async fn snapshot(State(shared): State<Shared>) -> Response {
    shared.json(&shared.replay.now())
}

/// `GET /v1/why?artifact=`: why each step of an artifact ran last, or waits; of all artifacts if none is named.
pub(crate) async fn why(State(shared): State<Shared>, uri: Uri) -> Result<Response, Failure> {
    let now = shared.replay.now();
    let explanations = match Query::of(&uri).parsed::<ImageName>("artifact")? {
        None => now.explain_all(),
        Some(artifact) if now.artifact(&artifact).is_some() => now.explain(&artifact),
        Some(artifact) => return Err(Failure::not_found(format!("this session has no artifact `{artifact}`"))),
    };
    Ok(shared.json(&explanations))
}

/// `GET /v1/events`: server-sent events of our own schema for those who accept them, Skaffold's stream for others.
pub(crate) async fn events(State(shared): State<Shared>, headers: HeaderMap, uri: Uri) -> Result<Response, Failure> {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if !accepts.flat_map(|value| value.split(',')).any(|media| media.trim().starts_with("text/event-stream")) {
        return Ok(skaffold::stream_v1(&shared));
    }
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    let after = last.or(Query::of(&uri).parsed("after")?).unwrap_or_default();
    let redactor = shared.settings.redactor.clone();
    let stream = Stream {
        reader: shared.replay.read_after(after),
        render: Box::new(move |batch| server_sent(&batch, &redactor)),
        first: String::new(),
        alive: ": still here\n\n",
        ended: shared.ended.clone(),
    };
    Ok(stream.answer("text/event-stream"))
}

/// Returns events as their receivers take them: `id` to go on after, `data` with the event, and an event `dropped`
/// with the number of those that are gone.
fn server_sent(batch: &Batch, redactor: &Redactor) -> String {
    let missed = (batch.missed > 0).then(|| format!("event: dropped\ndata: {{\"dropped\":{}}}\n\n", batch.missed));
    let events = batch.entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => Some(format!("id: {}\ndata: {}\n\n", event.seq, line(event, redactor))),
        Entry::Handed { .. } => None,
    });
    missed.into_iter().chain(events).collect()
}

fn line(event: &Event, redactor: &Redactor) -> String {
    let mut value = serde_json::to_value(event).expect("an event has text keys and finite numbers only");
    redactor.json(&mut value);
    value.to_string()
}

/// Which lines of pods are wanted.
struct Wanted {
    artifacts: HashSet<String>,
    since: Option<Timestamp>,
}

impl Wanted {
    fn has(&self, event: &Event) -> bool {
        let EventKind::PodLog { artifact, .. } = &event.fact else { return false };
        let named = || artifact.as_ref().is_some_and(|artifact| self.artifacts.contains(artifact.as_str()));
        (self.artifacts.is_empty() || named()) && self.since.is_none_or(|since| event.at >= since)
    }
}

/// `GET /v1/logs?artifact=&since=&tail=&follow=`: lines of pods as events, one per line; `artifact` may list several.
pub(crate) async fn logs(State(shared): State<Shared>, uri: Uri) -> Result<Response, Failure> {
    let query = Query::of(&uri);
    let artifacts = query.text("artifact").unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let wanted = Wanted { artifacts, since: query.parsed("since")? };
    let (kept, reader) = shared.replay.pod_lines();
    let kept: Vec<_> = kept.into_iter().filter(|event| wanted.has(event)).collect();
    let from = kept.len() - query.parsed("tail")?.unwrap_or(kept.len()).min(kept.len());
    let redactor = shared.settings.redactor.clone();
    let first: String = kept[from..].iter().map(|event| line(event, &redactor) + "\n").collect();
    let follow = query.parsed::<bool>("follow")?.unwrap_or_default();
    let render = move |batch: Batch| {
        let events = batch.entries.iter().filter_map(|entry| match entry {
            Entry::Event(event) if wanted.has(event) => Some(line(event, &redactor) + "\n"),
            _ => None,
        });
        // An empty line keeps the stream alive, and says nothing.
        let missed = (batch.missed > 0).then(|| format!("{{\"dropped\":{}}}\n", batch.missed));
        missed.into_iter().chain(events).collect()
    };
    let ended = if follow { shared.ended.clone() } else { over() };
    Ok(Stream { reader, render: Box::new(render), first, alive: "\n", ended }.answer("application/x-ndjson"))
}

/// Returns the end of streams that only have what is kept.
fn over() -> tokio_util::sync::CancellationToken {
    let over = tokio_util::sync::CancellationToken::new();
    over.cancel();
    over
}
