//! Deleting, and waiting until something is gone or there.

use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use futures::StreamExt as _;
use serde_json::Value;
use serde_json::json;

use super::Cluster;
use super::KubeError;
use super::Selection;
use super::WatchEvent;
use super::apply::bytes;
use super::cluster::Call;
use super::kinds::built_in_kind;
use super::read::describe;

/// What happens to the objects that a deleted object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What happens to what it owns.
    pub propagation: Propagation,
    /// How long its pods have to end; none is what they ask for themselves.
    pub grace: Option<Duration>,
    /// Only the object with this UID.
    pub uid: Option<String>,
    /// Whether nothing is deleted.
    pub dry_run: bool,
}

impl DeleteOptions {
    fn body(&self) -> Value {
        let propagation = match self.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        if let Some(grace) = self.grace {
            body["gracePeriodSeconds"] = grace.as_secs().into();
        }
        if let Some(uid) = &self.uid {
            body["preconditions"] = json!({"uid": uid});
        }
        if self.dry_run {
            body["dryRun"] = json!(["All"]);
        }
        body
    }
}

impl Cluster {
    /// Returns whether the object was there; it may take time to go: see [`Cluster::wait_gone`].
    ///
    /// # Errors
    /// [`KubeError::Conflict`] when another object has that name now; or when the cluster forbids it or does not answer.
    pub async fn delete(&self, api_version: &str, key: &ObjectKey, options: &DeleteOptions, cx: &Cx) -> Result<bool, KubeError> {
        let (kind, namespace) = self.place(api_version, key, cx).await?;
        let action = format!("delete {}", describe(key, namespace));
        let uri = kind.path(namespace, Some(&key.name));
        let call = Call::with_body(http::Method::DELETE, uri, "application/json", bytes(&options.body()), action).about(&kind);
        match self.call(call, cx).await {
            Ok(_) => Ok(true),
            Err(KubeError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until the object (with this UID, if one is given) is gone.
    ///
    /// # Errors
    /// [`KubeError::TimedOut`] after `limit`, or when it cannot be watched.
    pub async fn wait_gone(
        &self,
        api_version: &str,
        key: &ObjectKey,
        uid: Option<&str>,
        limit: Duration,
        cx: &Cx,
    ) -> Result<(), KubeError> {
        let (kind, namespace) = self.place(api_version, key, cx).await?;
        let namespace = namespace.map(str::to_owned);
        let selection = Selection::of(kind, namespace.clone().map(Namespace)).fields(format!("metadata.name={}", key.name));
        let is_it = |object: &Value| uid.is_none_or(|uid| object["metadata"]["uid"] == uid);
        let gone = self.watch_until(&selection, cx, |event, there: &mut bool| match event {
            WatchEvent::Listing => {
                *there = false;
                false
            }
            WatchEvent::Applied(object) => {
                *there |= is_it(object);
                false
            }
            WatchEvent::Listed => !*there,
            WatchEvent::Deleted(object) => is_it(object),
        });
        let late = || KubeError::TimedOut { action: format!("the deletion of {}", describe(key, namespace.as_deref())), limit };
        tokio::time::timeout(limit, gone).await.map_err(|_| late())?
    }

    /// Waits until the API server serves the kinds of this CRD.
    ///
    /// # Errors
    /// [`KubeError::TimedOut`] after `limit`, or when it cannot be watched.
    pub async fn wait_established(&self, crd: &str, limit: Duration, cx: &Cx) -> Result<(), KubeError> {
        let kind = built_in_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition").expect("CRDs are in the table");
        let selection = Selection::of(kind, None).fields(format!("metadata.name={crd}"));
        let established = self.watch_until(&selection, cx, |event, (): &mut ()| {
            let WatchEvent::Applied(object) = event else { return false };
            let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True")
        });
        let late = || KubeError::TimedOut { action: format!("the establishment of customresourcedefinition/{crd}"), limit };
        tokio::time::timeout(limit, established).await.map_err(|_| late())??;
        self.forget_kinds();
        Ok(())
    }

    async fn watch_until<S: Default>(
        &self,
        selection: &Selection,
        cx: &Cx,
        mut done: impl FnMut(&WatchEvent, &mut S) -> bool,
    ) -> Result<(), KubeError> {
        let mut events = self.watch(selection, cx);
        let mut state = S::default();
        while let Some(event) = events.next().await {
            if done(&event?, &mut state) {
                return Ok(());
            }
        }
        Err(KubeError::Cancelled)
    }
}
