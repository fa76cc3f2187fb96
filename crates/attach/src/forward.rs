//! Ports of the cluster on this machine, for a whole session: the local port stays, whatever pods do behind it.

mod backing;
mod connection;
mod listener;
mod modes;
pub(crate) mod probe;
pub(crate) mod scheme;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use devloop_clients::kube::Cluster;
use devloop_clients::local_port;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Namespace;
use devloop_model::PortForward;
use devloop_model::Vars;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinSet;

pub use self::modes::ForwardModes;
pub use self::modes::UnknownMode;

use self::backing::Backing;
use self::backing::backing;
use self::listener::Forward;
use self::wanted::Wanted;
use crate::Live;
use crate::family::Family;
use crate::objects::Objects;
use crate::objects::Scope;
use crate::watched::Known;
use crate::watched::Seen;

/// Which ports are forwarded.
#[derive(Debug, Clone)]
pub struct ForwardSpec {
    /// Where they come from.
    pub modes: ForwardModes,
    /// The local ports that the debuggers of artifacts have, where they are free: those that editors were told.
    pub debuggers: BTreeMap<String, u16>,
    /// The entries of `portForward`.
    pub entries: Vec<PortForward>,
    /// The session's namespace, of entries that name none.
    pub namespace: Namespace,
    /// What templates in entries see.
    pub vars: Vars,
    /// Whether a port is asked for a page, to say where there is one: a program under a debugger would stop for that.
    pub asks: bool,
}

impl ForwardSpec {
    /// Returns the entries that are forwarded: first those that chose their local port, which no other one may take.
    fn entries(&self) -> Vec<&PortForward> {
        let mut entries: Vec<&PortForward> = self.entries.iter().filter(|_| self.modes.user).collect();
        entries.sort_by_key(|entry| !entry.chooses_local_port());
        entries
    }
}

/// What a listener became.
type Bound = std::io::Result<TcpListener>;

/// What is being forwarded now.
pub(crate) struct Forwards<'a> {
    spec: ForwardSpec,
    cluster: &'a Cluster,
    cx: &'a Cx,
    /// The listeners of the entries, until their resources are known.
    bound: Vec<(PortForward, Bound)>,
    live: Arc<Live>,
    running: BTreeMap<ForwardSource, Running>,
    tasks: JoinSet<ForwardSource>,
    /// Why the API server does not answer.
    down: Option<String>,
}

/// One forward.
struct Running {
    wanted: Wanted,
    /// What its task hears of; none where nothing listens.
    backing: Option<watch::Sender<Backing>>,
    /// Whether a mode found it, so that it ends when the release has it no more.
    is_automatic: bool,
}

impl<'a> Forwards<'a> {
    /// Returns forwards whose local ports listen: connections wait until something is live.
    pub(crate) async fn open(spec: &ForwardSpec, cluster: &'a Cluster, cx: &'a Cx) -> Self {
        let mut bound = Vec::new();
        for entry in spec.entries() {
            bound.push((entry.clone(), local_port::listen(&entry.address, entry.local_port).await));
        }
        let spec = spec.clone();
        Self { spec, cluster, cx, bound, live: Arc::default(), running: BTreeMap::new(), tasks: JoinSet::new(), down: None }
    }

    /// Takes in another configuration; forwards that both have in common stay as they are. Returns what has to be watched.
    pub(crate) async fn respec(&mut self, spec: &ForwardSpec) -> Vec<Scope> {
        self.spec = spec.clone();
        let wanted: Vec<Wanted> = spec.entries().into_iter().filter_map(|entry| self.wanted(entry)).collect();
        let leaves = |running: &Running| !running.is_automatic && !wanted.contains(&running.wanted);
        let yields = |running: &Running| running.is_automatic && wanted.iter().any(|wanted| wanted.source == running.wanted.source);
        let gone = self.running.iter().filter(|(_, running)| leaves(running) || yields(running)).map(|(source, _)| source.clone());
        for source in gone.collect::<Vec<_>>() {
            self.stop(&source).await;
        }
        for wanted in wanted {
            if !self.running.contains_key(&wanted.source) {
                let bound = local_port::listen(&wanted.address, wanted.local_port).await;
                self.start(wanted, bound, false);
            }
        }
        self.scopes()
    }

    /// Ends a forward, and returns when its local port is free.
    async fn stop(&mut self, source: &ForwardSource) {
        let listens = self.running.remove(source).is_some_and(|running| running.backing.is_some());
        while listens && let Some(ended) = self.tasks.join_next().await {
            if ended_source(ended).as_ref() == Some(source) {
                return;
            }
        }
    }

    /// Returns what an entry asks for; one that cannot be read is told.
    fn wanted(&self, entry: &PortForward) -> Option<Wanted> {
        match Wanted::of_entry(entry, &self.spec, &self.live) {
            Ok(wanted) => Some(wanted),
            Err(error) => {
                self.cx.warn(Diagnostic::warning("attach/template", "a port cannot be forwarded").because(error.to_string()));
                None
            }
        }
    }

