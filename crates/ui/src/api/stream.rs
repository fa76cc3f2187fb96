//! Answers that go on for as long as the session: server-sent events, and JSON line by line.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::replay::Batch;
use super::replay::Reader;

/// How often a silent stream shows that it is alive; what stands between drops connections after a minute or so.
const ALIVE: Duration = Duration::from_secs(15);

/// Turns what was read into text for the client.
pub(crate) type Render = Box<dyn FnMut(Batch) -> String + Send>;

/// One client's stream.
pub(crate) struct Stream {
    /// Where it is.
    pub(crate) reader: Reader,
    /// How it is shown.
    pub(crate) render: Render,
    /// What comes before anything that is read.
    pub(crate) first: String,
    /// What a silent stream says; empty for clients that would not understand it.
    pub(crate) alive: &'static str,
    /// When nothing more will come.
    pub(crate) ended: CancellationToken,
}

impl Stream {
    /// Returns the answer of this media type.
    pub(crate) fn answer(self, media_type: &'static str) -> Response {
        let body = futures::stream::unfold(self, async |mut stream| {
            let text = stream.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
        });
        let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")];
        (headers, Body::from_stream(body)).into_response()
    }

    /// Returns the next text; none when the session has ended and all was said.
    async fn next(&mut self) -> Option<String> {
        if !self.first.is_empty() {
            return Some(std::mem::take(&mut self.first));
        }
        loop {
            // Asked before reading: what comes before the end is read.
            let ended = self.ended.is_cancelled();
            let batch = self.reader.take();
            if !batch.is_empty() {
                let text = (self.render)(batch);
                if text.is_empty() {
                    continue;
                }
                return Some(text);
            }
            if ended {
                return None;
            }
            tokio::select! {
                () = self.reader.changed() => {}
                () = self.ended.cancelled() => {}
                () = tokio::time::sleep(ALIVE), if !self.alive.is_empty() => return Some(self.alive.to_owned()),
            }
        }
    }
}
