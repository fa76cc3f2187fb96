//! What is known of a session: a fold of its events, so that a recorded session can be replayed.

use std::collections::BTreeMap;

use crate::CacheOutcome;
use crate::EventKind;
use crate::ImageName;
use crate::Outcome;
use crate::RebuildCause;
use crate::StepId;

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    steps: BTreeMap<StepId, Progress>,
    to_build: BTreeMap<ImageName, Vec<RebuildCause>>,
}

impl State {
    /// Takes a fact in.
    pub fn apply(&mut self, fact: &EventKind) {
        match fact {
            EventKind::StepStarted { step, .. } => {
                self.steps.insert(step.clone(), Progress::Running);
            }
            EventKind::StepFinished { step, outcome, .. } => {
                let progress = match outcome {
                    Outcome::Succeeded => Progress::Succeeded,
                    Outcome::Failed { .. } => Progress::Failed,
                    Outcome::Cancelled => Progress::Cancelled,
                };
                self.steps.insert(step.clone(), progress);
            }
            EventKind::CacheChecked { artifact, outcome: CacheOutcome::NotFound, causes, .. } => {
                self.to_build.insert(artifact.clone(), causes.clone());
            }
            _ => {}
        }
    }

    /// Returns how far a step is; none if it has not started.
    pub fn progress(&self, step: &StepId) -> Option<&Progress> {
        self.steps.get(step)
    }

    /// Returns why an artifact has to be built; none if the cache has its image, or was not asked yet.
    pub fn causes(&self, artifact: &ImageName) -> Option<&[RebuildCause]> {
        self.to_build.get(artifact).map(Vec::as_slice)
    }

    /// Returns the steps that run.
    pub fn running(&self) -> impl Iterator<Item = &StepId> {
        self.steps.iter().filter(|(_, progress)| **progress == Progress::Running).map(|(step, _)| step)
    }

    /// Returns whether a step failed or was stopped.
    pub fn has_failed(&self) -> bool {
        self.steps.values().any(|progress| matches!(progress, Progress::Failed | Progress::Cancelled))
    }
}
