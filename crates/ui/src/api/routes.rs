//! What can be asked, and the answers.

mod commands;
pub(crate) mod session;
mod skaffold;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::extract::State;
use axum::http::header;
use axum::middleware::Next;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use axum::routing::put;
use devloop_model::Command;
use serde::Serialize;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::ApiSettings;
use super::failure::Failure;
use super::guard::Guard;
use super::replay::Replay;

/// Bytes of a request's body: commands are small.
const BODY_BYTES: usize = 64 << 10;

/// How long a request may take to arrive and be understood; streams go on after that.
const DEADLINE: Duration = Duration::from_secs(10);

/// What every route is given.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) replay: Arc<Replay>,
    pub(crate) settings: Arc<ApiSettings>,
    pub(crate) commands: Sender<Command>,
    pub(crate) ended: CancellationToken,
}

impl Shared {
    /// Returns the answer with this value, without secrets.
    fn json(&self, value: &impl Serialize) -> Response {
        let mut value = serde_json::to_value(value).expect("answers have text keys and finite numbers only");
        self.settings.redactor.json(&mut value);
        ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], value.to_string()).into_response()
    }

    /// Passes a command to the loop.
    ///
    /// # Errors
    /// When the loop has ended, or is far behind.
    fn command(&self, command: Command) -> Result<(), Failure> {
        self.commands.try_send(command).map_err(|_| Failure::unavailable("the session does not take commands now; it may be ending"))
    }
}

/// Returns all routes behind `guard`.
pub(crate) fn router(shared: Shared, guard: Guard) -> Router {
    Router::new()
        .route("/v1/session", get(session::session))
        .route("/v1/snapshot", get(session::snapshot))
        .route("/v1/why", get(session::why))
        .route("/v1/logs", get(session::logs))
        .route("/v1/command", post(commands::command))
        .route("/v1/events", get(session::events))
        .route("/v1/event_log", get(skaffold::events_v1))
        .route("/v1/state", get(skaffold::state_v1))
        .route("/v1/execute", post(commands::execute))
        .route("/v1/{stage}/auto_execute", put(commands::auto_v1))
        .route("/v1/events/handle", post(skaffold::handle_v1))
        .route("/v2/state", get(skaffold::state_v2))
        .route("/v2/events", get(skaffold::events_v2))
        .route("/v2/applicationLogs", get(skaffold::application_logs))
        .route("/v2/execute", post(commands::execute))
        .route("/v2/{stage}/auto_execute", put(commands::auto_v2))
        .route("/v2/events/handle", post(skaffold::handle_v2))
        .fallback(async || Failure::not_found("Not Found"))
        .method_not_allowed_fallback(async || Failure::method())
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn_with_state(Arc::new(guard), admit))
        .with_state(shared)
}

/// Lets a request through to its route, which has to answer in time.
async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Result<Response, Failure> {
    guard.check(request.method(), request.headers())?;
    tokio::time::timeout(DEADLINE, next.run(request)).await.map_err(|_| Failure::late())
}
