//! One process at a time works on a copy.

use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use devloop_model::Cx;

use super::CheckoutError;

/// How often a lock of another process is tried: the system has no call that waits and can be cancelled.
const POLL: Duration = Duration::from_millis(50);

/// Returns the lock on a file, which the system frees when this process ends.
pub(super) async fn locked(path: &Path, cx: &Cx) -> Result<File, CheckoutError> {
    let io = |source| CheckoutError::Io { directory: path.to_owned(), source };
    let file = File::options().create(true).append(true).open(path).map_err(io)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                cx.unless_cancelled(tokio::time::sleep(POLL)).await.map_err(|_| CheckoutError::Interrupted)?;
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
    }
}
