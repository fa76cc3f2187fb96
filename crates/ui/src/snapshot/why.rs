//! Why things happened: the last reasons of an artifact's steps, and of the steps that all artifacts share.

use devloop_model::CacheOutcome;
use devloop_model::ImageName;
use devloop_model::RebuildCause;
use serde::Deserialize;
use serde::Serialize;

use super::Held;
use super::Snapshot;
use super::StepRecord;
use super::Synced;

/// Why the steps of an artifact, or those that all share, ran last or wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The artifact; none for the steps that all artifacts share.
    pub artifact: Option<ImageName>,
    /// Its image, as manifests are given it.
    pub image: Option<String>,
    /// The last save that the image, or the files in its containers, contain.
    pub save: Option<u64>,
    /// What the build cache said last.
    pub cache: Option<CacheOutcome>,
    /// Why its last build was needed.
    pub causes: Vec<RebuildCause>,
    /// What was synced last.
    pub synced: Option<Synced>,
    /// The last run of each step, in the order in which they started.
    pub steps: Vec<StepRecord>,
    /// What waits.
    pub holds: Vec<Held>,
}

impl Snapshot {
    /// Returns why the steps of `artifact` ran, and then why those did that all artifacts share.
    pub fn explain(&self, artifact: &ImageName) -> Vec<Explanation> {
        vec![self.explanation(Some(artifact)), self.explanation(None)]
    }

    /// Returns why the steps of each artifact ran, in build order, and then why those did that all share.
    pub fn explain_all(&self) -> Vec<Explanation> {
        let of_artifacts = self.artifacts.iter().map(|record| self.explanation(Some(&record.artifact)));
        of_artifacts.chain([self.explanation(None)]).collect()
    }

    fn explanation(&self, artifact: Option<&ImageName>) -> Explanation {
        let record = artifact.and_then(|name| self.artifact(name)).cloned();
        let mut steps: Vec<StepRecord> = self.steps.iter().filter(|step| step.step.artifact.as_ref() == artifact).cloned().collect();
        steps.sort_by_key(|step| step.started);
        let holds = self.holds.iter().filter(|held| held.step.artifact.as_ref() == artifact).cloned().collect();
        let shared = Explanation { artifact: artifact.cloned(), steps, holds, ..Explanation::default() };
        record.map_or(shared.clone(), |record| Explanation {
            image: record.image.map(|image| image.deployed()),
            save: record.save,
            cache: record.cache,
            causes: record.causes,
            synced: record.synced,
            ..shared
        })
    }
}
