//! What is not there yet.

use std::time::Duration;

use tokio::time::Instant;

/// Returns what `make` makes: it is called again until it succeeds, and gives its last error once `limit` is over.
///
/// # Errors
/// When it never does.
pub(crate) async fn until_made<T, E, F: Future<Output = Result<T, E>>>(
    limit: Duration,
    every: Duration,
    make: impl Fn() -> F,
) -> Result<T, E> {
    let give_up = Instant::now() + limit;
    loop {
        match make().await {
            Err(_) if Instant::now() < give_up => tokio::time::sleep(every).await,
            made => return made,
        }
    }
}
