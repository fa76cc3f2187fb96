//! Writing: server-side apply, and what tells a write from none.

use std::borrow::Cow;

use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::ObjectKey;
use serde_json::Value;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;
use super::differences::differences;
use super::read::describe;
use super::take_over;
use super::unknown_field;

/// The name under which our fields are kept.
pub const FIELD_MANAGER: &str = "devloop";
/// How often an apply that lost a race is tried again.
const RACES: u32 = 5;

/// What the API server does with fields that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// The object is refused.
    #[default]
    Strict,
    /// They are dropped.
    Ignore,
}

/// How an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether fields that another manager owns are taken from it.
    pub force: bool,
    /// Whether nothing is stored.
    pub dry_run: bool,
    /// What happens to unknown fields.
    pub validation: Validation,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { force: true, dry_run: false, validation: Validation::Strict }
    }
}

/// An object after it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The object as the cluster has it now.
    pub object: Value,
    /// Created, configured or unchanged.
    pub change: Change,
    /// The paths of the fields that are different from before.
    pub fields: Vec<String>,
}

impl Cluster {
    /// Returns the object after a server-side apply, with what that changed.
    ///
    /// # Errors
    /// When the API server rejects it, forbids it, does not know its kind or does not answer.
    pub async fn apply(&self, object: &Value, options: ApplyOptions, cx: &Cx) -> Result<Applied, KubeError> {
        let (api_version, key) = identity(object);
        let live = self.get(&api_version, &key, cx).await?;
        self.apply_over(object, live, options, cx).await
    }

    /// Returns the object after a server-side apply over `live`, its state that was read just before; spares the caller
    /// that has read it a second read.
    ///
    /// Fields that an earlier `kubectl apply` put there become ours first, so that those that have left the manifest are
    /// removed, as that `kubectl apply` would have done (client-go's `csaupgrade` has the rules).
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub async fn apply_over(&self, object: &Value, live: Option<Value>, options: ApplyOptions, cx: &Cx) -> Result<Applied, KubeError> {
        let (api_version, key) = identity(object);
        let before = match live {
            Some(live) if take_over::is_needed(&live) && !options.dry_run => self.take_over(&api_version, &key, live, cx).await?,
            live => live,
        };
        let after = self.patch(&api_version, &key, object, options, cx).await?;
        let Some(before) = before else { return Ok(Applied { object: after, change: Change::Created, fields: Vec::new() }) };
        let fields = differences(&before, &after);
        let change = if fields.is_empty() { Change::Unchanged } else { Change::Configured };
        Ok(Applied { object: after, change, fields })
    }

    async fn patch(&self, api_version: &str, key: &ObjectKey, object: &Value, options: ApplyOptions, cx: &Cx) -> Result<Value, KubeError> {
        let (kind, namespace) = self.place(api_version, key, cx).await?;
        let validation = match options.validation {
            Validation::Strict => "Strict",
            Validation::Ignore => "Ignore",
        };
        let dry_run = if options.dry_run { "&dryRun=All" } else { "" };
        let path = kind.path(namespace, Some(&key.name));
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}&force={}&fieldValidation={validation}{dry_run}", options.force);
        let mut object = Cow::Borrowed(object);
        loop {
            let action = format!("patch {}", describe(key, namespace));
            let call =
                Call::with_body(http::Method::PATCH, uri.clone(), "application/apply-patch+yaml", bytes(&object), action).about(&kind);
            match self.call(call, cx).await {
                // Each round takes out at least one field, so that there is a last one.
                Err(KubeError::Rejected { message, .. })
                    if options.validation == Validation::Ignore && unknown_field::remove(object.to_mut(), &message) => {}
                answer => return answer,
            }
        }
    }

    /// Makes the fields of an earlier `kubectl apply` ours and returns the object as it was before that, so that a removed
    /// annotation counts as a change.
    async fn take_over(&self, api_version: &str, key: &ObjectKey, live: Value, cx: &Cx) -> Result<Option<Value>, KubeError> {
        let (kind, namespace) = self.place(api_version, key, cx).await?;
        let before = live.clone();
        let mut live = live;
        for _ in 0..RACES {
            let patch = take_over::patch(&live);
            let uri = format!("{}?fieldManager={FIELD_MANAGER}", kind.path(namespace, Some(&key.name)));
            let action = format!("patch {}", describe(key, namespace));
            let call = Call::with_body(http::Method::PATCH, uri, "application/json-patch+json", bytes(&patch), action).about(&kind);
            match self.call(call, cx).await {
                Ok(_) => return Ok(Some(before)),
                Err(KubeError::NotFound { .. }) => return Ok(None),
                Err(KubeError::Conflict { .. }) => match self.get(api_version, key, cx).await? {
                    Some(newer) if take_over::is_needed(&newer) => live = newer,
                    newer => return Ok(newer),
                },
                Err(error) => return Err(error),
            }
        }
        Err(KubeError::Conflict { what: describe(key, namespace), message: "its fields changed while they were taken over".to_owned() })
    }
}

pub(super) fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value can be written")
}

fn identity(object: &Value) -> (String, ObjectKey) {
    (object["apiVersion"].as_str().unwrap_or_default().to_owned(), ObjectKey::of(object))
}
