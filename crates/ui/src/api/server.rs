//! Connections: how many, how long, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at once: editors, a browser's tabs, a few scripts.
const CONNECTIONS: usize = 128;

/// How long a client may take to say what it wants.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// How long clients have to read the last events.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long to wait where no connection can be accepted: too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// A request line and headers; nobody needs more.
const HEADER_BYTES: usize = 32 << 10;

/// Serves until `cancel`, and then for as long as clients read, a second at most.
pub(crate) async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Some(permit) = unless(&cancel, Arc::clone(&places).acquire_owned()).await {
        let Some(accepted) = unless(&cancel, listener.accept()).await else { break };
        match accepted {
            Ok((stream, _)) => {
                let served = connection(stream, router.clone(), cancel.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    served.await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to the API cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Whoever does not read by then is cut off: the set is dropped.
    drop(tokio::time::timeout(FAREWELL, all).await);
}

async fn unless<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        done = work => Some(done),
    }
}

async fn connection(stream: TcpStream, router: Router, cancel: CancellationToken) {
    // Events are small and wanted now.
    drop(stream.set_nodelay(true));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE).max_buf_size(HEADER_BYTES);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = cancel.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the API ended early");
    }
}
