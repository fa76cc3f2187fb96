//! What is known of artifacts and steps.

use std::time::Duration;

use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Outcome;
use devloop_model::Platform;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Timestamp;
use devloop_model::Touched;
use serde::Deserialize;
use serde::Serialize;

use super::Held;
use super::Snapshot;

/// What is known of an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// The artifact.
    pub artifact: ImageName,
    /// What it is built for, once that is known.
    pub platforms: Vec<Platform>,
    /// Its image, once there is one.
    pub image: Option<BuiltImage>,
    /// Whether that is not what its inputs would give: its build waits, runs or failed.
    pub stale: bool,
    /// Whether a save touched it that neither its image nor its containers have yet.
    #[serde(default)]
    pub behind: bool,
    /// The last save that its image, or the files synced into its containers, contain.
    pub save: Option<u64>,
    /// The last save that is being deployed.
    #[serde(default)]
    pub deploying: Option<u64>,
    /// The last save that is contained in what runs.
    #[serde(default)]
    pub runs: Option<u64>,
    /// What the build cache said last.
    pub cache: Option<CacheOutcome>,
    /// Why its last build was needed; empty while the cache has it.
    pub causes: Vec<RebuildCause>,
    /// What was synced last.
    pub synced: Option<Synced>,
}

/// Files that were brought into running containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Synced {
    /// When.
    pub at: Timestamp,
    /// How many were added or changed.
    pub copied: usize,
    /// How many were deleted.
    pub deleted: usize,
    /// How many containers have them.
    pub containers: usize,
}

/// The last run of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The step.
    pub step: StepId,
    /// Why it ran.
    pub reason: Reason,
    /// The save that it contains.
    pub save: u64,
    /// When it started.
    pub started: Timestamp,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
    /// How long it took; none while it runs.
    pub duration: Option<Duration>,
}

impl ArtifactRecord {
    pub(super) fn new(artifact: ImageName) -> Self {
        Self {
            artifact,
            platforms: Vec::new(),
            image: None,
            stale: false,
            behind: false,
            save: None,
            deploying: None,
            runs: None,
            cache: None,
            causes: Vec::new(),
            synced: None,
        }
    }
}

impl Snapshot {
    /// Takes in what steps do and make.
    pub(super) fn apply_step(&mut self, event: &Event) {
        match &event.fact {
            EventKind::StepStarted { step, reason } => self.start(event.at, step, reason),
            EventKind::StepFinished { step, outcome, duration } => self.finish(step, outcome, *duration),
            EventKind::StepHeld { step, hold } => {
                self.holds.retain(|held| held.step != *step);
                self.holds.push(Held { step: step.clone(), hold: hold.clone() });
            }
            EventKind::CacheChecked { artifact, outcome, causes, .. } => {
                let record = self.record(artifact);
                record.cache = Some(*outcome);
                record.stale = *outcome == CacheOutcome::NotFound;
                record.causes.clone_from(causes);
            }
            EventKind::PlatformsResolved { artifact, platforms } => self.record(artifact).platforms.clone_from(platforms),
            EventKind::ImageReady { image } => {
                let save = self.save_of(&image.artifact);
                let record = self.record(&image.artifact);
                record.image = Some(image.clone());
                (record.stale, record.behind) = (false, false);
                record.save = record.save.max(save);
            }
            EventKind::FilesSynced { artifact, copied, deleted, containers, replayed: false } => {
                let save = self.step(&StepId::sync(artifact.clone())).map(|step| step.save);
                let record = self.record(artifact);
                record.synced = Some(Synced { at: event.at, copied: *copied, deleted: *deleted, containers: *containers });
                record.behind = false;
                record.save = record.save.max(save);
                record.runs = record.runs.max(save);
            }
            _ => {}
        }
    }

    /// Takes in what a save touched.
    pub(super) fn fall_behind(&mut self, touched: &Touched) {
        for touched in &touched.artifacts {
            self.record(&touched.artifact).behind = true;
        }
    }

    /// Takes in that everything was done that a save asked for: what it did not touch has it as well. What waits to be asked
    /// for was not done.
    pub(super) fn settle(&mut self, save: u64) {
        let waits = self.holds.iter().any(|held| matches!(held.step.stage, Stage::Render | Stage::Deploy));
        for record in self.artifacts.iter_mut().filter(|record| record.save.is_some() && !record.stale && !record.behind) {
            record.save = record.save.max(Some(save));
            if !waits {
                record.runs = record.save;
            }
        }
    }

    fn start(&mut self, at: Timestamp, step: &StepId, reason: &Reason) {
        if step.stage == Stage::Deploy {
            self.artifacts.iter_mut().for_each(|record| record.deploying = record.save);
        }
        self.holds.retain(|held| held.step != *step);
        let record = StepRecord { step: step.clone(), reason: reason.clone(), save: self.save, started: at, outcome: None, duration: None };
        match self.steps.iter_mut().find(|known| known.step == *step) {
            Some(known) => *known = record,
            None => self.steps.push(record),
        }
    }

    fn finish(&mut self, step: &StepId, outcome: &Outcome, duration: Duration) {
        if let Some(record) = self.steps.iter_mut().find(|record| record.step == *step) {
            record.outcome = Some(outcome.clone());
            record.duration = Some(duration);
        }
        if (step.stage, outcome) == (Stage::StatusCheck, &Outcome::Succeeded) {
            self.artifacts.iter_mut().for_each(|record| record.runs = record.runs.max(record.deploying));
        }
    }

    /// Returns the save that an image which is there now contains: that of its build, or of the check that found it.
    fn save_of(&self, artifact: &ImageName) -> Option<u64> {
        let build = self.step(&StepId::build(artifact.clone())).filter(|step| step.outcome.is_none());
        build.or_else(|| self.step(&StepId::of(Stage::Prepare))).map(|step| step.save)
    }

    fn record(&mut self, artifact: &ImageName) -> &mut ArtifactRecord {
        let found = self.artifacts.iter().position(|record| record.artifact == *artifact);
        let index = found.unwrap_or_else(|| {
            self.artifacts.push(ArtifactRecord::new(artifact.clone()));
            self.artifacts.len() - 1
        });
        &mut self.artifacts[index]
    }
}
