//! Ways into a container, tried in an order, and the one that an image allows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_agent::protocol::Failure;
use devloop_clients::exec::ExecError;
use devloop_clients::kube::KubeError;
use devloop_model::Cx;

use super::agent::Agent;
use super::agent::PROGRAM;
use super::archive;
use super::container::Running;
use super::ledger::Change;
use super::place::Place;

/// A way into a container; not every one is there wherever containers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// The agent, put into the container.
    Inside,
    /// The agent in a container beside it, as the same user.
    Beside,
    /// The agent as root.
    AsRoot,
    /// The container's own `tar`.
    Archive,
}

/// A way that is open.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) route: Route,
    agent: Option<Agent>,
}

/// Why a way does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nobody can tell now: the cluster, or the container, does not answer.
    ForNow(String),
    /// The container, or the cluster, does not have it.
    ForGood(String),
}

impl From<String> for Closed {
    fn from(why: String) -> Self {
        Self::ForGood(why)
    }
}

impl Closed {
    /// Returns what a command that could not be asked for means.
    pub(super) fn of(error: &KubeError) -> Self {
        match error {
            KubeError::Forbidden { .. } => Self::ForGood(error.to_string()),
            error => Self::ForNow(error.to_string()),
        }
    }
}

impl From<ExecError> for Closed {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Kube(error) => Self::of(&error),
            error => Self::ForNow(error.to_string()),
        }
    }
}

/// Opens ways into a container.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) place: Place,
    pub(super) cx: Cx,
    /// The way that each image allows, as it is the same for all of its containers.
    pub(super) known: Arc<Mutex<HashMap<String, Route>>>,
}

impl Connector {
    /// Returns the first way to try for an image.
    pub(super) fn first(&self, image: &str) -> Route {
        let (known, routes) = (self.known.lock().unwrap_or_else(PoisonError::into_inner), self.place.routes());
        known.get(image).copied().filter(|route| routes.contains(route)).unwrap_or(routes[0])
    }

    /// Returns the first way from `from` on that opens.
    ///
    /// # Errors
    /// Why each does not; the first that nobody can tell about ends it.
    pub(super) async fn open(&self, running: &Running, from: Route) -> Result<Channel, (bool, Vec<String>)> {
        let (mut reasons, place) = (Vec::new(), &self.place);
        for &route in place.routes().iter().filter(|route| **route >= from) {
            match self.try_route(running, route).await {
                Ok(channel) => return Ok(channel),
                Err(Closed::ForNow(why)) => return Err((true, vec![format!("{}: {why}", place.name(route))])),
                Err(Closed::ForGood(why)) => {
                    tracing::debug!(container = %place, ?route, why, "not this way");
                    reasons.push(format!("{}: {why}", place.name(route)));
                }
            }
        }
        Err((false, reasons))
    }

    /// Returns the way if it opens.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) async fn try_route(&self, running: &Running, route: Route) -> Result<Channel, Closed> {
        let agent = match route {
            Route::Archive => {
                archive::probe(self.place.target(), &self.cx).await?;
                None
            }
            _ if PROGRAM.is_empty() => return Err(Closed::ForGood("this devloop was built without it".to_owned())),
            _ => Some(self.place.agent(route, &running.image, &self.cx).await?),
        };
        Ok(Channel { route, agent })
    }

    /// Applies changes through `channel`, and remembers the way if all of them came through.
    ///
    /// # Errors
    /// When the way is closed by now.
    pub(super) async fn apply(&self, channel: &mut Channel, running: &Running, changes: &[Change]) -> Result<Vec<Failure>, String> {
        let failures = match &mut channel.agent {
            Some(agent) => agent.apply(changes).await.map_err(|error| error.to_string())?,
            None => archive::apply(self.place.target(), changes, &self.cx).await?,
        };
        if failures.is_empty() {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(running.image.clone(), channel.route);
        }
        Ok(failures)
    }
}

impl Channel {
    /// Returns when the connection is lost; never where none is kept.
    pub(super) async fn lost(&mut self) {
        match &mut self.agent {
            Some(agent) => agent.lost().await,
            None => std::future::pending().await,
        }
    }
}

impl Route {
    /// Returns the next way where this one is not allowed to write; `tar` is what the container's user may do again.
    pub(super) fn with_more_rights(self) -> Option<Self> {
        match self {
            Self::Inside | Self::Beside => Some(Self::AsRoot),
            Self::AsRoot | Self::Archive => None,
        }
    }
}
