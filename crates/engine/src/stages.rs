//! The single internal seam: live in the program, fake in the tests of the loop.

use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::StepId;

/// Does the work of a step.
#[async_trait::async_trait]
pub trait Stages: Send + Sync {
    /// Does the work of `step`, and keeps its product for the steps after it.
    ///
    /// # Errors
    /// What went wrong, in the user's words. When `cx` was cancelled, the error is ignored.
    async fn run(&self, step: &StepId, cx: &Cx) -> Result<(), Diagnostic>;
}
