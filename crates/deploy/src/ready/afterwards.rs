//! What becomes of a release after it was waited for: an object that breaks later is told as well.

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::ObjectKey;
use devloop_model::Release;
use futures::StreamExt as _;
use futures::stream::SelectAll;
use serde_json::Value;

use super::ReadyError;
use super::groups;
use super::selection;
use super::workload::ReadyState;
use super::workload::state;

/// What is known of the objects of a release.
#[derive(Debug, Default)]
struct Afterwards {
    objects: BTreeMap<ObjectKey, Standing>,
}

/// What is known of one object.
#[derive(Debug)]
struct Standing {
    built_in: bool,
    ready: bool,
    message: String,
}

impl Afterwards {
    /// Takes in an object as it is now, or that it is gone; returns the fact that tells it where it says something new.
    fn take(&mut self, key: &ObjectKey, object: Option<&Value>) -> Option<EventKind> {
        let standing = self.objects.get_mut(key)?;
        let (ready, message) = match object.map(|object| state(&key.kind, standing.built_in, object, None)) {
            None => (false, "it was deleted".to_owned()),
            Some(ReadyState::Ready) => (true, "ready".to_owned()),
            Some(ReadyState::Pending(why) | ReadyState::Settling(why) | ReadyState::Doubtful(why) | ReadyState::Failed(why)) => {
                (false, why)
            }
        };
        // Why something that is not ready is still not ready was said with more than its status knows.
        let is_new = standing.ready != ready || !ready && !standing.message.is_empty() && standing.message != message;
        (standing.ready, standing.message) = (ready, message.clone());
        is_new.then(|| self.fact(key, ready, message))
    }

    fn fact(&self, key: &ObjectKey, ready: bool, message: String) -> EventKind {
        let of_kind = || self.objects.iter().filter(|(other, _)| other.kind == key.kind && other.group == key.group);
        let pending = of_kind().filter(|(_, standing)| !standing.ready).count();
        EventKind::Readiness { object: key.clone(), ready, message, pending, total: of_kind().count() }
    }
}

/// Tells whenever an object of the release that was waited for is ready no more, or again, until the step is cancelled;
/// `ready` is how the wait for them ended.
///
/// # Errors
/// When the cluster cannot be watched.
pub async fn follow_readiness(release: &Release, ready: bool, cluster: &Cluster, cx: &Cx) -> Result<(), ReadyError> {
    let mut known = Afterwards::default();
    let mut watches = SelectAll::new();
    for (kind, namespace, objects) in groups(release, cluster, cx).await? {
        let built_in = built_in_kind(&kind.api_version(), &kind.kind).is_some();
        known.objects.extend(objects.iter().map(|object| (object.key.clone(), Standing { built_in, ready, message: String::new() })));
        watches.push(cluster.watch_on(&selection(kind, namespace, &objects), cx).boxed());
    }
    while let Some(event) = cx.unless_cancelled(watches.next()).await? {
        let fact = match event {
            Ok(WatchEvent::Applied(object)) => known.take(&ObjectKey::of(&object), Some(&object)),
            Ok(WatchEvent::Deleted(object)) => known.take(&ObjectKey::of(&object), None),
            Err(error) if error.is_lasting() => return Err(error.into()),
            // After any other error the watch goes on by itself.
            Ok(WatchEvent::Listing | WatchEvent::Listed) | Err(_) => None,
        };
        if let Some(fact) = fact {
            cx.emit(fact);
        }
    }
    // Nothing of the release becomes ready: there is nothing to tell.
    cx.cancel.cancelled().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use devloop_model::Namespace;
    use serde_json::json;

    use super::*;

    fn key() -> ObjectKey {
        ObjectKey { group: "apps".into(), kind: "StatefulSet".into(), namespace: Some(Namespace("shop".into())), name: "web".into() }
    }

    fn with(ready: i64) -> Value {
        let status = json!({"observedGeneration": 1, "replicas": 2, "readyReplicas": ready, "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "a"});
        json!({"kind": "StatefulSet", "metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 2}, "status": status})
    }

    fn said(was_ready: bool, objects: &[Option<Value>]) -> Vec<Option<bool>> {
        let standing = Standing { built_in: true, ready: was_ready, message: String::new() };
        let mut known = Afterwards { objects: [(key(), standing)].into() };
        let facts = objects.iter().map(|object| known.take(&key(), object.as_ref()));
        facts.map(|fact| fact.map(|fact| matches!(fact, EventKind::Readiness { ready: true, .. }))).collect()
    }

    #[test]
    fn only_what_changes_is_told() {
        assert_eq!(
            said(true, &[Some(with(2)), Some(with(1)), Some(with(1)), Some(with(0)), Some(with(2)), None]),
            [None, Some(false), None, Some(false), Some(true), Some(false)]
        );
        // Why the wait failed was told by it.
        assert_eq!(said(false, &[Some(with(1)), Some(with(0)), Some(with(2))]), [None, Some(false), Some(true)]);
        assert_eq!(said(false, &[Some(with(2))]), [Some(true)]);
    }

    #[test]
    fn what_is_none_of_the_release_is_not_told() {
        assert_eq!(Afterwards::default().take(&key(), Some(&with(0))), None);
    }
}
