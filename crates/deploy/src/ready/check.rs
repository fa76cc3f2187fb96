//! What is known of a release that becomes ready, and what follows from it; no I/O and no clock of its own.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use devloop_clients::kube::WatchEvent;
use devloop_model::ObjectKey;
use serde_json::Value;
use tokio::time::Instant;

use super::ReadySpec;
use super::fault::Cause;
use super::fault::Fault;
use super::fault::Weight;
use super::note::Notes;
use super::pod::PodView;
use super::pod::Trust;
use super::pod::controller;
use super::workload::ReadyState;
use super::workload::state;

/// How long something that rarely passes is waited for.
const DOUBT_GRACE: Duration = Duration::from_secs(10);
/// How long the pods of a job have to run to be believed; most that fail do so at once.
const JOB_SETTLES: Duration = Duration::from_secs(10);
/// How long a pod without a probe has to run to be believed: the kubelet looks once a second whether it still does.
const START_SETTLES: Duration = Duration::from_secs(2);
/// How long a pod has to run that crashed before: longer than the first pauses between restarts.
const RESTART_SETTLES: Duration = Duration::from_secs(10);
/// What a Deployment's controller needs to say by itself that its deadline is over.
const CONTROLLER_SLACK: Duration = Duration::from_secs(5);
/// `progressDeadlineSeconds` of a Deployment that names none.
const USUAL_PROGRESS_DEADLINE: u64 = 600;
/// The annotation that numbers the revisions of a Deployment and its replica sets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What one watch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Objects of the release.
    Objects,
    /// Replica sets, which lead from Deployments to their pods.
    ReplicaSets,
    /// Pods.
    Pods,
    /// Events.
    Events,
}

/// One object of the release that is waited for.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) key: ObjectKey,
    pub(super) built_in: bool,
    pub(super) generation: Option<i64>,
    uid: Option<String>,
    /// What labels or annotations its newest pods carry.
    revision: Option<String>,
    state: ReadyState,
    /// Whether it was seen not to be ready; what was ready from the start has proven itself.
    pended: bool,
    /// When its pods have run long enough to be believed.
    proven_at: Option<Instant>,
    deadline: Instant,
    limit: Duration,
    doubt: Option<(Cause, Instant)>,
    settling: Option<Instant>,
    said: Option<(bool, String)>,
    failed: bool,
}

/// A change that the user is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) object: ObjectKey,
    pub(super) ready: bool,
    pub(super) message: String,
    pub(super) pending: usize,
    pub(super) total: usize,
}

/// A pod with a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FaultyPod {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) fault: Fault,
}

/// Why an object does not become ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) object: ObjectKey,
    /// The worst pod, if it is about one.
    pub(super) pod: Option<FaultyPod>,
    /// What its own status says, if that is what failed.
    pub(super) status: String,
    /// How long it was waited for, if that is what failed.
    pub(super) after: Option<Duration>,
}

/// What follows from what is known now.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) changes: Vec<Change>,
    pub(super) failures: Vec<Failure>,
    /// Faults that are waited out, each said once.
    pub(super) tolerated: Vec<Failure>,
    /// Whether nothing has to be waited for any more.
    pub(super) done: bool,
    /// When to judge again, if nothing happens before.
    pub(super) wake: Option<Instant>,
}

/// What is known.
#[derive(Debug)]
pub(super) struct Check {
    watched: Vec<Watched>,
    /// Pods by UID, with the watch that told of them.
    pods: HashMap<String, (usize, PodView)>,
    /// Since when a pod is settled, with its restarts by then.
    settled: HashMap<String, (i64, Instant)>,
    /// Owner and revision of replica sets, by UID.
    sets: HashMap<String, (usize, Option<String>, Option<String>)>,
    notes: Notes,
    listing: HashMap<usize, HashSet<String>>,
    tolerated: HashSet<(usize, &'static str)>,
    unschedulable_grace: Duration,
    tolerant: bool,
}

impl Check {
    /// Returns a check of nothing.
    pub(super) fn new(spec: &ReadySpec) -> Self {
        Self {
            watched: Vec::new(),
            pods: HashMap::new(),
            settled: HashMap::new(),
            sets: HashMap::new(),
            notes: Notes::default(),
            listing: HashMap::new(),
            tolerated: HashSet::new(),
            unschedulable_grace: spec.unschedulable_grace,
            tolerant: spec.tolerate_failures_until_deadline,
        }
    }

