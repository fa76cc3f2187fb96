//! What a command is after: the stages that it runs, in order.

use devloop_model::Stage;

use crate::ImageSource;

/// The stages that a command runs; each starts when the ones before it are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal(Vec<Stage>);

impl Goal {
    /// Returns the goal of one stage alone.
    pub fn first(stage: Stage) -> Self {
        Self(vec![stage])
    }

    /// Returns the goal of `devloop build`.
    pub fn build() -> Self {
        Self(vec![Stage::Prepare, Stage::Build])
    }

    /// Returns the goal of having images from `source`.
    pub fn for_images(source: &ImageSource) -> Self {
        match source {
            ImageSource::Build => Self::build(),
            ImageSource::Tags | ImageSource::Registry => Self::first(Stage::Prepare),
            ImageSource::Given(_) | ImageSource::None => Self(Vec::new()),
        }
    }

    /// Returns the goal of a deploy of images that are there.
    pub fn deploy() -> Self {
        Self(vec![Stage::Render, Stage::Deploy])
    }

    /// Returns this goal with another stage after the ones it has.
    #[must_use]
    pub fn then(mut self, stage: Stage) -> Self {
        self.0.push(stage);
        self
    }

    /// Returns this goal with `stage` after the ones it has, if `wanted`.
    #[must_use]
    pub fn then_if(self, wanted: bool, stage: Stage) -> Self {
        if wanted { self.then(stage) } else { self }
    }

    /// Returns the stages.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }
}
