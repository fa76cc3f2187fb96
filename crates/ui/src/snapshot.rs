//! What is known of a session now: a fold of its events that a program can read at any time.

mod record;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_model::AutoStage;
use devloop_model::Change;
use devloop_model::DebuggingContainer;
use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Part;
use devloop_model::PlannedArtifact;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Timestamp;
use devloop_model::Touched;
use devloop_model::WatchMode;
use serde::Deserialize;
use serde::Serialize;

pub use self::record::ArtifactRecord;
pub use self::record::StepRecord;
pub use self::record::Synced;
pub use self::why::Explanation;

/// What is known of a session after an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Number of the last event that is in it; a stream after it misses nothing and doubles nothing.
    pub seq: u64,
    /// devloop's version.
    pub version: String,
    /// The command, `dev`.
    pub command: String,
    /// When the session started; none before its first event.
    pub since: Option<Timestamp>,
    /// Profiles that are active.
    pub profiles: Vec<String>,
    /// Kubernetes context.
    pub context: Option<String>,
    /// Namespace that objects without one go to.
    pub namespace: Option<Namespace>,
    /// Artifacts in build order.
    pub artifacts: Vec<ArtifactRecord>,
    /// What the configuration says of them.
    #[serde(default)]
    pub planned: Vec<PlannedArtifact>,
    /// How many modules render with each renderer: `rawYaml`.
    #[serde(default)]
    pub renderers: BTreeMap<String, usize>,
    /// How many modules deploy with each deployer: `kubectl`.
    #[serde(default)]
    pub deployers: BTreeMap<String, usize>,
    /// The last run of each step; one without an outcome runs now.
    pub steps: Vec<StepRecord>,
    /// Steps that wait.
    pub holds: Vec<Held>,
    /// Objects that are watched until they are ready.
    pub resources: Vec<Resource>,
    /// Forwarded ports.
    pub forwards: Vec<Forward>,
    /// Containers that run under debuggers.
    #[serde(default)]
    pub debugging: Vec<DebuggingContainer>,
    /// Which stages act on changes by themselves.
    pub auto: Auto,
    /// Whether everything is held.
    pub paused: bool,
    /// What is watched; none before the first pass.
    pub watching: Option<Watching>,
    /// Number of the last save.
    pub save: u64,
    /// What that save touched.
    pub touched: Touched,
    /// The last iteration that ended.
    pub iteration: Option<Iteration>,
    /// What is wrong with a changed configuration; the last good one holds.
    pub rejected: Vec<Diagnostic>,
    /// How the session ended; none while it lives.
    pub ended: Option<Outcome>,
}

/// A step that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The step.
    pub step: StepId,
    /// Why.
    pub hold: Hold,
}

/// A watched object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The object.
    pub object: ObjectKey,
    /// Whether it is ready.
    pub ready: bool,
    /// In one line: `1 of 3 updated replicas are available`.
    pub message: String,
    /// Since when it is so.
    pub since: Timestamp,
}

/// A forwarded port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// What is forwarded.
    pub source: ForwardSource,
    /// The local address that listens.
    pub address: String,
    /// The local port that listens.
    pub local_port: u16,
    /// The port in the pod, once it is known.
    pub remote_port: Option<u16>,
    /// How it is.
    pub state: ForwardState,
    /// Where to look, once it answered an HTTP request.
    pub url: Option<String>,
}

/// Which stages act on changes by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auto {
    /// Builds.
    pub build: bool,
    /// File sync.
    pub sync: bool,
    /// Rendering and deploying.
    pub deploy: bool,
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watching {
    /// How.
    pub mode: WatchMode,
    /// How many files count.
    pub files: usize,
    /// How many directories are watched.
    pub directories: usize,
}

/// An iteration that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Iteration {
    /// The last save that is in it.
    pub save: u64,
    /// The first one.
    #[serde(default)]
    pub first: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// From the first change of its first save.
    pub duration: Duration,
    /// Its steps, in the order in which they ended.
    pub parts: Vec<Part>,
}

impl Default for Auto {
    /// Everything acts by itself: a session that starts otherwise says so.
    fn default() -> Self {
        Self { build: true, sync: true, deploy: true }
    }
}

impl Auto {
    /// Returns whether `stage` acts by itself.
    pub fn get(self, stage: AutoStage) -> bool {
        match stage {
            AutoStage::Build => self.build,
            AutoStage::Sync => self.sync,
            AutoStage::Deploy => self.deploy,
        }
    }

    fn set(&mut self, stage: AutoStage, enabled: bool) {
        match stage {
            AutoStage::Build => self.build = enabled,
            AutoStage::Sync => self.sync = enabled,
            AutoStage::Deploy => self.deploy = enabled,
        }
    }
}