    /// Adds an object to wait for.
    pub(super) fn add(&mut self, key: ObjectKey, built_in: bool, generation: Option<i64>, limit: Duration, now: Instant) {
        self.watched.push(Watched {
            key,
            built_in,
            generation,
            uid: None,
            revision: None,
            state: ReadyState::Pending("its state is being asked for".to_owned()),
            pended: false,
            proven_at: None,
            deadline: now + limit,
            limit,
            doubt: None,
            settling: None,
            said: None,
            failed: false,
        });
    }

    /// Returns the namespaces of objects that are not ready and have pods, with whether Deployments are among them.
    pub(super) fn namespaces_with_pending_pods(&self) -> HashMap<String, bool> {
        let mut namespaces = HashMap::new();
        for watched in self.watched.iter().filter(|w| w.built_in && w.state != ReadyState::Ready) {
            let namespace = watched.key.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
            *namespaces.entry(namespace).or_default() |= watched.key.kind == "Deployment";
        }
        namespaces
    }

    /// Takes in what a watch said.
    pub(super) fn apply(&mut self, watch: usize, about: About, event: WatchEvent, now: Instant) {
        match event {
            WatchEvent::Listing => drop(self.listing.insert(watch, HashSet::new())),
            WatchEvent::Applied(object) => {
                if let (Some(seen), Some(uid)) = (self.listing.get_mut(&watch), object["metadata"]["uid"].as_str()) {
                    seen.insert(uid.to_owned());
                }
                self.take(watch, about, &object, now);
            }
            WatchEvent::Listed => {
                if let Some(seen) = self.listing.remove(&watch) {
                    self.pods.retain(|uid, (from, _)| *from != watch || seen.contains(uid));
                    self.sets.retain(|uid, (from, ..)| *from != watch || seen.contains(uid));
                }
            }
            WatchEvent::Deleted(object) => self.forget(about, &object),
        }
    }

    /// Notes that a list is complete that does not have these objects of the release.
    pub(super) fn absent(&mut self, is_listed: impl Fn(&ObjectKey) -> bool) {
        for watched in self.watched.iter_mut().filter(|w| w.uid.is_none() && is_listed(&w.key)) {
            watched.state = ReadyState::Doubtful("it is not in the cluster".to_owned());
        }
    }

    fn take(&mut self, watch: usize, about: About, object: &Value, now: Instant) {
        let metadata = &object["metadata"];
        let Some(uid) = metadata["uid"].as_str().map(str::to_owned) else { return };
        match about {
            About::Events => self.notes.take(object),
            About::ReplicaSets => {
                let revision = metadata["annotations"][REVISION].as_str().map(str::to_owned);
                self.sets.insert(uid, (watch, controller(metadata).map(str::to_owned), revision));
            }
            About::Pods => self.take_pod(watch, uid, object, now),
            About::Objects => {
                let Some(watched) = self.watched.iter_mut().find(|w| is_it(&w.key, object)) else { return };
                watched.update(object, now);
                if watched.built_in && watched.key.kind == "Pod" {
                    self.take_pod(watch, uid, object, now);
                }
            }
        }
    }

