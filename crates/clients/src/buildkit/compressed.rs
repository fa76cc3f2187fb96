//! A connection whose bytes are compressed on their way.
//!
//! BuildKit is told the state of every file of a context with every build, which is megabytes for a large one, and of
//! which nearly all is the same words again. Whatever is written is sent whole once it is flushed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use async_compression::Level;
use async_compression::tokio::bufread::DeflateDecoder;
use async_compression::tokio::write::DeflateEncoder;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::BufReader;
use tokio::io::ReadBuf;

use crate::docker::Wire;

/// A connection that counts what is written to it.
struct Counted<W> {
    wire: W,
    bytes: Arc<AtomicU64>,
}

/// Returns `wire`, which adds what is written to it to `bytes`.
pub fn counted(wire: impl Wire + 'static, bytes: Arc<AtomicU64>) -> impl Wire + 'static {
    Counted { wire, bytes }
}

impl<W: AsyncRead + Unpin> AsyncRead for Counted<W> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buf)
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Counted<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = written {
            self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// Returns `wire` with everything on it compressed, in both directions; the other end has to do so as well.
pub fn compressed(wire: impl Wire + 'static) -> impl Wire + 'static {
    let (reader, writer) = tokio::io::split(wire);
    tokio::io::join(DeflateDecoder::new(BufReader::new(reader)), DeflateEncoder::with_quality(writer, Level::Precise(4)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_flushed_arrives_at_once() {
        let (one, other) = tokio::io::duplex(1 << 16);
        let (mut one, mut other) = (compressed(one), compressed(other));
        for round in 0..3 {
            let sent = format!("hello {round} ").repeat(1000);
            one.write_all(sent.as_bytes()).await.unwrap();
            one.flush().await.unwrap();
            let mut got = vec![0; sent.len()];
            tokio::time::timeout(Duration::from_secs(10), other.read_exact(&mut got)).await.expect("it arrives").unwrap();
            assert_eq!(got, sent.as_bytes());
            other.write_all(b"pong").await.unwrap();
            other.flush().await.unwrap();
            let mut pong = [0; 4];
            tokio::time::timeout(Duration::from_secs(10), one.read_exact(&mut pong)).await.expect("it arrives").unwrap();
        }
    }

    #[tokio::test]
    async fn words_that_come_again_cost_little() {
        let (one, mut raw) = tokio::io::duplex(1 << 20);
        let mut one = compressed(one);
        for number in 0..10_000 {
            one.write_all(format!("web/data/file-{number:06} mode 100644 size 12 uid 0 gid 0\n").as_bytes()).await.unwrap();
        }
        one.shutdown().await.unwrap();
        drop(one);
        let mut sent = Vec::new();
        raw.read_to_end(&mut sent).await.unwrap();
        assert!(sent.len() < 100_000, "{} bytes of 540,000", sent.len());
    }
}
