//! The watches that logs and forwards share: one per kind and namespace, over every outage.

mod health;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::Severity;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use futures::stream::SelectAll;
use serde_json::Value;

use self::health::Health;
use crate::AttachError;
use crate::objects::Change;
use crate::objects::Objects;
use crate::objects::Scope;
use crate::objects::name;

/// After what time a watch that was allowed before and is refused now is tried again: an API server that has just started
/// knows no roles yet.
const SHORT_REFUSAL: Duration = Duration::from_secs(5);
/// After what time another refused watch is tried again: somebody may have got the right meanwhile.
const LONG_REFUSAL: Duration = Duration::from_mins(1);
/// How many events are taken in at most before somebody looks at them.
const MOST_AT_ONCE: usize = 1000;

/// What the watches saw.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Objects changed, or a list is complete.
    Changed(Vec<Change>),
    /// The API server does not answer, and why.
    Down(String),
    /// It answers again.
    Up,
}

type Item = (Scope, Result<WatchEvent, KubeError>);

/// The objects of some kinds and namespaces, kept true.
pub(crate) struct Watched<'a> {
    cluster: &'a Cluster,
    cx: &'a Cx,
    streams: SelectAll<BoxStream<'static, Item>>,
    known: Known,
    /// What the list that is on its way has named so far.
    listing: HashMap<Scope, BTreeSet<String>>,
    health: Health,
}

/// What the watches know by now.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The objects.
    pub(crate) objects: Objects,
    wanted: BTreeSet<Scope>,
    listed: BTreeSet<Scope>,
    refused: BTreeSet<Scope>,
}

impl Known {
    /// Returns whether everything that is wanted of a namespace is known.
    pub(crate) fn is_complete(&self, namespace: &Namespace) -> bool {
        let mut wanted = self.wanted.iter().filter(|scope| scope.namespace == *namespace);
        wanted.all(|scope| self.listed.contains(scope) || self.refused.contains(scope))
    }

    /// Returns whether no pods were ever seen, nor may be.
    fn is_hopeless(&self) -> bool {
        let mut pods = self.wanted.iter().filter(|scope| scope.kind == "Pod");
        pods.all(|scope| self.refused.contains(scope) && !self.listed.contains(scope))
    }
}

impl<'a> Watched<'a> {
    /// Returns watches of nothing yet.
    pub(crate) fn new(cluster: &'a Cluster, cx: &'a Cx) -> Self {
        Self { cluster, cx, streams: SelectAll::new(), known: Known::default(), listing: HashMap::new(), health: Health::new(cluster, cx) }
    }

    /// Watches these as well.
    pub(crate) fn want(&mut self, scopes: impl IntoIterator<Item = Scope>) {
        for scope in scopes {
            if self.known.wanted.insert(scope.clone()) {
                self.start(scope, Duration::ZERO);
            }
        }
    }

    fn start(&mut self, scope: Scope, after: Duration) {
        let version = match scope.kind {
            "Pod" | "Service" | "ReplicationController" => "v1",
            "Job" | "CronJob" => "batch/v1",
            _ => "apps/v1",
        };
        let kind = built_in_kind(version, scope.kind).expect("it is in the table");
        let stream = self.cluster.watch_on(&Selection::of(kind, Some(scope.namespace.clone())), self.cx);
        let later = futures::stream::once(tokio::time::sleep(after)).flat_map(move |()| Box::pin(futures::stream::empty()));
        self.streams.push(later.chain(stream).map(move |event| (scope.clone(), event)).boxed());
    }

    /// Returns what is known by now.
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// Returns what happens next.
    ///
    /// # Errors
    /// When no pods can be watched at all.
    pub(crate) async fn next(&mut self) -> Result<Seen, AttachError> {
        loop {
            let item = tokio::select! {
                seen = self.health.next() => return Ok(seen),
                Some(item) = self.streams.next() => item,
                else => std::future::pending().await,
            };
            let mut changes = Vec::new();
            let mut news = self.take(item, &mut changes)?;
            // Many changes at once are looked at once.
            while changes.len() < MOST_AT_ONCE
                && let Some(Some(item)) = self.streams.next().now_or_never()
            {
                news |= self.take(item, &mut changes)?;
            }
            if news {
                return Ok(Seen::Changed(changes));
            }
        }
    }

    /// Takes in an event; returns whether somebody has to know.
    fn take(&mut self, (scope, event): Item, changes: &mut Vec<Change>) -> Result<bool, AttachError> {
        match event {
            Ok(WatchEvent::Listing) => drop(self.listing.insert(scope, BTreeSet::new())),
            Ok(WatchEvent::Applied(object)) => {
                if let Some(named) = self.listing.get_mut(&scope) {
                    named.insert(name(&object).to_owned());
                }
                let object = Arc::new(if matches!(scope.kind, "Pod" | "Service") { object } else { named_and_owned(&object) });
                self.known.objects.set(&scope, &object);
                changes.push(Change::There(object));
            }
            Ok(WatchEvent::Deleted(object)) => self.forget(&scope, Arc::new(object), changes),
            Ok(WatchEvent::Listed) => {
                let named = self.listing.remove(&scope).unwrap_or_default();
                let gone = self.known.objects.all(&scope.namespace, scope.kind).filter(|object| !named.contains(name(object)));
                for object in gone.cloned().collect::<Vec<_>>() {
                    self.forget(&scope, object, changes);
                }
                self.known.refused.remove(&scope);
                return Ok(self.known.listed.insert(scope) || !changes.is_empty());
            }
            Err(KubeError::Cancelled) => {}
            Err(error) if error.is_lasting() => return self.refuse(scope, error).map(|()| true),
            Err(error) => {
                tracing::debug!(kind = scope.kind, %error, "watch interrupted");
                self.health.doubt();
            }
        }
        Ok(!changes.is_empty())
    }

    fn forget(&mut self, scope: &Scope, object: Arc<Value>, changes: &mut Vec<Change>) {
        self.known.objects.remove(scope, &object);
        changes.push(Change::Gone(object));
    }

    /// Notes that a watch ended, and tries it again later.
    fn refuse(&mut self, scope: Scope, error: KubeError) -> Result<(), AttachError> {
        tracing::debug!(kind = scope.kind, %error, "watch refused");
        let pause = if self.known.listed.contains(&scope) && !self.known.refused.contains(&scope) { SHORT_REFUSAL } else { LONG_REFUSAL };
        let is_new = self.known.refused.insert(scope.clone());
        if scope.kind == "Pod" && self.known.is_hopeless() {
            return Err(AttachError::Watch(error));
        }
        // Replica sets and jobs only tell whose a pod is; without them, images still do.
        if is_new && matches!(scope.kind, "Pod" | "Service") {
            let warning = AttachError::Watch(error).diagnostic();
            self.cx.warn(Diagnostic { severity: Severity::Warning, ..warning });
        }
        self.start(scope, pause);
        Ok(())
    }
}

/// Returns what is read of an object that owns pods: its names and its own owner.
fn named_and_owned(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let fields = ["name", "namespace", "uid", "ownerReferences"].map(|field| (field.to_owned(), metadata[field].clone()));
    serde_json::json!({"kind": object["kind"], "metadata": serde_json::Map::from_iter(fields)})
}