    fn take_pod(&mut self, watch: usize, uid: String, object: &Value, now: Instant) {
        let Some(view) = PodView::of(object) else {
            self.pods.remove(&uid);
            return;
        };
        match self.settled.get(&uid) {
            Some((restarts, _)) if view.settled && *restarts == view.restarts => {}
            _ if view.settled => drop(self.settled.insert(uid.clone(), (view.restarts, now))),
            _ => drop(self.settled.remove(&uid)),
        }
        self.pods.insert(uid, (watch, view));
    }

    fn forget(&mut self, about: About, object: &Value) {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        self.pods.remove(uid);
        self.settled.remove(uid);
        self.sets.remove(uid);
        if about == About::Objects
            && let Some(watched) = self.watched.iter_mut().find(|w| is_it(&w.key, object) && w.uid.as_deref() == Some(uid))
        {
            watched.uid = None;
            watched.state = ReadyState::Doubtful("it was deleted".to_owned());
        }
    }

    /// Returns whether every object is ready.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.watched.iter().all(|watched| watched.is_ready(now))
    }

    /// Returns what follows from what is known at `now`.
    pub(super) fn judge(&mut self, now: Instant) -> Judgement {
        let mut judgement = Judgement::default();
        let pods = self.pods_by_owner();
        let worst: Vec<Option<FaultyPod>> = self.watched.iter().map(|w| self.worst_pod(w, &pods)).collect();
        let waits: Vec<Option<String>> = self.watched.iter().map(|w| self.waiting(w, &pods)).collect();
        let proofs: Vec<Option<Instant>> = self.watched.iter().map(|w| self.proven_at(w, &pods)).collect();
        self.watched.iter_mut().zip(proofs).for_each(|(watched, proof)| watched.proven_at = proof);
        for (index, (worst, wait)) in worst.into_iter().zip(waits).enumerate() {
            self.judge_one(index, worst, wait, now, &mut judgement);
        }
        judgement.done = self.watched.iter().all(|w| w.failed || w.is_ready(now));
        judgement
    }

    fn judge_one(&mut self, index: usize, worst: Option<FaultyPod>, wait: Option<String>, now: Instant, judgement: &mut Judgement) {
        let watched = &mut self.watched[index];
        if watched.failed {
            return;
        }
        let ready = watched.is_ready(now);
        let message = if ready { "ready".to_owned() } else { watched.message(worst.as_ref(), wait) };
        let said = Some((ready, message.clone()));
        if watched.said != said {
            watched.said = said;
            judgement.changes.push(self.change(index, ready, message));
        }
        let watched = &mut self.watched[index];
        if ready {
            watched.doubt = None;
            return;
        }
        let failure = watched.failure(worst, self.unschedulable_grace, now);
        match failure {
            Some((failure, is_late)) if is_late || !self.tolerant || !watched.may_recover() => {
                watched.failed = true;
                judgement.failures.push(failure);
            }
            Some((failure, _)) => {
                let fault = failure.pod.as_ref().map_or("status", |pod| pod.fault.code());
                judgement.tolerated.extend(self.tolerated.insert((index, fault)).then_some(failure));
            }
            None => {}
        }
        judgement.wake = [judgement.wake, Some(self.watched[index].wake(self.unschedulable_grace, now))].into_iter().flatten().min();
    }

    fn change(&self, index: usize, ready: bool, message: String) -> Change {
        let object = self.watched[index].key.clone();
        let of_kind = |w: &&Watched| w.key.kind == object.kind && w.key.group == object.group;
        let total = self.watched.iter().filter(of_kind).count();
        let pending = self.watched.iter().filter(of_kind).filter(|w| !w.said.as_ref().is_some_and(|(ready, _)| *ready)).count();
        Change { object, ready, message, pending, total }
    }

    fn pods_by_owner(&self) -> HashMap<&str, Vec<(&str, &PodView)>> {
        let mut by_owner: HashMap<&str, Vec<(&str, &PodView)>> = HashMap::new();
        for (uid, (_, pod)) in &self.pods {
            by_owner.entry(pod.owner.as_deref().unwrap_or(uid)).or_default().push((uid, pod));
        }
        for pods in by_owner.values_mut() {
            pods.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        }
        by_owner
    }

