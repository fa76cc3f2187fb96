//! Facts, in the past tense: the only thing that a user interface can show.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::BuiltImage;
use crate::Diagnostic;
use crate::Hold;
use crate::ImageName;
use crate::ImageRef;
use crate::Namespace;
use crate::ObjectKey;
use crate::Platform;
use crate::Reason;
use crate::StepId;

/// One fact, numbered and dated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Number in this session, from 1, without gaps.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub fact: EventKind,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// It did what it had to do.
    Succeeded,
    /// It did not.
    Failed {
        /// Why.
        diagnostic: Diagnostic,
    },
    /// It was stopped.
    Cancelled,
}

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It was not there.
    Created,
    /// It was there and differed.
    Configured,
    /// It was there as wanted; nothing was written.
    Unchanged,
    /// It left the manifests and was deleted.
    Pruned,
    /// It was deleted.
    Deleted,
}

/// What the build cache said of one artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CacheOutcome {
    /// The daemon has the image under the wanted tag.
    FoundLocally,
    /// The registry has the image under the wanted tag.
    FoundRemotely,
    /// The image is there and only needs the tag.
    FoundTagging,
    /// The daemon has the image; the registry does not.
    FoundPushing,
    /// It has to be built.
    NotFound,
}

/// Where a line of a step came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stream {
    /// Standard output, or the step's own words.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
pub enum EventKind {
    /// The program started.
    SessionStarted {
        /// devloop's version.
        version: String,
        /// The command, `run`.
        command: String,
    },
    /// The configuration was read.
    PlanLoaded {
        /// Artifacts in build order.
        artifacts: Vec<ImageName>,
        /// Profiles that are active.
        profiles: Vec<String>,
        /// Kubernetes context; none for commands that need no cluster.
        context: Option<String>,
        /// Namespace that objects without one go to.
        namespace: Option<Namespace>,
    },
    /// A step waits.
    StepHeld {
        /// The step.
        step: StepId,
        /// Why.
        hold: Hold,
    },
    /// A step started.
    StepStarted {
        /// The step.
        step: StepId,
        /// Why.
        reason: Reason,
    },
    /// A step came further.
    StepProgress {
        /// The step.
        step: StepId,
        /// What moves: `push sha256:1234`, `3/7 RUN go build`.
        label: String,
        /// How far, in the unit of `total`.
        done: u64,
        /// The whole; none if not known.
        total: Option<u64>,
        /// Whether `done` and `total` count bytes.
        bytes: bool,
    },
    /// A step said a line.
    StepLog {
        /// The step.
        step: StepId,
        /// Where it came from.
        stream: Stream,
        /// The line, without its newline.
        line: String,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        step: StepId,
        /// How.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
    },
    /// Tags are being made.
    TaggingStarted,
    /// An artifact got its tag.
    ImageTagged {
        /// The artifact.
        artifact: ImageName,
        /// The name and tag that it will have.
        reference: ImageRef,
    },
    /// The build cache is being asked.
    CacheCheckStarted,
    /// The build cache answered.
    CacheChecked {
        /// The artifact.
        artifact: ImageName,
        /// What it said.
        outcome: CacheOutcome,
        /// Why it has to be built; empty on a hit.
        causes: Vec<crate::RebuildCause>,
    },
    /// Nothing is built, because an option says so.
    BuildsSkipped {
        /// The option: `--dry-run=true`.
        option: String,
    },
    /// The platforms of a build are known.
    PlatformsResolved {
        /// The artifact.
        artifact: ImageName,
        /// What it is built for.
        platforms: Vec<Platform>,
    },
    /// Builds are about to start.
    BuildsStarted {
        /// What will be built.
        artifacts: Vec<ImageName>,
        /// How many at once.
        concurrency: usize,
    },
    /// An image is there to be deployed.
    ImageReady {
        /// The image.
        image: BuiltImage,
    },
    /// Images are put into the cluster's nodes without a registry.
    ImageLoaded {
        /// The image.
        image: BuiltImage,
        /// The cluster or node.
        into: String,
    },
    /// The images of this deploy are known.
    ImagesResolved {
        /// All of them.
        images: Vec<BuiltImage>,
    },
    /// An object was written, found unchanged, or deleted.
    ObjectChanged {
        /// The object.
        object: ObjectKey,
        /// What became of it.
        change: Change,
    },
    /// A watched object's readiness changed.
    Readiness {
        /// The object.
        object: ObjectKey,
        /// Whether it is ready now.
        ready: bool,
        /// In one line: `1 of 3 updated replicas are available`.
        message: String,
        /// Watched objects of this kind that are not ready yet.
        pending: usize,
        /// Watched objects of this kind.
        total: usize,
    },
    /// A container of ours wrote a line.
    PodLog {
        /// Namespace.
        namespace: Namespace,
        /// Pod.
        pod: String,
        /// Container.
        container: String,
        /// The artifact that runs in it, if it is one of ours.
        artifact: Option<ImageName>,
        /// The line, without its newline.
        line: String,
    },
    /// Something is not as it should be, and the command goes on.
    Warned {
        /// What.
        diagnostic: Diagnostic,
    },
    /// The program is about to end.
    SessionEnded {
        /// How.
        outcome: Outcome,
        /// How long it ran.
        duration: Duration,
    },
}
