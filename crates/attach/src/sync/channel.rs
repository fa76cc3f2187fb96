//! Ways into a container, tried in an order, and the one that an image allows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_agent::protocol::Failure;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::registry::Registry;
use devloop_model::Cx;

use super::agent::Agent;
use super::agent::PROGRAM;
use super::archive;
use super::beside::Beside;
use super::ledger::Change;
use super::pods::Running;
use super::upload;

/// A way into a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// The agent, put into the container by its shell.
    Shell,
    /// The agent in a container beside it, as the same user.
    Beside,
    /// The agent in a container beside it, as root.
    BesideAsRoot,
    /// The container's own `tar`.
    Archive,
}

const ROUTES: [Route; 4] = [Route::Shell, Route::Beside, Route::BesideAsRoot, Route::Archive];

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

/// Opens ways into containers.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) cluster: Cluster,
    pub(super) registry: Registry,
    pub(super) cx: Cx,
    /// The way that each image allows, as it is the same for all of its containers.
    pub(super) known: Arc<Mutex<HashMap<String, Route>>>,
}

impl Connector {
    /// Returns the way that is known for an image.
    pub(super) fn known(&self, image: &str) -> Option<Route> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(image).copied()
    }

    /// Returns the first way from `from` on that opens.
    ///
    /// # Errors
    /// Why each does not; the first that nobody can tell about ends it.
    pub(super) async fn open(&self, running: &Running, from: Route) -> Result<Channel, (bool, Vec<String>)> {
        let mut reasons = Vec::new();
        for route in ROUTES.into_iter().filter(|route| *route >= from) {
            match self.try_route(running, route).await {
                Ok(channel) => return Ok(channel),
                Err(Closed::ForNow(why)) => return Err((true, vec![format!("{}: {why}", name(route))])),
                Err(Closed::ForGood(why)) => {
                    tracing::debug!(container = %running.container, ?route, why, "not this way");
                    reasons.push(format!("{}: {why}", name(route)));
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
        let beside = |as_root| Beside { running, as_root, cluster: &self.cluster, registry: &self.registry, cx: &self.cx };
        if PROGRAM.is_empty() && route != Route::Archive {
            return Err(Closed::ForGood("this devloop was built without it".to_owned()));
        }
        let agent = match route {
            Route::Shell => Some(upload::start(&running.container, &self.cluster, &self.cx).await?),
            Route::Beside => Some(beside(false).start().await?),
            Route::BesideAsRoot => Some(beside(true).start().await?),
            Route::Archive => {
                archive::probe(&running.container, &self.cluster, &self.cx).await?;
                None
            }
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
            None => archive::apply(&running.container, changes, &self.cluster, &self.cx).await?,
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
            Self::Shell | Self::Beside => Some(Self::BesideAsRoot),
            Self::BesideAsRoot | Self::Archive => None,
        }
    }
}

fn name(route: Route) -> &'static str {
    match route {
        Route::Shell => "an agent in the container, by its shell",
        Route::Beside => "an agent in a container beside it",
        Route::BesideAsRoot => "an agent beside it, as root",
        Route::Archive => "the container's tar",
    }
}