    /// Takes in a new release; returns what has to be watched for it.
    pub(crate) fn release(&mut self, live: &Arc<Live>) -> Vec<Scope> {
        self.live = Arc::clone(live);
        for (entry, bound) in std::mem::take(&mut self.bound) {
            match self.wanted(&entry) {
                Some(wanted) if self.running.contains_key(&wanted.source) => self.cx.warn(
                    Diagnostic::warning("attach/forwarded-twice", format!("{} is forwarded only once", wanted.source))
                        .help("remove one of its entries of `portForward`"),
                ),
                Some(wanted) => self.start(wanted, bound, false),
                None => {}
            }
        }
        self.scopes()
    }

    /// Returns what has to be watched.
    fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = self.running.values().flat_map(|running| running.wanted.scopes()).collect();
        for namespace in self.live.namespaces() {
            if self.spec.modes.services {
                scopes.extend(["Service", "Pod"].map(|kind| Scope::new(namespace, kind)));
            }
            if self.spec.modes.pods || self.spec.modes.debug {
                scopes.extend(["ReplicaSet", "Job", "Pod"].map(|kind| Scope::new(namespace, kind)));
            }
        }
        scopes
    }

    /// Takes in whether the API server answers.
    pub(crate) fn health(&mut self, seen: Seen) {
        self.down = match seen {
            Seen::Down(why) => Some(why),
            Seen::Up => None,
            Seen::Changed(_) => return,
        };
    }

    /// Brings every forward up to date with what is watched.
    pub(crate) async fn update(&mut self, family: &Family, known: &Known) {
        let objects = &known.objects;
        let found = self.found(family, objects);
        for wanted in &found {
            if !self.running.values().any(|running| running.wanted.is_same(wanted, objects)) {
                let bound = local_port::listen(&wanted.address, wanted.local_port).await;
                self.start(wanted.clone(), bound, true);
            }
        }
        let live = &self.live;
        self.running
            .retain(|source, running| !running.is_automatic || found.iter().any(|one| one.source == *source) || lasts(source, live));
        for running in self.running.values() {
            let now = match &self.down {
                Some(why) => Backing::Waiting { why: why.clone(), coming: true },
                None if !known.is_complete(&running.wanted.source.namespace) => continue,
                None => backing(&running.wanted, objects),
            };
            if let Some(sender) = &running.backing {
                sender.send_if_modified(|known| {
                    let changed = *known != now;
                    *known = now;
                    changed
                });
            }
        }
    }

    /// Returns what the modes find; first come the ports that the user most likely means.
    fn found(&self, family: &Family, objects: &Objects) -> Vec<Wanted> {
        let modes = &self.spec.modes;
        let mut found = Vec::new();
        if modes.services {
            found.extend(wanted::of_services(&self.live, objects));
        }
        if modes.debug {
            found.extend(wanted::of_debuggers(&self.live, family, objects, &self.spec.debuggers));
        }
        if modes.pods {
            found.extend(wanted::of_pods(&self.live, family, objects));
        }
        found
    }

    fn start(&mut self, wanted: Wanted, bound: Bound, is_automatic: bool) {
        let backing = match bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener))) {
            Ok((local_port, listener)) => {
                let (sender, receiver) = watch::channel(Backing::Unknown);
                let forward = Forward::new(&wanted, local_port, self.spec.asks, self.cluster, self.cx);
                let source = wanted.source.clone();
                self.tasks.spawn(async move {
                    forward.run(listener, receiver).await;
                    source
                });
                Some(sender)
            }
            Err(error) => {
                let why = format!("no local port can be opened at {}: {error}", wanted.address);
                self.cx.emit(EventKind::PortForwarded {
                    source: wanted.source.clone(),
                    address: wanted.address.clone(),
                    local_port: wanted.local_port.unwrap_or_default(),
                    remote_port: None,
                    state: ForwardState::Failed { why },
                });
                None
            }
        };
        self.running.insert(wanted.source.clone(), Running { wanted, backing, is_automatic });
    }

    /// Closes every local port, and says so.
    pub(crate) async fn close(mut self) {
        self.running.clear();
        while let Some(ended) = self.tasks.join_next().await {
            ended_source(ended);
        }
    }
}

/// Returns whose task ended; a panic in it goes on.
fn ended_source(ended: Result<ForwardSource, JoinError>) -> Option<ForwardSource> {
    match ended {
        Ok(source) => Some(source),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// Returns whether what a mode found still belongs to the release, although no pod or port of it is there now.
fn lasts(source: &ForwardSource, live: &Live) -> bool {
    let is_it = |key: &devloop_model::ObjectKey| {
        key.kind.to_lowercase() == source.kind && key.name == source.name && key.namespace.as_ref() == Some(&source.namespace)
    };
    live.release.objects.iter().any(|object| is_it(&object.key))
}
