//! The single internal seam: live in the program, fake in the tests of the loop.

use std::path::PathBuf;

use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Touched;

use crate::Graph;
use crate::Work;

/// Does the work of steps, and knows what files mean to them.
#[async_trait::async_trait]
pub trait Stages: Send + Sync {
    /// Returns the artifacts, and which needs which; they change when the configuration is read again.
    fn graph(&self) -> Graph;

    /// Does `work`, and keeps its product for the steps after it.
    ///
    /// # Errors
    /// What went wrong, in the user's words. When `cx` was cancelled, the error is ignored.
    async fn run(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic>;

    /// Returns what a change of these files, which are absolute paths, concerns.
    async fn touched(&self, files: &[PathBuf], cx: &Cx) -> Touched;

    /// Returns what concerns everything, for changes that nobody can name.
    fn everything(&self) -> Touched;

    /// Does what is left to do when a watching session ends, after what it deployed is deleted if `deleted`.
    async fn leave(&self, deleted: bool, cx: &Cx);
}
