//! Facts, in the past tense: the only thing that a user interface can show.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::AutoStage;
use crate::BuiltImage;
use crate::DebuggingContainer;
use crate::Diagnostic;
use crate::ForwardSource;
use crate::ForwardState;
use crate::Hold;
use crate::ImageName;
use crate::ImageRef;
use crate::Namespace;
use crate::ObjectKey;
use crate::Platform;
use crate::Reason;
use crate::StepId;
use crate::Touched;

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
    /// It would be deleted, if this was not a dry run.
    Deletable,
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

/// A part of an iteration, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The step.
    pub step: StepId,
    /// How long it ran.
    pub duration: Duration,
}

/// An artifact of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedArtifact {
    /// Its name.
    pub image: ImageName,
    /// What builds it, as the configuration calls it: `docker`.
    pub builder: String,
    /// The build context, relative to the directory that the session was started in.
    pub context: String,
    /// The Dockerfile, relative to the context; none for builders without one.
    pub dockerfile: Option<String>,
}

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchMode {
    /// The operating system tells.
    Notify,
    /// Files are looked at again and again.
    Polling,
    /// Files are looked at when asked.
    Manual,
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
        artifacts: Vec<PlannedArtifact>,
        /// How many modules render with each renderer: `rawYaml`.
        #[serde(default)]
        renderers: BTreeMap<String, usize>,
        /// How many modules deploy with each deployer: `kubectl`.
        #[serde(default)]
        deployers: BTreeMap<String, usize>,
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
    /// The inputs of an artifact were listed, for a diagnosis.
    InputsListed {
        /// The artifact.
        artifact: ImageName,
        /// How many files.
        files: usize,
        /// How large they are together.
        bytes: u64,
        /// How long it took to list them.
        duration: Duration,
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
        /// Everything that goes into the image, as one hash: the same key is the same image.
        #[serde(default)]
        key: String,
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
    /// An image is in its registry now, as the last part of its build.
    ImagePushed {
        /// The artifact.
        artifact: ImageName,
        /// How long that took.
        duration: Duration,
    },
    /// One test of an image started.
    TestStarted {
        /// The image.
        artifact: ImageName,
        /// Which of its tests, from 0, in the order of the configuration.
        index: usize,
        /// What it is called: its command, or the files that it reads.
        name: String,
    },
    /// One test of an image ended.
    TestFinished {
        /// The image.
        artifact: ImageName,
        /// Which of its tests.
        index: usize,
        /// What it is called.
        name: String,
        /// How.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
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
        /// The paths of its fields that are different from before: `spec.template.spec.containers[web].image`.
        #[serde(default)]
        fields: Vec<String>,
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
        /// Namespace; empty for a container of the container daemon.
        namespace: Namespace,
        /// Pod; empty likewise.
        pod: String,
        /// Container.
        container: String,
        /// The artifact that runs in it, if it is one of ours.
        artifact: Option<ImageName>,
        /// The line, without its newline.
        line: String,
    },
    /// A container that runs to its end was started: a test of `verify`, or of a custom action.
    TaskStarted {
        /// The step that it belongs to.
        step: StepId,
        /// Its name.
        task: String,
    },
    /// It ended.
    TaskFinished {
        /// The step that it belongs to.
        step: StepId,
        /// Its name.
        task: String,
        /// How.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
    },
    /// Files are watched; said again when there are more or fewer of them.
    Watching {
        /// How.
        mode: WatchMode,
        /// How many files count.
        files: usize,
        /// How many directories are watched.
        directories: usize,
    },
    /// Something woke the loop: a save, or the first pass, which is number 1.
    Triggered {
        /// Number of the save in this session; steps that start from now on contain it.
        save: u64,
        /// What it touches.
        touched: Touched,
        /// How long ago the first of its changes happened.
        waited: Duration,
    },
    /// A person or a program asked for something.
    Commanded {
        /// What.
        command: crate::Command,
    },
    /// All that a save asked for is done, or has failed.
    IterationEnded {
        /// The last save that is in it.
        save: u64,
        /// The first one.
        #[serde(default)]
        first: u64,
        /// How it ended.
        outcome: Outcome,
        /// From the first change of its first save until now.
        duration: Duration,
        /// Its steps, in the order in which they ended.
        parts: Vec<Part>,
    },
    /// A changed configuration holds from now on.
    PlanChanged {
        /// Artifacts that are new in it, or built in another way than before.
        artifacts: Vec<ImageName>,
        /// Images that are tested in another way than before, or not any more.
        #[serde(default)]
        tests: Vec<ImageName>,
    },
    /// A changed configuration is wrong; the last good plan stays.
    PlanRejected {
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// Manifests were rendered.
    ManifestsRendered {
        /// How many objects.
        objects: usize,
        /// A hash of them all: the same hash is the same manifests.
        hash: String,
    },
    /// Whether a stage acts on changes by itself was switched.
    AutoSwitched {
        /// The stage.
        stage: AutoStage,
        /// Whether it acts by itself now.
        enabled: bool,
    },
    /// Everything is held, or goes on.
    Paused {
        /// Whether everything is held now.
        paused: bool,
    },
    /// Files were brought into the running containers of an artifact.
    FilesSynced {
        /// The artifact.
        artifact: ImageName,
        /// How many files were added or changed.
        copied: usize,
        /// How many were deleted.
        deleted: usize,
        /// How many containers have them now.
        containers: usize,
        /// Whether a new container was brought up to date, rather than all of them for a save.
        replayed: bool,
    },
    /// A forwarded port's state changed.
    PortForwarded {
        /// What is forwarded.
        source: ForwardSource,
        /// The local address that listens.
        address: String,
        /// The local port that listens; it stays the same for the whole session.
        local_port: u16,
        /// The port in the pod, once it is known.
        remote_port: Option<u16>,
        /// How it is.
        state: ForwardState,
    },
    /// A forwarded port answered an HTTP request for the first time.
    UrlAnswered {
        /// What is forwarded.
        source: ForwardSource,
        /// Where to look: `http://127.0.0.1:8080`.
        url: String,
    },
    /// A container runs under a debugger.
    DebuggingStarted {
        /// Which, and where its debugger listens.
        container: DebuggingContainer,
    },
    /// It does no longer: it ended, or its pod is on its way out.
    DebuggingEnded {
        /// Which.
        container: DebuggingContainer,
    },
    /// The API of this session listens.
    ApiServed {
        /// Where: `http://127.0.0.1:50052`.
        url: String,
    },
    /// Images that this session built and no longer needs were deleted.
    ImagesPruned {
        /// How many.
        images: usize,
        /// Whether the session is about to end, rather than to go on with others.
        #[serde(default)]
        at_end: bool,
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
