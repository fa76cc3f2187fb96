//! Watching: one stream per kind and namespace that survives restarts of the connection and of the API server.

use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Namespace;
use futures::Stream;
use futures::StreamExt as _;
use kube::api::Api;
use kube::core::ApiResource;
use kube::core::DynamicObject;
use kube::core::TypeMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use serde_json::Value;

use super::Cluster;
use super::KubeError;
use super::ResolvedKind;
use super::Selection;
use super::cluster::Call;

/// How long a watch may fail in a row before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a watch says.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchEvent {
    /// All objects are about to be listed (at the start, and again when the server forgot where we were): what is not
    /// `Applied` before the next `Listed` is gone.
    Listing,
    /// An object is there, in this state.
    Applied(Value),
    /// The list is complete.
    Listed,
    /// An object is gone; this was its last state.
    Deleted(Value),
}

impl Cluster {
    /// Returns what happens to the selected objects, starting with those that are there; the stream ends when the step is
    /// cancelled, and after its first error. Broken connections are taken up again by themselves; bookmarks keep that cheap.
    pub fn watch(&self, selection: &Selection, cx: &Cx) -> impl Stream<Item = Result<WatchEvent, KubeError>> + Send + use<> {
        let resource = ApiResource {
            group: selection.kind.group.clone(),
            version: selection.kind.version.clone(),
            api_version: selection.kind.api_version(),
            kind: selection.kind.kind.clone(),
            plural: selection.kind.plural.clone(),
        };
        let client = self.client().clone();
        let api: Api<DynamicObject> = match selection.namespace.as_ref().filter(|_| selection.kind.namespaced) {
            Some(namespace) => Api::namespaced_with(client, Namespace::as_str(namespace), &resource),
            None => Api::all_with(client, &resource),
        };
        let config = watcher::Config {
            label_selector: selection.labels.clone(),
            field_selector: selection.fields.clone(),
            ..watcher::Config::default()
        };
        let mut failing = Failing {
            cluster: self.clone(),
            call: Call::get(String::new(), format!("watch {}", selection.describe())).about(&selection.kind),
            since: None,
        };
        watcher::watcher(api, config)
            .default_backoff()
            .filter_map(move |event| futures::future::ready(failing.judge(event)))
            .take_until(cx.cancel.clone().cancelled_owned())
            .scan(false, |ended, item| {
                let item = (!*ended).then_some(item);
                *ended = matches!(item, Some(Err(_)));
                futures::future::ready(item)
            })
            .boxed()
    }
}

/// Tells passing failures from lasting ones.
struct Failing {
    cluster: Cluster,
    call: Call,
    since: Option<tokio::time::Instant>,
}

impl Failing {
    fn judge(&mut self, event: watcher::Result<watcher::Event<DynamicObject>>) -> Option<Result<WatchEvent, KubeError>> {
        match event {
            Ok(event) => {
                self.since = None;
                Some(Ok(translated(event, self.call.kind.as_ref())))
            }
            Err(error) => {
                let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
                let error = self.translated(error)?;
                let lasting = matches!(
                    error,
                    KubeError::Forbidden { .. } | KubeError::Unauthorized { .. } | KubeError::UnknownKind { .. } | KubeError::Login { .. }
                );
                tracing::debug!(action = self.call.action, %error, "watch interrupted");
                (lasting || since.elapsed() > PATIENCE).then_some(Err(error))
            }
        }
    }

    fn translated(&self, error: watcher::Error) -> Option<KubeError> {
        Some(match error {
            watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
                self.cluster.error(error, &self.call)
            }
            watcher::Error::WatchError(status) => self.cluster.error(kube::Error::Api(status), &self.call),
            watcher::Error::NoResourceVersion => return None,
        })
    }
}

fn translated(event: watcher::Event<DynamicObject>, kind: Option<&ResolvedKind>) -> WatchEvent {
    match event {
        watcher::Event::Init => WatchEvent::Listing,
        watcher::Event::InitDone => WatchEvent::Listed,
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => WatchEvent::Applied(value(object, kind)),
        watcher::Event::Delete(object) => WatchEvent::Deleted(value(object, kind)),
    }
}

/// Returns the object as JSON, with its kind, which the items of a list leave out, and without `managedFields`, which
/// nobody that watches reads.
fn value(mut object: DynamicObject, kind: Option<&ResolvedKind>) -> Value {
    object.metadata.managed_fields = None;
    if object.types.is_none() {
        object.types = kind.map(|kind| TypeMeta { api_version: kind.api_version(), kind: kind.kind.clone() });
    }
    serde_json::to_value(&object).expect("an object that was read from JSON is JSON")
}
