//! One pod from its start to its end.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use devloop_clients::exec::ExecTarget;
use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_model::Artifact;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::KanikoBuild;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use futures::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::arguments::CONTEXT;
use super::context::Sent;
use super::log::Log;
use super::pod::INIT_CONTAINER;
use super::pod::TEMPORARY;
use super::state::Failure;
use super::state::State;
use super::upload::InContainer;
use super::upload::Upload;
use crate::BuildError;
use crate::inputs::blocking;

/// How long the rest of a log may take once kaniko ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a pod is run with.
pub(super) struct Run<'a> {
    pub(super) spec: &'a KanikoBuild,
    /// How long it may take in all.
    pub(super) timeout: Duration,
    pub(super) artifact: &'a Artifact,
    pub(super) namespace: &'a Namespace,
    pub(super) name: &'a str,
    pub(super) cluster: &'a Cluster,
    pub(super) cx: &'a Cx,
}

/// Deletes a pod, at once; one that is not there is no matter.
pub(super) async fn remove(name: &str, namespace: &Namespace, cluster: &Cluster, cx: &Cx) {
    let options = DeleteOptions { grace: Some(Duration::ZERO), ..DeleteOptions::default() };
    if let Err(error) = cluster.delete("v1", &key(name, namespace), &options, cx).await {
        tracing::debug!(%error, "pod not deleted");
    }
}

fn key(name: &str, namespace: &Namespace) -> ObjectKey {
    ObjectKey { group: String::new(), kind: "Pod".to_owned(), namespace: Some(namespace.clone()), name: name.to_owned() }
}

impl Run<'_> {
    /// Makes the pod, gives it the context, and returns the digest that it left, if it did.
    pub(super) async fn to_its_end(&self, pod: &Value, sent: Sent) -> Result<Option<Digest>, BuildError> {
        // While the pod starts, the context is packed.
        let packing = tokio::task::spawn(blocking(move || sent.pack()));
        self.cluster.apply_over(pod, None, ApplyOptions::default(), self.cx).await?;
        let log = Log {
            cluster: self.cluster,
            namespace: self.namespace,
            pod: self.name,
            cx: self.cx,
            ended: CancellationToken::new(),
            last: Mutex::new(VecDeque::new()),
        };
        let mut waiting = None;
        let following = Box::pin(self.watched(packing, &log, &mut waiting));
        match tokio::time::timeout(self.timeout, following).await {
            Ok(built) => built,
            Err(_) => Err(self.late(waiting, &log)),
        }
    }

    async fn watched(
        &self,
        packing: tokio::task::JoinHandle<Result<tempfile::NamedTempFile, BuildError>>,
        log: &Log<'_>,
        waiting: &mut Option<String>,
    ) -> Result<Option<Digest>, BuildError> {
        let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
        let selection = Selection::of(kind, Some(self.namespace.clone())).fields(format!("metadata.name={}", self.name));
        let mut events = self.cluster.watch(&selection, self.cx);
        let (upload, following) = (self.upload(packing), log.follow());
        tokio::pin!(upload, following);
        let (mut step, mut is_followed, mut is_sent) = (State::Waiting(None), false, false);
        let ended = loop {
            let event = tokio::select! {
                event = events.next() => event.ok_or(Cancelled)??,
                sent = &mut upload, if !is_sent && step == State::Receiving => {
                    is_sent = true;
                    if let Err(error) = sent {
                        self.unless_it_went_on(error).await?;
                    }
                    continue;
                }
                () = &mut following, if !is_followed && step == State::Building => {
                    is_followed = true;
                    continue;
                }
            };
            let now = match event {
                WatchEvent::Applied(pod) => State::of(&pod),
                WatchEvent::Deleted(_) => State::Failed(Failure::Pod("its pod was deleted".to_owned())),
                WatchEvent::Listing | WatchEvent::Listed => continue,
            };
            if let State::Done(_) | State::Failed(_) = now {
                break now;
            }
            if let State::Waiting(Some(why)) = &now
                && waiting.as_ref() != Some(why)
            {
                self.tell_waiting(why);
            }
            *waiting = if let State::Waiting(why) = &now { why.clone() } else { None };
            step = now;
        };
        log.ended.cancel();
        if !is_followed {
            tokio::time::timeout(LAST_WORDS, following).await.ok();
        }
        match ended {
            State::Done(message) => Ok(Digest::parse(&message).ok()),
            State::Failed(failure) => Err(self.failed(&failure, log)),
            state => unreachable!("{state:?} is no end"),
        }
    }

    async fn upload(&self, packing: tokio::task::JoinHandle<Result<tempfile::NamedTempFile, BuildError>>) -> Result<(), BuildError> {
        let packed = packing.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        let container = ContainerRef { namespace: self.namespace.clone(), pod: self.name.to_owned(), container: INIT_CONTAINER.to_owned() };
        let target = ExecTarget::Pod { container: &container, cluster: self.cluster };
        let upload = Upload {
            shell: &InContainer { target, limit: self.spec.copy_timeout, cx: self.cx },
            packed: packed.path(),
            temporary: TEMPORARY,
            directory: CONTEXT,
            attempts: self.spec.copy_attempts,
            cx: self.cx,
        };
        let late = || {
            let what = format!("the build context was not sent to the kaniko pod within {} s", self.spec.copy_timeout.as_secs());
            BuildError::from(Diagnostic::error("build/kaniko-context", what).help("`copyTimeout` of `kaniko` says how long it may take"))
        };
        self.cx.unless_cancelled(tokio::time::timeout(self.spec.copy_timeout, upload.send())).await?.map_err(|_| late())?
    }

    /// The container that takes the context ends with it, which may cut off the word that all is there.
    async fn unless_it_went_on(&self, error: BuildError) -> Result<(), BuildError> {
        let Some(pod) = self.cluster.get("v1", &key(self.name, self.namespace), self.cx).await? else { return Err(error) };
        match State::of(&pod) {
            State::Receiving | State::Failed(_) => Err(error),
            State::Waiting(_) | State::Building | State::Done(_) => Ok(()),
        }
    }

    fn tell_waiting(&self, why: &str) {
        let what = format!("the kaniko pod of `{}` waits for a node", self.artifact.image);
        let help = "look at `nodeSelector`, `tolerations` and `resources` of `build.cluster`, and at the platform that is built for";
        self.cx.warn(Diagnostic::warning("build/kaniko-waiting", what).because(why).help(help));
    }

    fn late(&self, waiting: Option<String>, log: &Log<'_>) -> BuildError {
        let what = format!("the kaniko pod of `{}` did not end within {} s", self.artifact.image, self.timeout.as_secs());
        let fault = waiting.into_iter().fold(Diagnostic::error("build/kaniko-timeout", what), Diagnostic::because);
        with_last_lines(fault, log).help("`build.cluster.timeout` says how long it may take").into()
    }

    fn failed(&self, failure: &Failure, log: &Log<'_>) -> BuildError {
        let (code, what, why) = match failure {
            Failure::Exited(code) => {
                ("build/kaniko", format!("kaniko cannot build `{}`", self.artifact.image), format!("exit code {code}"))
            }
            Failure::Pod(why) => ("build/kaniko-pod", format!("the kaniko pod of `{}` failed", self.artifact.image), why.clone()),
        };
        with_last_lines(Diagnostic::error(code, what).because(why), log).into()
    }
}

fn with_last_lines(fault: Diagnostic, log: &Log<'_>) -> Diagnostic {
    let lines = log.last_lines();
    if lines.is_empty() { fault } else { fault.because(lines.join("\n")) }
}
