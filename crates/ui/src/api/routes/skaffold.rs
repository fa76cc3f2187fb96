//! Skaffold's events and state, as its gateway answers them (`pkg/skaffold/server/server.go`).

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use devloop_model::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::super::body;
use super::super::failure::Failure;
use super::super::proto;
use super::super::replay::Batch;
use super::super::replay::Entry;
use super::super::replay::Kind;
use super::super::replay::Version;
use super::super::skaffold_v1;
use super::super::skaffold_v2;
use super::super::stream::Stream;
use super::Shared;
use crate::Snapshot;

/// `GET /v1/state`.
pub(crate) async fn state_v1(State(shared): State<Shared>) -> Response {
    shared.json(&skaffold_v1::state(&shared.replay.now()))
}

/// `GET /v2/state`.
pub(crate) async fn state_v2(State(shared): State<Shared>) -> Response {
    shared.json(&skaffold_v2::state(&shared.replay.now()))
}

/// `GET /v1/event_log`.
pub(crate) async fn events_v1(State(shared): State<Shared>) -> Response {
    stream_v1(&shared)
}

/// Returns the stream of `GET /v1/events` for Skaffold's clients.
pub(crate) fn stream_v1(shared: &Shared) -> Response {
    let kinds = [Kind::Fact, Kind::Handed];
    stream(shared, &kinds, Version::V1)
}

/// `GET /v2/events`.
pub(crate) async fn events_v2(State(shared): State<Shared>) -> Response {
    stream(&shared, &[Kind::Fact, Kind::StepLine, Kind::Handed], Version::V2)
}

/// `GET /v2/applicationLogs`.
pub(crate) async fn application_logs(State(shared): State<Shared>) -> Response {
    stream(&shared, &[Kind::PodLine], Version::V2)
}

/// `POST /v1/events/handle`: an event of the client's own, for the other clients; our state does not follow it.
pub(crate) async fn handle_v1(State(shared): State<Shared>, sent: Bytes) -> Result<Response, Failure> {
    let entry = json!({ "timestamp": proto::timestamp(Timestamp::now()), "event": handed(&sent)?, "entry": "" });
    shared.replay.hand(Version::V1, entry);
    Ok(shared.json(&json!({})))
}

/// `POST /v2/events/handle`.
pub(crate) async fn handle_v2(State(shared): State<Shared>, sent: Bytes) -> Result<Response, Failure> {
    let mut entry = handed(&sent)?;
    entry["timestamp"] = proto::timestamp(Timestamp::now());
    shared.replay.hand(Version::V2, entry);
    Ok(shared.json(&json!({})))
}

/// Returns the event in a body: its time, and one fact.
fn handed(sent: &Bytes) -> Result<Value, Failure> {
    let event = body::object(sent)?;
    let facts: Vec<_> = event.iter().filter(|(name, _)| *name != "timestamp").collect();
    match facts.as_slice() {
        [(name, Value::Object(_))] if name.to_ascii_lowercase().ends_with("event") => Ok(Value::Object(event)),
        _ => Err(Failure::invalid("the body is no event: an object with one field like `buildEvent`")),
    }
}

fn stream(shared: &Shared, kinds: &[Kind], version: Version) -> Response {
    let redactor = shared.settings.redactor.clone();
    let mut snapshot = Snapshot::default();
    let render = move |batch: Batch| {
        let mut entries = Vec::new();
        if let Some(base) = batch.base {
            snapshot = *base;
        }
        if batch.missed > 0 {
            entries.push(match version {
                Version::V1 => skaffold_v1::dropped(batch.missed),
                Version::V2 => skaffold_v2::dropped(batch.missed, &snapshot),
            });
        }
        for entry in batch.entries {
            match entry {
                Entry::Event(event) => {
                    let before = proto::Phases::of(&snapshot);
                    snapshot.apply(&event);
                    entries.extend(match version {
                        Version::V1 => skaffold_v1::entries(&event, before, &snapshot),
                        Version::V2 => skaffold_v2::events(&event, before, &snapshot),
                    });
                }
                Entry::Handed { version: of, entry, .. } if of == version => entries.push(entry.as_ref().clone()),
                Entry::Handed { .. } => {}
            }
        }
        entries.into_iter().map(|entry| wrapped(entry, &redactor)).collect()
    };
    let (reader, ended) = (shared.replay.read(kinds), shared.ended.clone());
    Stream { reader, render: Box::new(render), first: String::new(), alive: "", ended }.answer("application/json")
}

/// Returns a line of a stream, as grpc-gateway writes it.
fn wrapped(entry: Value, redactor: &crate::Redactor) -> String {
    let mut value = json!({ "result": entry });
    redactor.json(&mut value);
    format!("{value}\n")
}