    /// Returns the pods of the newest revision of an object.
    fn newest_pods<'a>(&'a self, watched: &Watched, pods: &HashMap<&str, Vec<(&'a str, &'a PodView)>>) -> Vec<(&'a str, &'a PodView)> {
        let Some(uid) = watched.uid.as_deref().filter(|_| watched.built_in) else { return Vec::new() };
        if watched.key.kind == "Deployment" {
            let sets = self.sets.iter().filter(|(_, (_, owner, revision))| owner.as_deref() == Some(uid) && *revision == watched.revision);
            return sets.filter_map(|(set, _)| pods.get(set.as_str())).flatten().copied().collect();
        }
        let is_newest = |pod: &PodView| match watched.key.kind.as_str() {
            "StatefulSet" => watched.revision.is_none() || pod.revisions[0] == watched.revision,
            "DaemonSet" => watched.revision.is_none() || pod.revisions[1] == watched.revision,
            _ => true,
        };
        pods.get(uid).into_iter().flatten().filter(|(_, pod)| is_newest(pod)).copied().collect()
    }

    fn worst_pod(&self, watched: &Watched, pods: &HashMap<&str, Vec<(&str, &PodView)>>) -> Option<FaultyPod> {
        let faulty = self.newest_pods(watched, pods).into_iter().filter_map(|(uid, pod)| {
            let fault = self.notes.fault(uid, pod)?;
            Some(FaultyPod { uid: uid.to_owned(), name: pod.name.clone(), namespace: pod.namespace.clone(), fault })
        });
        faulty.reduce(|worst, next| if next.fault.weight > worst.fault.weight { next } else { worst })
    }

    /// Returns when the newest pods of an object that was not ready before have run long enough to be believed.
    fn proven_at(&self, watched: &Watched, pods: &HashMap<&str, Vec<(&str, &PodView)>>) -> Option<Instant> {
        if !watched.pended || watched.key.kind == "Job" {
            return None;
        }
        let settles = |(uid, pod): (&str, &PodView)| {
            // The workload's status may still say what was true before the crash.
            if pod.fault.as_ref().is_some_and(|fault| matches!(fault.cause, Cause::Crash { .. } | Cause::OutOfMemory | Cause::Start)) {
                return Some(watched.deadline);
            }
            let (_, since) = self.settled.get(uid)?;
            match pod.trust {
                Trust::Proven => None,
                Trust::Started => Some(*since + START_SETTLES),
                Trust::Restarted => Some(*since + RESTART_SETTLES),
            }
        };
        self.newest_pods(watched, pods).into_iter().filter_map(settles).max()
    }

    fn waiting(&self, watched: &Watched, pods: &HashMap<&str, Vec<(&str, &PodView)>>) -> Option<String> {
        self.newest_pods(watched, pods).into_iter().find_map(|(_, pod)| pod.waiting.clone())
    }
}

fn is_it(key: &ObjectKey, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    metadata["name"] == *key.name
        && object["kind"] == *key.kind
        && group == key.group
        && metadata["namespace"].as_str() == key.namespace.as_ref().map(devloop_model::Namespace::as_str)
}

