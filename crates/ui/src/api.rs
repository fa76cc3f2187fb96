//! The HTTP API of a session: Skaffold's own, and ours, which says more.
//!
//! Events go into a bounded [`replay::Replay`]; every client reads it at its own pace, so that none of them can
//! hold the loop up. The server is for programs of this machine only ([`guard`]).

mod body;
mod event_log;
mod failure;
mod guard;
mod proto;
mod replay;
mod routes;
mod server;
mod skaffold_v1;
mod skaffold_v2;
mod stream;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use devloop_model::Command;
use devloop_model::Event;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

pub use self::event_log::EventLog;
use self::guard::Guard;
use self::replay::Replay;
use self::routes::Shared;
pub use self::routes::session::SessionInfo;
use crate::Redactor;

/// What the server has to know.
#[derive(Debug, Clone, Default)]
pub struct ApiSettings {
    /// What every request has to show; none lets every program of this machine in, as Skaffold does.
    pub token: Option<String>,
    /// What takes secrets out of answers.
    pub redactor: Redactor,
    /// The configuration, as the user would name it.
    pub config: Option<String>,
    /// The directory that the session works in.
    pub directory: Option<String>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The listener is not on loopback: the API runs builds, and is nothing for a network.
    #[error("the API of a session may only listen on loopback, not on {0}")]
    NotLoopback(SocketAddr),
    /// The system refuses the listener.
    #[error("the listener of the API cannot be used")]
    Listener(#[from] std::io::Error),
}

impl ApiError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> devloop_model::Diagnostic {
        devloop_model::Diagnostic::error("api/not-served", self.to_string()).because_of(self)
    }
}

/// What the API is told of a session; cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    replay: Arc<Replay>,
    url: String,
}

impl Api {
    /// Returns the API on `listener`, and what serves it until `cancel` and then a moment more, in which clients
    /// get the last events.
    ///
    /// `commands` is where the loop takes what clients ask for.
    ///
    /// # Errors
    /// When the listener is not on loopback, or the system refuses it.
    pub fn start(
        listener: std::net::TcpListener,
        settings: ApiSettings,
        commands: Sender<Command>,
        cancel: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), ApiError> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(ApiError::NotLoopback(address));
        }
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let replay = Arc::new(Replay::new(replay::LIMITS));
        let guard = Guard::new(address.port(), settings.token.clone());
        let shared = Shared { replay: Arc::clone(&replay), settings: Arc::new(settings), commands, ended: cancel.clone() };
        let serving = server::serve(listener, routes::router(shared, guard), cancel);
        Ok((Self { replay, url: format!("http://{address}") }, serving))
    }

    /// Returns where it listens: `http://127.0.0.1:50052`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes an event in; never waits for a client.
    pub fn report(&self, event: &Event) {
        self.replay.push(event);
    }
}
