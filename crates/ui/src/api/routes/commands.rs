//! What clients ask of the session.

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use devloop_model::AutoStage;
use devloop_model::Command;
use serde_json::Value;

use super::super::body;
use super::super::failure::Failure;
use super::Shared;

/// `POST /v1/command`: a [`Command`] as events have it.
pub(crate) async fn command(State(shared): State<Shared>, sent: Bytes) -> Result<Response, Failure> {
    let object = body::object(&sent)?;
    let command = serde_json::from_value(Value::Object(object)).map_err(|error| Failure::invalid(format!("no command: {error}")))?;
    shared.command(command)?;
    Ok(shared.json(&serde_json::json!({})))
}

/// `POST /v1/execute`, `POST /v2/execute`: does what waits for being asked; `devloop` means all of it
/// (`pkg/skaffold/server/endpoints.go`).
pub(crate) async fn execute(State(shared): State<Shared>, sent: Bytes) -> Result<Response, Failure> {
    let intent = body::object(&sent)?;
    let wants = |name: &str| body::switch(&intent, name).map(Option::unwrap_or_default);
    let all = wants("devloop")?;
    let (build, sync, deploy) = (wants("build")? || all, wants("sync")? || all, wants("deploy")? || all);
    if build || sync || deploy {
        shared.command(Command::Execute { build, sync, deploy })?;
    }
    Ok(shared.json(&serde_json::json!({})))
}

/// `PUT /v1/{stage}/auto_execute`.
pub(crate) async fn auto_v1(State(shared): State<Shared>, Path(stage): Path<String>, sent: Bytes) -> Result<Response, Failure> {
    let enabled = body::switch(&body::object(&sent)?, "enabled")?;
    let enabled = enabled.ok_or_else(|| Failure::invalid("missing required boolean parameter 'enabled'"))?;
    switch(&shared, &stage, enabled)
}

/// `PUT /v2/{stage}/auto_execute`: what is not said is off.
pub(crate) async fn auto_v2(State(shared): State<Shared>, Path(stage): Path<String>, sent: Bytes) -> Result<Response, Failure> {
    let enabled = body::switch(&body::object(&sent)?, "enabled")?;
    switch(&shared, &stage, enabled.unwrap_or_default())
}

fn switch(shared: &Shared, name: &str, enabled: bool) -> Result<Response, Failure> {
    let stage = match name {
        "build" => AutoStage::Build,
        "sync" => AutoStage::Sync,
        "deploy" => AutoStage::Deploy,
        _ => return Err(Failure::not_found("Not Found")),
    };
    if shared.replay.now().auto.get(stage) == enabled {
        return Err(Failure::already(format!("auto {stage} is already set to {enabled}")));
    }
    shared.command(Command::Auto { stage, enabled })?;
    Ok(shared.json(&serde_json::json!({})))
}
