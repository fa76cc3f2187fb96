//! Whether the image of an artifact was tested: as good as that, where it has no tests.

use super::Progress;
use crate::Reason;

/// How far the tests of an image are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Testing {
    /// Why they have to run; none if nothing asks for it.
    due: Option<Reason>,
    /// Why they run now.
    running: Option<Reason>,
    /// Whether they failed, and nothing changed since.
    failed: bool,
}

impl Testing {
    /// Asks for the tests, whatever came of them before.
    pub(super) fn ask(&mut self, reason: Reason) {
        *self = Self { due: Some(reason), running: self.running.take(), failed: false };
    }

    /// Asks for them once more where they failed.
    pub(super) fn retry(&mut self) {
        if std::mem::take(&mut self.failed) {
            self.due.get_or_insert(Reason::Retry);
        }
    }

    pub(super) fn started(&mut self, reason: &Reason) {
        *self = Self { due: None, running: Some(reason.clone()), failed: false };
    }

    pub(super) fn ended(&mut self, progress: Progress) {
        let reason = self.running.take();
        match progress {
            Progress::Failed => self.failed = self.due.is_none(),
            // What was stopped has still to be done.
            Progress::Cancelled => self.due = self.due.take().or(reason),
            Progress::Running | Progress::Succeeded => {}
        }
    }

    /// Returns why they have to run; none if nothing asks for it.
    pub(super) fn due(&self) -> Option<&Reason> {
        self.due.as_ref()
    }

    /// Returns whether they failed, and nothing changed since.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Returns whether the image may be run: they neither run nor failed.
    pub(super) fn holds_nothing(&self) -> bool {
        self.running.is_none() && !self.failed
    }
}
