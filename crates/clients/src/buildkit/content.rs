//! Directories of this machine as BuildKit's stores of blobs: containerd's content service on a session (`session/content` of BuildKit).

mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use devloop_model::Digest;
use futures::Stream;
use sha2::Digest as _;
use sha2::Sha256;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;
use tokio::io::AsyncWriteExt as _;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;

pub(super) use self::wire::ContentServer;
use self::wire::Info;
use self::wire::InfoRequest;
use self::wire::InfoResponse;
pub(super) use self::wire::METHODS;
use self::wire::ReadRequest;
use self::wire::ReadResponse;
use self::wire::WriteAction;
use self::wire::WriteRequest;
use self::wire::WriteResponse;
use super::session::Fault;
use crate::docker::DockerError;
use crate::registry::digest_from;

/// The header that says which store is meant (`session/content/attachable.go`).
const STORE_HEADER: &str = "buildkit-attachable-store-id";
/// How much goes into one message.
const PIECE_BYTES: u64 = 1 << 20;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The directories that a build may read blobs of and write blobs to, each an image layout, by the ID that BuildKit asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Stores {
    directories: Arc<BTreeMap<String, PathBuf>>,
    fault: Fault,
}

impl Stores {
    pub(super) fn new(directories: BTreeMap<String, PathBuf>, fault: Fault) -> Self {
        Self { directories: Arc::new(directories), fault }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    fn directory<T>(&self, request: &Request<T>) -> Result<PathBuf, Status> {
        let id = request.metadata().get(STORE_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
        self.directories.get(id).cloned().ok_or_else(|| Status::not_found(format!("no store `{id}` belongs to this build")))
    }

    fn failed(&self, path: &Path, error: &std::io::Error) -> Status {
        match error.kind() {
            std::io::ErrorKind::NotFound => Status::not_found(format!("{}: {error}", path.display())),
            _ => self.fault.set(DockerError::Cache { path: path.to_owned(), why: error.to_string() }),
        }
    }

    async fn info(self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let path = blob(&self.directory(&request)?, &request.get_ref().digest)?;
        let metadata = tokio::fs::metadata(&path).await.map_err(|error| self.failed(&path, &error))?;
        let info = Info { digest: request.into_inner().digest, size: metadata.len().cast_signed() };
        Ok(Response::new(InfoResponse { info: Some(info) }))
    }

    async fn read(self, request: Request<ReadRequest>) -> Result<Response<Answers<ReadResponse>>, Status> {
        let path = blob(&self.directory(&request)?, &request.get_ref().digest)?;
        let ReadRequest { offset, size, .. } = request.into_inner();
        let mut file = tokio::fs::File::open(&path).await.map_err(|error| self.failed(&path, &error))?;
        let start = u64::try_from(offset).map_err(|_| Status::out_of_range("before the start"))?;
        file.seek(std::io::SeekFrom::Start(start)).await.map_err(|error| self.failed(&path, &error))?;
        let left = u64::try_from(size).ok().filter(|size| *size > 0).unwrap_or(u64::MAX);
        let pieces = futures::stream::try_unfold((file, offset, left), move |(mut file, offset, left)| {
            let (stores, path) = (self.clone(), path.clone());
            async move {
                let mut data = Vec::new();
                let piece = (&mut file).take(left.min(PIECE_BYTES)).read_to_end(&mut data).await;
                let read = piece.map_err(|error| stores.failed(&path, &error))? as u64;
                let next = (file, offset + read.cast_signed(), left - read);
                Ok((read > 0).then_some((ReadResponse { offset, data }, next)))
            }
        });
        Ok(Response::new(Box::pin(pieces)))
    }

    fn write(self, request: Request<Streaming<WriteRequest>>) -> Result<Response<Answers<WriteResponse>>, Status> {
        let directory = self.directory(&request)?;
        let answers = futures::stream::try_unfold((request.into_inner(), None), move |(mut asked, mut ingest)| {
            let (stores, directory) = (self.clone(), directory.clone());
            async move {
                let Some(message) = asked.message().await? else { return Ok(None) };
                let failed = |error: std::io::Error| stores.failed(&directory, &error);
                let into = match &mut ingest {
                    Some(into) => into,
                    none => none.insert(Ingest::begin(&directory, &message).map_err(failed)?),
                };
                let answer = into.take(&message).await?.map_err(failed)?;
                Ok(Some((answer, (asked, ingest))))
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Returns where a blob is: a digest is the only way to name one, so that no name leads out of the directory.
fn blob(directory: &Path, digest: &str) -> Result<PathBuf, Status> {
    let digest = Digest::parse(digest).map_err(|_| Status::invalid_argument(format!("`{digest}` is no digest")))?;
    Ok(directory.join("blobs/sha256").join(digest.hex()))
}

/// A blob that is being written; what is not committed goes with this value.
#[derive(Debug)]
struct Ingest {
    directory: PathBuf,
    file: NamedTempFile,
    writer: tokio::fs::File,
    hash: Sha256,
    offset: u64,
    total: i64,
    expected: String,
}

impl Ingest {
    fn begin(directory: &Path, first: &WriteRequest) -> std::io::Result<Self> {
        let blobs = directory.join("blobs/sha256");
        std::fs::create_dir_all(&blobs)?;
        let file = NamedTempFile::new_in(directory)?;
        let writer = tokio::fs::File::from_std(file.reopen()?);
        let (total, expected) = (first.total, first.expected.clone());
        Ok(Self { directory: directory.to_owned(), file, writer, hash: Sha256::new(), offset: 0, total, expected })
    }

    /// Returns the answer to a message: an error of the protocol, or else one of the disk, or else what stands.
    async fn take(&mut self, message: &WriteRequest) -> Result<std::io::Result<WriteResponse>, Status> {
        let expected = if message.expected.is_empty() { self.expected.clone() } else { message.expected.clone() };
        if !expected.is_empty() && blob(&self.directory, &expected)?.exists() {
            return Err(Status::already_exists(format!("content {expected}")));
        }
        if message.action() != WriteAction::Stat && message.offset.cast_unsigned() != self.offset && !message.data.is_empty() {
            return Err(Status::out_of_range(format!("{} bytes are there, not {}", self.offset, message.offset)));
        }
        self.hash.update(&message.data);
        self.offset += message.data.len() as u64;
        if let Err(error) = self.writer.write_all(&message.data).await {
            return Ok(Err(error));
        }
        if message.action() != WriteAction::Commit {
            return Ok(Ok(self.answer(message.action(), String::new())));
        }
        let found = digest_from(&self.hash.clone().finalize()).to_string();
        if !expected.is_empty() && expected != found {
            return Err(Status::failed_precondition(format!("unexpected commit digest {found}, expected {expected}")));
        }
        let path = blob(&self.directory, &found)?;
        Ok(self.commit(&path).await.map(|()| self.answer(WriteAction::Commit, found)))
    }

    async fn commit(&mut self, path: &Path) -> std::io::Result<()> {
        self.writer.flush().await?;
        // The temporary file that this leaves goes with this value.
        std::fs::rename(self.file.path(), path)?;
        // Whoever may read the directory may read the cache: a temporary file is its owner's alone.
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
    }

    fn answer(&self, action: WriteAction, digest: String) -> WriteResponse {
        WriteResponse { action: action.into(), offset: self.offset.cast_signed(), total: self.total, digest }
    }
}
