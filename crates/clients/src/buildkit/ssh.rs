//! SSH agents for `RUN --mount=type=ssh`: bytes between the build and a socket of ours.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bollard::moby::sshforward::v1::BytesMessage;
use bollard::moby::sshforward::v1::CheckAgentRequest;
use bollard::moby::sshforward::v1::CheckAgentResponse;
use bollard::moby::sshforward::v1::ssh_server::Ssh;
use devloop_model::Env;
use futures::Stream;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;

use crate::docker::DockerError;

/// The header that names the agent of a stream.
const ID_HEADER: &str = "buildkit.ssh.id";
/// The ID of an agent that a Dockerfile does not name.
const DEFAULT_ID: &str = "default";

/// The agents that a build may use.
#[derive(Debug, Clone)]
pub(super) struct Agents {
    sockets: Arc<HashMap<String, PathBuf>>,
}

impl Agents {
    /// Returns the agent in `default`, `id` or `id=socket`; without a socket, that of `SSH_AUTH_SOCK`.
    pub(super) fn parse(text: &str, env: &Env) -> Result<Self, DockerError> {
        let (id, path) = text.split_once('=').map_or((text, None), |(id, path)| (id, Some(PathBuf::from(path))));
        let fault = |why: String| DockerError::Secret { what: format!("SSH agent `{text}`"), why };
        let path = match path {
            Some(path) => path,
            None => env
                .get("SSH_AUTH_SOCK")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
                .ok_or_else(|| fault("SSH_AUTH_SOCK is not set: start `ssh-agent`".to_owned()))?,
        };
        let metadata = path.metadata().map_err(|error| fault(format!("`{}`: {error}", path.display())))?;
        if !is_socket(&metadata) {
            return Err(fault(format!("`{}` is a key, not the socket of an agent: `ssh-add` it and use `ssh: {id}`", path.display())));
        }
        let id = if id.is_empty() { DEFAULT_ID } else { id };
        Ok(Self { sockets: Arc::new(HashMap::from([(id.to_owned(), path)])) })
    }

    fn socket(&self, id: &str) -> Result<&PathBuf, Status> {
        let id = if id.is_empty() { DEFAULT_ID } else { id };
        self.sockets.get(id).ok_or_else(|| Status::not_found(format!("unset ssh forward key {id}")))
    }
}

#[cfg(unix)]
fn is_socket(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    metadata.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_socket(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[async_trait::async_trait]
impl Ssh for Agents {
    type ForwardAgentStream = Pin<Box<dyn Stream<Item = Result<BytesMessage, Status>> + Send>>;

    async fn check_agent(&self, request: Request<CheckAgentRequest>) -> Result<Response<CheckAgentResponse>, Status> {
        self.socket(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse::default()))
    }

    #[cfg(unix)]
    async fn forward_agent(&self, request: Request<Streaming<BytesMessage>>) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let socket = tokio::net::UnixStream::connect(self.socket(&id)?).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let (read, mut write) = socket.into_split();
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                if write.write_all(&message.data).await.is_err() {
                    break;
                }
            }
        });
        let outgoing = ReaderStream::new(read)
            .map(|bytes| bytes.map(|bytes| BytesMessage { data: bytes.into() }).map_err(|error| Status::unavailable(error.to_string())));
        Ok(Response::new(Box::pin(outgoing)))
    }

    #[cfg(not(unix))]
    async fn forward_agent(&self, _request: Request<Streaming<BytesMessage>>) -> Result<Response<Self::ForwardAgentStream>, Status> {
        Err(Status::unimplemented("SSH agents are reached by a Unix socket"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agents_are_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, key) = (dir.path().join("agent"), dir.path().join("key"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::fs::write(&key, "KEY").unwrap();
        let env = Env::new(BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), socket.display().to_string())]));
        for text in ["default".to_owned(), format!("default={}", socket.display())] {
            assert_eq!(Agents::parse(&text, &env).unwrap().socket("").unwrap(), &socket);
        }
        assert_eq!(Agents::parse("git", &env).unwrap().socket("git").unwrap(), &socket);
        assert!(Agents::parse("git", &env).unwrap().socket("").is_err());
        let shown = |text: &str, env: &Env| {
            Agents::parse(text, env).unwrap_err().diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR")
        };
        insta::assert_snapshot!(shown("default", &Env::default()), @r"
        error[docker/secret]: SSH agent `default` cannot be given to the build
          SSH_AUTH_SOCK is not set: start `ssh-agent`
        ");
        insta::assert_snapshot!(shown(&format!("git={}", key.display()), &env), @r"
        error[docker/secret]: SSH agent `git=DIR/key` cannot be given to the build
          `DIR/key` is a key, not the socket of an agent: `ssh-add` it and use `ssh: git`
        ");
    }
}
