//! Steps: one stage on one noun.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::ImageName;

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The configuration read again, because it changed.
    Configure,
    /// Inputs listed and hashed, tags made, the build cache asked: for all artifacts at once.
    Prepare,
    /// One artifact built and delivered.
    Build,
    /// One image tested.
    Test,
    /// Changed files of one artifact brought into its running containers.
    Sync,
    /// Manifests rendered.
    Render,
    /// Manifests applied.
    Deploy,
    /// Objects watched until they are ready.
    StatusCheck,
    /// Logs followed, ports forwarded, containers watched for file sync.
    Attach,
    /// Objects deleted.
    Delete,
    /// Tests of a deployment run.
    Verify,
    /// A custom action run.
    Exec,
}

/// One stage on one noun; the noun is an artifact where the stage works on one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepId {
    /// The stage.
    pub stage: Stage,
    /// The artifact, for [`Stage::Build`], [`Stage::Test`] and [`Stage::Sync`].
    pub artifact: Option<ImageName>,
}

impl StepId {
    /// Returns the step of a stage that works on everything at once.
    pub fn of(stage: Stage) -> Self {
        Self { stage, artifact: None }
    }

    /// Returns the step that builds `artifact`.
    pub fn build(artifact: ImageName) -> Self {
        Self { stage: Stage::Build, artifact: Some(artifact) }
    }

    /// Returns the step that tests the image of `artifact`.
    pub fn test(artifact: ImageName) -> Self {
        Self { stage: Stage::Test, artifact: Some(artifact) }
    }

    /// Returns the step that syncs files of `artifact`.
    pub fn sync(artifact: ImageName) -> Self {
        Self { stage: Stage::Sync, artifact: Some(artifact) }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Configure => "configuration",
            Stage::Prepare => "prepare",
            Stage::Build => "build",
            Stage::Test => "test",
            Stage::Sync => "sync",
            Stage::Render => "render",
            Stage::Deploy => "deploy",
            Stage::StatusCheck => "status check",
            Stage::Attach => "attach",
            Stage::Delete => "delete",
            Stage::Verify => "verify",
            Stage::Exec => "action",
        };
        match &self.artifact {
            Some(artifact) => write!(f, "{stage} of {artifact}"),
            None => f.write_str(stage),
        }
    }
}
