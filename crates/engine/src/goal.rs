//! What a command is after: the stages that it runs, in order.

use devloop_model::Stage;

use crate::ImageSource;

/// The stages that a command runs; each starts when the ones before it are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    stages: Vec<Stage>,
    watches: bool,
}

impl Goal {
    /// Returns the goal of one stage alone.
    pub fn first(stage: Stage) -> Self {
        Self { stages: vec![stage], watches: false }
    }

    /// Returns the goal of `devloop build`.
    pub fn build() -> Self {
        Self { stages: vec![Stage::Prepare, Stage::Build], watches: false }
    }

    /// Returns the goal of having images from `source`.
    pub fn for_images(source: &ImageSource) -> Self {
        match source {
            ImageSource::Build => Self::build(),
            ImageSource::Tags | ImageSource::Registry => Self::first(Stage::Prepare),
            ImageSource::Given(_) | ImageSource::None => Self { stages: Vec::new(), watches: false },
        }
    }

    /// Returns the goal of `devloop test`: images that are there are tested.
    pub fn test() -> Self {
        Self::first(Stage::Test)
    }

    /// Returns the goal of a deploy of images that are there.
    pub fn deploy() -> Self {
        Self { stages: vec![Stage::Render, Stage::Deploy], watches: false }
    }

    /// Returns the goal of `devloop dev`: all of it, again and again.
    pub fn dev(checks_status: bool) -> Self {
        let before = [Stage::Configure, Stage::Prepare, Stage::Build, Stage::Test, Stage::Sync, Stage::Render, Stage::Deploy];
        let stages = before.into_iter().chain(checks_status.then_some(Stage::StatusCheck)).chain([Stage::Attach]);
        Self { stages: stages.collect(), watches: true }
    }

    /// Returns whether what is done is done again when something changes, until the session is ended.
    pub fn watches(&self) -> bool {
        self.watches
    }

    /// Returns this goal with another stage after the ones it has.
    #[must_use]
    pub fn then(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Returns this goal with `stage` after the ones it has, if `wanted`.
    #[must_use]
    pub fn then_if(self, wanted: bool, stage: Stage) -> Self {
        if wanted { self.then(stage) } else { self }
    }

    /// Returns the stages.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}
