//! What is known of a session: a fold of its events, so that a recorded session can be replayed.

mod testing;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use self::testing::Testing;
use crate::AutoStage;
use crate::CacheOutcome;
use crate::Command;
use crate::EventKind;
use crate::ImageName;
use crate::Outcome;
use crate::Reason;
use crate::RebuildCause;
use crate::Stage;
use crate::StepId;
use crate::Touched;
use crate::TouchedArtifact;
use crate::TouchedTests;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It runs.
    Running,
    /// It did what it had to do.
    Succeeded,
    /// It did not.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    save: u64,
    /// Counts what wakes the loop, so that "since then" can be said.
    clock: u64,
    steps: BTreeMap<StepId, Step>,
    artifacts: BTreeMap<ImageName, ArtifactState>,
    /// Stages that work on everything at once and have to run again, and why.
    due: BTreeMap<Stage, Reason>,
    rendered: Option<String>,
    deploying: Option<String>,
    deployed: Option<String>,
    /// Artifacts that the configuration which is being read builds in another way.
    reconfigured: BTreeSet<ImageName>,
    /// Images that it tests in another way.
    retested: BTreeSet<ImageName>,
    /// Stages that do not act by themselves.
    manual: BTreeSet<AutoStage>,
    /// Stages that were asked to act once.
    asked: BTreeSet<AutoStage>,
    paused: bool,
}

/// The last run of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    progress: Progress,
    /// When it started, on [`State::clock`].
    started: u64,
}

/// What is known of one artifact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArtifactState {
    /// Its inputs may have changed since they were last looked at.
    changed: Option<Changed>,
    /// The image that its inputs ask for, while it is not there.
    wanted: Option<Wanted>,
    /// The key of the last build that succeeded.
    built: Option<String>,
    /// The key of the build that runs.
    building: Option<String>,
    /// The image that is there, as manifests are given it.
    image: Option<String>,
    /// How far the tests of that image are.
    testing: Testing,
    /// Files that wait to be synced; an empty list brings all again.
    sync: Option<BTreeSet<String>>,
}

/// Inputs that may have changed.
#[derive(Debug, Clone, PartialEq)]
struct Changed {
    files: BTreeSet<String>,
    /// Why, where it is not files.
    other: Option<Reason>,
    /// When, on [`State::clock`].
    at: u64,
    /// Whether it is built whatever the cache has.
    fresh: bool,
}

/// An image that has to be built.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    key: String,
    causes: Vec<RebuildCause>,
    failed: bool,
}

impl State {
    /// Takes a fact in.
    pub fn apply(&mut self, fact: &EventKind) {
        match fact {
            EventKind::Triggered { save, touched, .. } => self.triggered(*save, touched),
            EventKind::Commanded { command } => self.commanded(command),
            EventKind::AutoSwitched { stage, enabled } => {
                if *enabled {
                    self.manual.remove(stage)
                } else {
                    self.manual.insert(*stage)
                };
            }
            EventKind::PlanChanged { artifacts, tests } => {
                self.reconfigured.extend(artifacts.iter().cloned());
                self.retested.extend(tests.iter().cloned());
            }
            EventKind::Paused { paused } => self.paused = *paused,
            EventKind::StepStarted { step, reason } => self.started(step, reason),
            EventKind::StepFinished { step, outcome, .. } => self.finished(step, outcome),
            EventKind::CacheChecked { artifact, outcome, causes, key } => {
                let state = self.artifact_mut(artifact);
                // Without the cache, this session still knows what it built.
                let is_built = *causes == [RebuildCause::CacheOff] && state.built.as_ref() == Some(key);
                let wanted = Wanted { key: key.clone(), causes: causes.clone(), failed: false };
                state.wanted = (*outcome == CacheOutcome::NotFound && !is_built).then_some(wanted);
            }
            EventKind::ImageReady { image } => {
                let deployed = image.deployed();
                let artifact = self.artifact_mut(&image.artifact);
                if artifact.image.as_ref() != Some(&deployed) {
                    let step = if artifact.building.is_some() { StepId::build(image.artifact.clone()) } else { StepId::of(Stage::Prepare) };
                    artifact.image = Some(deployed);
                    artifact.testing.ask(Reason::After { step: step.clone() });
                    self.due.entry(Stage::Render).or_insert(Reason::After { step });
                }
            }
            EventKind::ManifestsRendered { hash, .. } => self.rendered = Some(hash.clone()),
            EventKind::IterationEnded { .. } => self.asked.clear(),
            _ => {}
        }
    }

