//! What a build gives back: a file, in pieces (BuildKit's `filesync.proto`, `FileSend`).

use std::path::PathBuf;
use std::pin::Pin;

use bollard::moby::filesync::v1::BytesMessage;
use bollard::moby::filesync::v1::file_send_server::FileSend;
use futures::Stream;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;

use super::session::Fault;
use crate::docker::DockerError;

/// The file that an image is written to.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    path: PathBuf,
    fault: Fault,
}

impl Receiver {
    pub(super) fn new(path: PathBuf, fault: Fault) -> Self {
        Self { path, fault }
    }

    async fn receive(&self, mut pieces: Streaming<BytesMessage>) -> Result<(), Status> {
        let failed = |error: std::io::Error| self.fault.set(DockerError::File { path: self.path.clone(), why: error.to_string() });
        let mut file = tokio::fs::File::create(&self.path).await.map_err(failed)?;
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece?.data).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)
    }
}

#[async_trait::async_trait]
impl FileSend for Receiver {
    type DiffCopyStream = Pin<Box<dyn Stream<Item = Result<BytesMessage, Status>> + Send>>;

    async fn diff_copy(&self, request: Request<Streaming<BytesMessage>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        self.receive(request.into_inner()).await?;
        Ok(Response::new(Box::pin(futures::stream::empty())))
    }
}
