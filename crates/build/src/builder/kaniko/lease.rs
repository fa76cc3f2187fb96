//! What a build leaves in the cluster is owned by a lease: a session that crashes does not renew it, and the next build in the
//! namespace deletes it with all that it owns.

use std::convert::Infallible;
use std::time::Duration;

use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::Detail;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_clients::kube::built_in_kind;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::BuildError;

const VERSION: &str = "coordination.k8s.io/v1";
/// The label of all leases of builds.
const LABEL: &str = "devloop.dev/build";
/// How long a lease is good that nobody renews.
const LASTS: Duration = Duration::from_mins(1);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(15);

/// The lease of one build.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    cluster: &'a Cluster,
    object: Value,
    /// An `OwnerReference` to it.
    pub(super) owner: Value,
}

impl<'a> Lease<'a> {
    /// Returns a lease, once those that nobody renews are deleted; none where the cluster does not let us have one.
    ///
    /// # Errors
    /// When the step is cancelled, or the cluster does not answer.
    pub(super) async fn take(name: &str, namespace: &Namespace, cluster: &'a Cluster, cx: &Cx) -> Result<Option<Self>, BuildError> {
        let wanted = wanted(name, namespace);
        match cluster.apply_over(&wanted, None, ApplyOptions::default(), cx).await {
            Ok(applied) => {
                sweep(namespace, renewed_at(&applied.object), cluster, cx).await?;
                let owner = json!({
                    "apiVersion": VERSION,
                    "kind": "Lease",
                    "name": name,
                    "uid": applied.object["metadata"]["uid"],
                });
                Ok(Some(Self { cluster, object: wanted, owner }))
            }
            Err(error @ KubeError::Forbidden { .. }) => {
                tracing::debug!(%error, "no lease: what a crash leaves stays");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Renews it again and again; never returns.
    pub(super) async fn keep(&mut self, cx: &Cx) -> Infallible {
        loop {
            tokio::time::sleep(RENEWED).await;
            self.object["spec"]["renewTime"] = json!(now());
            if let Err(error) = self.cluster.apply_over(&self.object, None, ApplyOptions::default(), cx).await {
                tracing::debug!(%error, "lease not renewed");
            }
        }
    }

    /// Deletes it, and so what it still owns.
    pub(super) async fn end(self, cx: &Cx) {
        if let Err(error) = self.cluster.delete(VERSION, &ObjectKey::of(&self.object), &DeleteOptions::default(), cx).await {
            tracing::debug!(%error, "lease not deleted");
        }
    }
}

fn wanted(name: &str, namespace: &Namespace) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL: "kaniko", "app.kubernetes.io/managed-by": "devloop"},
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LASTS.as_secs(), "renewTime": now()},
    })
}

/// Returns the time as Kubernetes' `MicroTime`.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Deletes the leases of sessions that are gone.
async fn sweep(namespace: &Namespace, now: Option<Timestamp>, cluster: &Cluster, cx: &Cx) -> Result<(), BuildError> {
    let kind = built_in_kind(VERSION, "Lease").expect("leases are in the table");
    let leases = match cluster.list(&Selection::of(kind, Some(namespace.clone())).labels(LABEL), Detail::Full, cx).await {
        Ok(leases) => leases,
        Err(KubeError::Cancelled) => return Err(KubeError::Cancelled.into()),
        Err(error) => {
            tracing::debug!(%error, "leases not listed: what a crash left stays");
            return Ok(());
        }
    };
    for mut lease in leases.into_iter().filter(|lease| is_over(lease, now)) {
        lease["kind"] = "Lease".into();
        lease["apiVersion"] = VERSION.into();
        let uid = lease["metadata"]["uid"].as_str().map(str::to_owned);
        let deleted = cluster.delete(VERSION, &ObjectKey::of(&lease), &DeleteOptions { uid, ..DeleteOptions::default() }, cx).await;
        tracing::debug!(?deleted, lease = %lease["metadata"]["name"], "swept");
    }
    Ok(())
}

/// Returns whether nobody renews a lease any more, `now` by the API server's clock.
fn is_over(lease: &Value, now: Option<Timestamp>) -> bool {
    let (Some(now), Some(renewed)) = (now, renewed_at(lease)) else { return false };
    let lasts = lease["spec"]["leaseDurationSeconds"].as_i64().unwrap_or_default();
    now.as_second() > renewed.as_second() + lasts
}

/// Returns when a lease was renewed, by the clock of the API server, which all sessions share: `renewTime` is by the holder's.
fn renewed_at(lease: &Value) -> Option<Timestamp> {
    let fields = lease["metadata"]["managedFields"].as_array()?;
    fields.iter().filter_map(|fields| fields["time"].as_str()?.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_over_by_the_servers_clock() {
        let now = Some("2026-01-02T03:04:05Z".parse().unwrap());
        let lease = |time: &str| json!({"spec": {"leaseDurationSeconds": 60, "renewTime": "2020-01-01T00:00:00.000000Z"}, "metadata": {"managedFields": [{"time": time}]}});
        for (time, expected) in [
            ("2026-01-02T03:04:04Z", false),
            ("2026-01-02T03:03:05Z", false),
            ("2026-01-02T03:03:04Z", true),
            // It was renewed after ours was made.
            ("2026-01-02T03:05:00Z", false),
            ("no time", false),
        ] {
            assert_eq!(is_over(&lease(time), now), expected, "{time}");
        }
        assert!(!is_over(&lease("2025-01-01T00:00:00Z"), None));
    }

    #[test]
    fn times_are_micro_times() {
        let text = wanted("l", &Namespace("n".to_owned()))["spec"]["renewTime"].as_str().unwrap().to_owned();
        assert_eq!(text.len(), "2026-01-02T03:04:05.000000Z".len(), "{text}");
        text.parse::<Timestamp>().unwrap();
    }
}