    fn triggered(&mut self, save: u64, touched: &Touched) {
        self.clock += 1;
        self.save = save;
        for TouchedArtifact { artifact, files, syncable } in &touched.artifacts {
            let can_sync = *syncable && self.is_live(artifact);
            let at = self.clock;
            let state = self.artifact_mut(artifact);
            if can_sync {
                state.sync.get_or_insert_default().extend(files.iter().cloned());
            } else {
                state.change(at, files.iter().cloned(), None);
            }
        }
        let changed = |files: &[String]| Reason::Changed { files: files.to_vec() };
        for TouchedTests { artifact, files } in &touched.tests {
            self.artifact_mut(artifact).testing.ask(changed(files));
        }
        if !touched.manifests.is_empty() {
            self.due.insert(Stage::Render, changed(&touched.manifests));
        }
        if !touched.config.is_empty() {
            self.due.insert(Stage::Configure, changed(&touched.config));
        }
        self.retry_builds();
        self.retry([Stage::Render, Stage::Deploy, Stage::StatusCheck]);
    }

    /// Builds and tests that failed, and inputs that could not be looked at, may do now.
    fn retry_builds(&mut self) {
        let looked = self.progress(&StepId::of(Stage::Prepare)) != Some(Progress::Failed);
        for artifact in self.artifacts.values_mut() {
            artifact.wanted.iter_mut().for_each(|wanted| wanted.failed = false);
            artifact.testing.retry();
            artifact.changed.iter_mut().filter(|_| !looked).for_each(|changed| changed.at = self.clock);
        }
    }

    /// What failed may be right now.
    fn retry(&mut self, stages: impl IntoIterator<Item = Stage>) {
        for stage in stages {
            if self.progress(&StepId::of(stage)) == Some(Progress::Failed) {
                self.due.entry(stage).or_insert(Reason::Retry);
            }
        }
    }

    fn commanded(&mut self, command: &Command) {
        self.clock += 1;
        match command {
            Command::Execute { build, sync, deploy } => {
                for (stage, asked) in [(AutoStage::Build, build), (AutoStage::Sync, sync), (AutoStage::Deploy, deploy)] {
                    if *asked {
                        self.asked.insert(stage);
                    }
                }
                if *build {
                    self.retry_builds();
                }
                if *deploy {
                    self.retry([Stage::Render, Stage::Deploy, Stage::StatusCheck]);
                }
            }
            Command::Rebuild { artifact } => {
                let at = self.clock;
                self.asked.insert(AutoStage::Build);
                for (_, state) in self.artifacts.iter_mut().filter(|(name, _)| artifact.as_ref().is_none_or(|wanted| wanted == *name)) {
                    state.change(at, [], Some(Reason::Asked));
                    state.changed.iter_mut().for_each(|changed| changed.fresh = true);
                }
            }
            Command::Redeploy => {
                self.asked.insert(AutoStage::Deploy);
                for stage in [Stage::Render, Stage::Deploy] {
                    self.due.insert(stage, Reason::Asked);
                }
            }
            Command::Resync => {
                self.asked.insert(AutoStage::Sync);
                for artifact in self.artifacts.values_mut() {
                    artifact.sync.get_or_insert_default();
                }
            }
            Command::Auto { .. } | Command::Pause { .. } | Command::Quit => {}
        }
    }

    fn started(&mut self, step: &StepId, reason: &Reason) {
        self.steps.insert(step.clone(), Step { progress: Progress::Running, started: self.clock });
        match (step.stage, &step.artifact) {
            (Stage::Build, Some(artifact)) => {
                let artifact = self.artifact_mut(artifact);
                artifact.building = artifact.wanted.as_ref().map(|wanted| wanted.key.clone());
            }
            (Stage::Test, Some(artifact)) => self.artifact_mut(artifact).testing.started(reason),
            (Stage::Sync, Some(artifact)) => self.artifact_mut(artifact).sync = None,
            (Stage::Deploy, _) => {
                self.due.remove(&Stage::Deploy);
                self.deploying.clone_from(&self.rendered);
            }
            (stage, _) => drop(self.due.remove(&stage)),
        }
    }

