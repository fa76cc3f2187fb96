//! Telling what is slow from what is dead.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// When bytes last moved: a slow upload is no stalled one.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Mutex<Instant>>);

impl Activity {
    /// Returns one that has just moved.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Notes that something moved.
    pub(crate) fn mark(&self) {
        *self.0.lock().expect("no holder of this lock panics") = Instant::now();
    }

    /// Returns once nothing moved for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            let end = *self.0.lock().expect("no holder of this lock panics") + limit;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
