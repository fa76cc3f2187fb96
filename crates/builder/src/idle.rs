//! Whether anybody has built anything lately.
//!
//! Processes that dial come and go, and tell through the time of a file.

use std::fs::File;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

/// How often it is looked at most.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Notes that something is being built.
pub(crate) fn note(root: &Path) {
    // A builder that cannot note it ends too early, and the next build makes another.
    drop(File::create(root.join("used")));
}

/// Returns once nobody has built anything for `limit`; never if that is zero.
pub(crate) async fn since(root: &Path, limit: Duration) {
    if limit.is_zero() {
        return std::future::pending().await;
    }
    let used = root.join("used");
    loop {
        let age =
            used.metadata().and_then(|metadata| metadata.modified()).map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
        let Some(rest) = limit.checked_sub(age.unwrap_or(limit)).filter(|rest| !rest.is_zero()) else { return };
        tokio::time::sleep(rest.min(LOOK_EVERY)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_note_postpones_the_end() {
        let root = tempfile::tempdir().unwrap();
        since(root.path(), Duration::from_mins(1)).await;
        note(root.path());
        let waiting = since(root.path(), Duration::from_mins(1));
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        File::open(root.path().join("used")).unwrap().set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
        since(root.path(), Duration::from_mins(1)).await;
    }
}
