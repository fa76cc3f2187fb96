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
use kube::runtime::utils::Backoff;
use kube::runtime::watcher;
use serde_json::Value;

use super::Cluster;
use super::KubeError;
use super::ResolvedKind;
use super::Selection;
use super::cluster::Call;

/// How long a watch may fail in a row before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long one request of a watch that goes on lasts: a dead connection is noticed then.
const SHORT_WATCH: Duration = Duration::from_mins(1);
/// The first pause of a watch that goes on; it doubles with each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
        let mut failing = Failing::new(self, selection);
        watcher::watcher(self.api(selection), config(selection))
            .default_backoff()
            .filter_map(move |event| futures::future::ready(failing.judge(event)))
            .take_until(cx.cancel.clone().cancelled_owned())
            .scan(false, ends_with(Result::is_err))
            .boxed()
    }

    /// Returns what happens to the selected objects as [`Self::watch`] does, for as long as the step lasts: each failure is
    /// told, and the watch goes on where it was as soon as the API server answers again. Only what waiting does not mend
    /// ([`KubeError::is_lasting`]) ends it.
    pub fn watch_on(&self, selection: &Selection, cx: &Cx) -> impl Stream<Item = Result<WatchEvent, KubeError>> + Send + use<> {
        let failing = Failing::new(self, selection);
        let config = config(selection).timeout(SHORT_WATCH.as_secs() as u32);
        watcher::watcher(self.api(selection), config)
            .backoff(Pause::default())
            .filter_map(move |event| futures::future::ready(failing.told(event)))
            .take_until(cx.cancel.clone().cancelled_owned())
            .scan(false, ends_with(|item: &Result<_, KubeError>| item.as_ref().is_err_and(KubeError::is_lasting)))
            .boxed()
    }

    fn api(&self, selection: &Selection) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: selection.kind.group.clone(),
            version: selection.kind.version.clone(),
            api_version: selection.kind.api_version(),
            kind: selection.kind.kind.clone(),
            plural: selection.kind.plural.clone(),
        };
        let client = self.client().clone();
        match selection.namespace.as_ref().filter(|_| selection.kind.namespaced) {
            Some(namespace) => Api::namespaced_with(client, Namespace::as_str(namespace), &resource),
            None => Api::all_with(client, &resource),
        }
    }
}

fn config(selection: &Selection) -> watcher::Config {
    watcher::Config { label_selector: selection.labels.clone(), field_selector: selection.fields.clone(), ..watcher::Config::default() }
}

/// Returns what ends a stream after the first item that `is_last`.
fn ends_with<T>(is_last: impl Fn(&T) -> bool) -> impl FnMut(&mut bool, T) -> futures::future::Ready<Option<T>> {
    move |ended, item| {
        let item = (!*ended).then_some(item);
        *ended = item.as_ref().is_some_and(&is_last);
        futures::future::ready(item)
    }
}

/// The pauses of a watch that goes on: short, for somebody waits for what comes next.
#[derive(Debug)]
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let next = self.0;
        self.0 = (next * 2).min(LONGEST_PAUSE);
        Some(next)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }
}

/// Tells passing failures from lasting ones.
struct Failing {
    cluster: Cluster,
    call: Call,
    since: Option<tokio::time::Instant>,
}

impl Failing {
    fn new(cluster: &Cluster, selection: &Selection) -> Self {
        let call = Call::get(String::new(), format!("watch {}", selection.describe())).about(&selection.kind);
        Self { cluster: cluster.clone(), call, since: None }
    }

    /// Returns every event, and every failure but those that are part of a watch's life.
    fn told(&self, event: watcher::Result<watcher::Event<DynamicObject>>) -> Option<Result<WatchEvent, KubeError>> {
        match event {
            Ok(event) => Some(Ok(translated(event, self.call.kind.as_ref()))),
            // The server forgot where we were: all objects are listed anew.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => None,
            Err(error) => self.translated(error).map(Err),
        }
    }

    fn judge(&mut self, event: watcher::Result<watcher::Event<DynamicObject>>) -> Option<Result<WatchEvent, KubeError>> {
        match event {
            Ok(event) => {
                self.since = None;
                Some(Ok(translated(event, self.call.kind.as_ref())))
            }
            Err(error) => {
                let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
                let error = self.translated(error)?;
                tracing::debug!(action = self.call.action, %error, "watch interrupted");
                (error.is_lasting() || since.elapsed() > PATIENCE).then_some(Err(error))
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