    fn finished(&mut self, step: &StepId, outcome: &Outcome) {
        let progress = match outcome {
            Outcome::Succeeded => Progress::Succeeded,
            Outcome::Failed { .. } => Progress::Failed,
            Outcome::Cancelled => Progress::Cancelled,
        };
        let started = self.steps.get(step).map_or(self.clock, |known| known.started);
        self.steps.insert(step.clone(), Step { progress, started });
        match (step.stage, &step.artifact) {
            (Stage::Build, Some(artifact)) => self.artifact_mut(artifact).built(progress),
            (Stage::Test, Some(artifact)) => self.artifact_mut(artifact).testing.ended(progress),
            (Stage::Sync, Some(artifact)) if progress == Progress::Failed => {
                let at = self.clock;
                self.artifact_mut(artifact).change(at, [], Some(Reason::SyncFailed));
            }
            (Stage::Prepare, _) if progress == Progress::Succeeded => {
                for artifact in self.artifacts.values_mut() {
                    artifact.changed.take_if(|changed| changed.at <= started);
                }
            }
            (Stage::Configure, _) if progress == Progress::Succeeded => self.reconfigured(),
            (Stage::Render, _) if progress == Progress::Succeeded && self.rendered != self.deployed => {
                self.due.entry(Stage::Deploy).or_insert(Reason::After { step: step.clone() });
            }
            (Stage::Deploy, _) if progress == Progress::Succeeded => {
                self.deployed = self.deploying.take();
                self.due.insert(Stage::StatusCheck, Reason::After { step: step.clone() });
            }
            _ => {}
        }
    }

    /// Manifests may be different under another configuration, and so are the artifacts that it builds in another way.
    fn reconfigured(&mut self) {
        let at = self.clock;
        let reason = Reason::After { step: StepId::of(Stage::Configure) };
        for artifact in std::mem::take(&mut self.reconfigured) {
            self.artifact_mut(&artifact).change(at, [], Some(reason.clone()));
        }
        for image in std::mem::take(&mut self.retested) {
            self.artifact_mut(&image).testing.ask(reason.clone());
        }
        self.due.insert(Stage::Render, reason);
    }

    fn artifact_mut(&mut self, image: &ImageName) -> &mut ArtifactState {
        self.artifacts.entry(image.clone()).or_default()
    }

    /// Returns how far a step is; none if it has not started.
    pub fn progress(&self, step: &StepId) -> Option<Progress> {
        self.steps.get(step).map(|step| step.progress)
    }

    /// Returns why a stage that works on everything at once has to run again; none if nothing asks for it.
    pub fn due(&self, stage: Stage) -> Option<&Reason> {
        self.due.get(&stage)
    }

    /// Returns what is known of an artifact; none before it was looked at.
    pub fn artifact(&self, image: &ImageName) -> Option<&ArtifactState> {
        self.artifacts.get(image)
    }

    /// Returns the artifacts whose inputs have to be looked at again, and why; those that failed and did not change since
    /// are not among them.
    pub fn changed(&self) -> Option<(BTreeSet<&ImageName>, Reason)> {
        let failed_at =
            self.steps.get(&StepId::of(Stage::Prepare)).filter(|step| step.progress == Progress::Failed).map(|step| step.started);
        let newest = self.artifacts.values().filter_map(|artifact| artifact.changed.as_ref()).map(|changed| changed.at).max()?;
        if failed_at.is_some_and(|failed| newest <= failed) {
            return None;
        }
        let changed = || self.artifacts.iter().filter_map(|(name, artifact)| Some((name, artifact.changed.as_ref()?)));
        let files: BTreeSet<&String> = changed().flat_map(|(_, changed)| &changed.files).collect();
        let other = changed().find_map(|(_, changed)| changed.other.clone());
        let reason = match (files.is_empty(), other) {
            (true, Some(reason)) => reason,
            _ => Reason::Changed { files: files.into_iter().cloned().collect() },
        };
        Some((changed().map(|(name, _)| name).collect(), reason))
    }

