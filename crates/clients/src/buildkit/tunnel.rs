//! A session over the connection that builds are asked for on: BuildKit carries its bytes in messages (`control.proto`, `Session`).

use bollard::moby::buildkit::v1::BytesMessage;
use bollard::moby::buildkit::v1::control_client::ControlClient;
use futures::FutureExt as _;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tonic::Request;
use tonic::metadata::MetadataKey;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;

use super::Session;
use crate::docker::DockerError;
use crate::docker::Wire;

/// How much may wait on its way, each way.
const BUFFER_BYTES: usize = 256 << 10;
/// How much goes into one message.
const MESSAGE_BYTES: usize = 32 << 10;

/// Returns what `session` is to be served on.
///
/// # Errors
/// When BuildKit does not take the session.
pub(super) async fn open(client: &mut ControlClient<Channel>, session: &Session) -> Result<Box<dyn Wire>, DockerError> {
    let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
    let (from_us, mut to_us) = tokio::io::split(theirs);
    let outgoing = futures::stream::unfold(from_us, |mut from_us| async {
        let mut data = Vec::with_capacity(MESSAGE_BYTES);
        // The end of our side is the end of the stream.
        from_us.read_buf(&mut data).await.ok().filter(|read| *read > 0)?;
        // What is being written right now goes along: thousands of small messages cost more than what is in them.
        while data.len() < MESSAGE_BYTES {
            tokio::task::yield_now().await;
            match from_us.read_buf(&mut data).now_or_never() {
                Some(Ok(read)) if read > 0 => {}
                _ => break,
            }
        }
        Some((BytesMessage { data }, from_us))
    });
    let mut request = Request::new(outgoing);
    for (name, value) in session.headers() {
        let name = MetadataKey::from_bytes(name.to_lowercase().as_bytes()).expect("headers have names");
        let value = MetadataValue::try_from(value).expect("no header of ours needs encoding");
        request.metadata_mut().append(name, value);
    }
    let failed = |status: tonic::Status| DockerError::BuildKit { what: "open a session".to_owned(), message: status.message().to_owned() };
    let mut incoming = client.session(request).await.map_err(failed)?.into_inner();
    tokio::spawn(async move {
        while let Some(Ok(message)) = incoming.next().await {
            if to_us.write_all(&message.data).await.is_err() {
                return;
            }
        }
        to_us.shutdown().await.ok();
    });
    Ok(Box::new(ours))
}
