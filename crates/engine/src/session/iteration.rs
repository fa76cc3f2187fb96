//! One pass from what woke the loop until nothing is left to do.

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_model::EventKind;
use devloop_model::Outcome;
use devloop_model::Part;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio::time::Instant;

/// A pass that is under way.
#[derive(Debug)]
pub(super) struct Iteration {
    began: Instant,
    /// The save that it began with.
    first: u64,
    parts: Vec<Part>,
    failed: BTreeMap<StepId, Outcome>,
}

impl Iteration {
    /// Returns a pass that began then, with a save or for it.
    pub(super) fn since(began: Instant, first: u64) -> Self {
        Self { began, first, parts: Vec::new(), failed: BTreeMap::new() }
    }

    /// Takes in a step that ended; one that runs again counts with its last result.
    pub(super) fn ended(&mut self, step: &StepId, outcome: &Outcome, duration: Duration) {
        if step.stage == Stage::Attach {
            return;
        }
        match outcome {
            Outcome::Failed { .. } => drop(self.failed.insert(step.clone(), outcome.clone())),
            Outcome::Succeeded => {
                self.failed.remove(step);
                if let (Stage::Build, Some(artifact)) = (step.stage, &step.artifact) {
                    // The image has what could not be synced.
                    self.failed.remove(&StepId::sync(artifact.clone()));
                }
            }
            Outcome::Cancelled => return,
        }
        self.parts.push(Part { step: step.clone(), duration });
    }

    /// Returns the fact that it ended.
    pub(super) fn end(self, save: u64) -> EventKind {
        let outcome = self.failed.into_values().next().unwrap_or(Outcome::Succeeded);
        EventKind::IterationEnded { save, first: self.first, outcome, duration: self.began.elapsed(), parts: self.parts }
    }
}