impl Watched {
    fn update(&mut self, object: &Value, now: Instant) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let annotations = &object["metadata"]["annotations"];
        self.uid = text(&object["metadata"]["uid"]);
        self.revision = match self.key.kind.as_str() {
            "Deployment" => text(&annotations[REVISION]),
            "StatefulSet" => text(&object["status"]["updateRevision"]),
            "DaemonSet" => text(&annotations["deprecated.daemonset.template.generation"]),
            _ => None,
        };
        if let Some(seconds) = object["spec"]["progressDeadlineSeconds"].as_u64().filter(|s| self.built_in && *s != USUAL_PROGRESS_DEADLINE)
        {
            let start = self.deadline - self.limit;
            self.limit = Duration::from_secs(seconds) + CONTROLLER_SLACK;
            self.deadline = start + self.limit;
        }
        self.state = state(&self.key.kind, self.built_in, object, self.generation);
        self.pended |= self.state != ReadyState::Ready;
        self.settling = match self.state {
            ReadyState::Settling(_) => self.settling.or(Some(now)),
            _ => None,
        };
    }

    fn is_ready(&self, now: Instant) -> bool {
        let is_believed = self.proven_at.is_none_or(|at| now >= at);
        (self.state == ReadyState::Ready && is_believed) || self.settling.is_some_and(|since| now >= since + JOB_SETTLES)
    }

    fn message(&self, worst: Option<&FaultyPod>, wait: Option<String>) -> String {
        let own = match &self.state {
            ReadyState::Ready => "its pods were started and have to go on running for a moment",
            ReadyState::Pending(text) | ReadyState::Settling(text) | ReadyState::Doubtful(text) | ReadyState::Failed(text) => text,
        };
        match worst.map(|pod| pod.fault.what(&pod.name)).or(wait) {
            // A controller's own words are a whole sentence.
            Some(detail) => format!("{}: {detail}", own.trim_end_matches('.')),
            None => own.to_owned(),
        }
    }

    /// A job or pod that failed stays so; a rollout may still succeed.
    fn may_recover(&self) -> bool {
        !matches!(self.state, ReadyState::Failed(_)) || !matches!(self.key.kind.as_str(), "Job" | "Pod")
    }

    /// Returns why it failed, and whether that is so because its time is over.
    fn failure(&mut self, worst: Option<FaultyPod>, unschedulable_grace: Duration, now: Instant) -> Option<(Failure, bool)> {
        let object = self.key.clone();
        if now >= self.deadline {
            let status = self.message(None, None);
            return Some((Failure { object, pod: worst, status, after: Some(self.limit) }, true));
        }
        match &self.state {
            ReadyState::Failed(text) => {
                let status = text.clone();
                return Some((Failure { object, pod: worst, status, after: None }, false));
            }
            ReadyState::Doubtful(text) => {
                let status = text.clone();
                return self
                    .doubts(Cause::Sandbox, DOUBT_GRACE, now)
                    .then_some((Failure { object, pod: worst, status, after: None }, false));
            }
            _ => {}
        }
        let Some(pod) = worst.filter(|pod| pod.fault.weight > Weight::Passing) else {
            self.doubt = None;
            return None;
        };
        let grace = grace(&pod.fault.cause, unschedulable_grace);
        if pod.fault.weight == Weight::Doubtful && !self.doubts(pod.fault.cause.clone(), grace, now) {
            return None;
        }
        Some((Failure { object, pod: Some(pod), status: String::new(), after: None }, false))
    }

    /// Notes a doubt; returns whether it lasts longer than `grace`.
    fn doubts(&mut self, cause: Cause, grace: Duration, now: Instant) -> bool {
        match &self.doubt {
            Some((known, since)) if *known == cause => now >= *since + grace,
            _ => {
                self.doubt = Some((cause, now));
                false
            }
        }
    }

    fn wake(&self, unschedulable_grace: Duration, now: Instant) -> Instant {
        let doubt = self.doubt.as_ref().map(|(cause, since)| *since + grace(cause, unschedulable_grace)).filter(|at| *at > now);
        let settled = self.settling.map(|since| since + JOB_SETTLES);
        let proven = self.proven_at.filter(|at| *at > now && self.state == ReadyState::Ready);
        [Some(self.deadline), doubt, settled, proven].into_iter().flatten().min().unwrap_or(self.deadline)
    }
}

fn grace(cause: &Cause, unschedulable: Duration) -> Duration {
    if *cause == Cause::Unschedulable { unschedulable } else { DOUBT_GRACE }
}

#[cfg(test)]
mod tests;