    /// Returns the steps that run.
    pub fn running(&self) -> impl Iterator<Item = &StepId> {
        self.steps.iter().filter(|(_, step)| step.progress == Progress::Running).map(|(step, _)| step)
    }

    /// Returns whether a step failed or was stopped.
    pub fn has_failed(&self) -> bool {
        self.steps.values().any(|step| matches!(step.progress, Progress::Failed | Progress::Cancelled))
    }

    /// Returns whether a stage has to wait for being asked.
    pub fn waits_to_be_asked(&self, stage: AutoStage) -> bool {
        self.manual.contains(&stage) && !self.asked.contains(&stage)
    }

    /// Returns whether everything is held.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns the number of the last save.
    pub fn save(&self) -> u64 {
        self.save
    }

    /// Returns whether an image of the artifact runs in the cluster, and it is the one that its inputs ask for: one that
    /// waits for its tests, or failed them, does not.
    pub fn is_live(&self, image: &ImageName) -> bool {
        let settled = |artifact: &ArtifactState| artifact.is_there() && artifact.building.is_none() && artifact.testing.holds_nothing();
        self.deployed.is_some() && self.artifacts.get(image).is_some_and(settled)
    }
}

impl ArtifactState {
    fn change(&mut self, at: u64, files: impl IntoIterator<Item = String>, other: Option<Reason>) {
        // A build has what a sync would have brought.
        let synced = self.sync.take().unwrap_or_default();
        let before = self.changed.take();
        let mut changed = before.unwrap_or(Changed { files: BTreeSet::new(), other: None, at, fresh: false });
        changed.files.extend(files);
        changed.files.extend(synced);
        self.changed = Some(Changed { at, other: other.or(changed.other), ..changed });
    }

    fn built(&mut self, progress: Progress) {
        let building = self.building.take();
        if let Some(wanted) = self.wanted.as_mut().filter(|wanted| building.as_ref() == Some(&wanted.key)) {
            match progress {
                Progress::Succeeded => {
                    self.wanted = None;
                    self.built = building;
                }
                Progress::Failed => wanted.failed = true,
                Progress::Running | Progress::Cancelled => {}
            }
        }
    }

    /// Returns whether its inputs have to be looked at before anything else.
    pub fn has_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// Returns whether it is built whatever the cache has.
    pub fn is_asked_for(&self) -> bool {
        self.changed.as_ref().is_some_and(|changed| changed.fresh)
    }

    /// Returns why it has to be built; none if its image is there, or its inputs were not looked at yet.
    pub fn causes(&self) -> Option<&[RebuildCause]> {
        self.wanted.as_ref().map(|wanted| wanted.causes.as_slice())
    }

    /// Returns whether the build that its inputs ask for failed.
    pub fn build_failed(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.failed)
    }

    /// Returns whether the build that runs is not the one that its inputs ask for.
    pub fn build_is_stale(&self) -> bool {
        self.building.is_some() && self.building.as_ref() != self.wanted.as_ref().map(|wanted| &wanted.key)
    }

    /// Returns why its image has to be tested; none while that is not there, or if nothing asks for it.
    pub fn to_test(&self) -> Option<&Reason> {
        self.testing.due().filter(|_| self.image.is_some() && self.is_there())
    }

    /// Returns whether the image that its inputs ask for failed its tests.
    pub fn tests_failed(&self) -> bool {
        self.testing.failed() && self.is_there()
    }

    /// Returns whether tests that run are of another image than its inputs ask for, or of other files than those of now.
    pub fn tests_are_stale(&self) -> bool {
        self.testing.due().is_some() || self.wanted.is_some()
    }

    /// Returns whether nothing is known that its image lacks.
    fn is_there(&self) -> bool {
        self.changed.is_none() && self.wanted.is_none()
    }

    /// Returns the files that wait to be synced; none if there is nothing to do, empty if all are to be brought again.
    pub fn to_sync(&self) -> Option<&BTreeSet<String>> {
        self.sync.as_ref()
    }
}