impl Snapshot {
    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.fact {
            EventKind::SessionStarted { version, command } => {
                self.version.clone_from(version);
                self.command.clone_from(command);
                self.since = Some(event.at);
            }
            EventKind::PlanLoaded { artifacts, renderers, deployers, profiles, context, namespace } => {
                self.load(artifacts);
                self.planned.clone_from(artifacts);
                self.renderers.clone_from(renderers);
                self.deployers.clone_from(deployers);
                self.profiles.clone_from(profiles);
                self.context.clone_from(context);
                self.namespace.clone_from(namespace);
                self.rejected.clear();
            }
            EventKind::PlanRejected { diagnostics } => self.rejected.clone_from(diagnostics),
            EventKind::Watching { mode, files, directories } => {
                self.watching = Some(Watching { mode: *mode, files: *files, directories: *directories });
            }
            EventKind::Triggered { save, touched, .. } => {
                self.save = *save;
                self.touched.clone_from(touched);
                self.fall_behind(touched);
            }
            EventKind::IterationEnded { save, first, outcome, duration, parts } => {
                if *outcome == Outcome::Succeeded {
                    self.settle(*save);
                }
                let (outcome, parts) = (outcome.clone(), parts.clone());
                self.iteration = Some(Iteration { save: *save, first: *first, outcome, at: event.at, duration: *duration, parts });
            }
            EventKind::AutoSwitched { stage, enabled } => self.auto.set(*stage, *enabled),
            EventKind::Paused { paused } => self.paused = *paused,
            EventKind::SessionEnded { outcome, .. } => self.ended = Some(outcome.clone()),
            _ => {
                self.apply_step(event);
                self.apply_cluster(event);
            }
        }
    }

    fn load(&mut self, artifacts: &[PlannedArtifact]) {
        let mut known = std::mem::take(&mut self.artifacts);
        for PlannedArtifact { image: artifact, .. } in artifacts {
            let found = known.iter().position(|record| record.artifact == *artifact);
            self.artifacts.push(found.map_or_else(|| ArtifactRecord::new(artifact.clone()), |index| known.swap_remove(index)));
        }
    }

    /// Takes in what happens in the cluster and at its ports.
    fn apply_cluster(&mut self, event: &Event) {
        match &event.fact {
            EventKind::ObjectChanged { object, change: Change::Pruned | Change::Deleted, .. } => {
                self.resources.retain(|resource| resource.object != *object);
            }
            EventKind::Readiness { object, ready, message, .. } => self.note_readiness(event.at, object, *ready, message),
            EventKind::PortForwarded { source, state: ForwardState::Closed, .. } => {
                self.forwards.retain(|forward| forward.source != *source);
            }
            EventKind::PortForwarded { source, address, local_port, remote_port, state } => {
                let found = self.forwards.iter().position(|forward| forward.source == *source);
                let url = found.and_then(|index| self.forwards.remove(index).url);
                let forward = Forward {
                    source: source.clone(),
                    address: address.clone(),
                    local_port: *local_port,
                    remote_port: *remote_port,
                    state: state.clone(),
                    url,
                };
                self.forwards.insert(found.unwrap_or(self.forwards.len()), forward);
            }
            EventKind::DebuggingStarted { container } => {
                self.debugging.retain(|known| !known.is_same(container));
                self.debugging.push(container.clone());
            }
            EventKind::DebuggingEnded { container } => self.debugging.retain(|known| !known.is_same(container)),
            EventKind::UrlAnswered { source, url } => {
                for forward in self.forwards.iter_mut().filter(|forward| forward.source == *source) {
                    forward.url = Some(url.clone());
                }
            }
            _ => {}
        }
    }

    fn note_readiness(&mut self, at: Timestamp, object: &ObjectKey, ready: bool, message: &str) {
        let found = self.resources.iter().position(|resource| resource.object == *object);
        let since = found.map(|index| &self.resources[index]).filter(|before| before.ready == ready).map_or(at, |before| before.since);
        let resource = Resource { object: object.clone(), ready, message: message.to_owned(), since };
        match found {
            Some(index) => self.resources[index] = resource,
            None => self.resources.push(resource),
        }
    }

    /// Returns the container whose debugger a forwarded port leads to, and the name of its protocol; none where it leads to no debugger.
    pub fn debugger_at(&self, forward: &Forward) -> Option<(&DebuggingContainer, &str)> {
        let ForwardState::Ready { pod } = &forward.state else { return None };
        let of_pod = self.debugging.iter().filter(|one| one.pod == *pod && one.namespace == forward.source.namespace);
        of_pod
            .flat_map(|one| one.ports.iter().map(move |port| (one, port)))
            .find_map(|(one, (name, port))| (Some(*port) == forward.remote_port).then_some((one, name.as_str())))
    }

    /// Returns what is known of an artifact; none if it is not of the plan.
    pub fn artifact(&self, name: &ImageName) -> Option<&ArtifactRecord> {
        self.artifacts.iter().find(|record| record.artifact == *name)
    }

    /// Returns the last run of a step; none if it never ran.
    pub fn step(&self, step: &StepId) -> Option<&StepRecord> {
        self.steps.iter().find(|record| record.step == *step)
    }

    /// Returns the steps that run now.
    pub fn running(&self) -> impl Iterator<Item = &StepRecord> {
        // Attaching lasts as long as the release: it is a state, not work under way.
        self.steps.iter().filter(|record| record.outcome.is_none() && record.step.stage != Stage::Attach)
    }
}
