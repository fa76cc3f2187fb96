//! SSH agents for `RUN --mount=type=ssh`: bytes between the build and a socket of ours.

mod own_agent;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bollard::moby::sshforward::v1::BytesMessage;
use bollard::moby::sshforward::v1::CheckAgentRequest;
use bollard::moby::sshforward::v1::CheckAgentResponse;
use bollard::moby::sshforward::v1::ssh_server::Ssh;
use devloop_model::Cx;
use futures::Stream;
use futures::StreamExt as _;
use own_agent::OwnAgent;
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
    /// Ends when nobody can ask it any more.
    _own: Option<Arc<OwnAgent>>,
}

impl Agents {
    /// Returns the agent in `default`, `id`, `id=socket` or `id=key,key`; without a path, that of `SSH_AUTH_SOCK`.
    ///
    /// What is allowed is that of `docker build --ssh`. Keys in files get an agent of their own for the build.
    pub(super) async fn open(text: &str, cx: &Cx) -> Result<Self, DockerError> {
        let (id, paths) = text.split_once('=').unwrap_or((text, ""));
        let fault = |why: String| DockerError::Secret { what: format!("SSH agent `{text}`"), why };
        let mut paths: Vec<PathBuf> = paths.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
        if paths.is_empty() {
            let socket = cx.env.get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
            paths.push(socket.ok_or_else(|| fault("SSH_AUTH_SOCK is not set: start `ssh-agent`".to_owned()))?);
        }
        let mut has_socket = false;
        for path in &paths {
            has_socket |= is_socket(&path.metadata().map_err(|error| fault(format!("`{}`: {error}", path.display())))?);
        }
        let own = match (has_socket, paths.as_slice()) {
            (true, [_]) => None,
            (true, _) => return Err(fault("name one socket, or keys".to_owned())),
            (false, keys) => Some(OwnAgent::start(keys, cx).await.map_err(fault)?),
        };
        let socket = own.as_ref().map_or_else(|| paths[0].clone(), |own| own.socket().to_owned());
        let id = if id.is_empty() { DEFAULT_ID } else { id };
        Ok(Self { sockets: Arc::new(HashMap::from([(id.to_owned(), socket)])), _own: own.map(Arc::new) })
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
    use std::path::Path;
    use std::process::Command;

    use devloop_model::Env;
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    /// Returns a step whose environment names this agent, if any.
    fn cx(socket: Option<&Path>) -> Cx {
        let path = ("PATH".to_owned(), std::env::var("PATH").unwrap());
        let socket = socket.map(|socket| ("SSH_AUTH_SOCK".to_owned(), socket.display().to_string()));
        let mut cx = Cx::silent(StepId::of(Stage::Build));
        cx.env = Env::new([path].into_iter().chain(socket).collect());
        cx
    }

    fn make_key(file: &Path, passphrase: &str) {
        let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-C", "of a test", "-N", passphrase, "-f"]).arg(file).status();
        assert!(status.unwrap().success());
    }

    #[tokio::test]
    async fn agents_are_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let cx = cx(Some(&socket));
        for text in ["default".to_owned(), format!("default={}", socket.display())] {
            assert_eq!(Agents::open(&text, &cx).await.unwrap().socket("").unwrap(), &socket);
        }
        assert_eq!(Agents::open("git", &cx).await.unwrap().socket("git").unwrap(), &socket);
        assert!(Agents::open("git", &cx).await.unwrap().socket("").is_err());
    }

    #[tokio::test]
    async fn keys_have_an_agent_that_ends_with_the_build() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        make_key(&one, "");
        make_key(&two, "");
        let agents = Agents::open(&format!("git={},{}", one.display(), two.display()), &cx(None)).await.unwrap();
        let socket = agents.socket("git").unwrap().clone();
        let listed = Command::new("ssh-add").arg("-l").env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert_eq!(String::from_utf8(listed.stdout).unwrap().matches("of a test").count(), 2);
        drop(agents);
        tokio::time::timeout(std::time::Duration::from_secs(10), async {
            while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn what_is_no_agent_and_no_key_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (locked, key) = (dir.path().join("locked"), dir.path().join("key"));
        make_key(&locked, "correct horse");
        std::fs::write(&key, "KEY").unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut shown = Vec::new();
        for text in ["default".to_owned(), format!("git={}", locked.display()), format!("git={}", key.display())] {
            let error = Agents::open(&text, &cx(None)).await.unwrap_err();
            shown.push(error.diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR"));
        }
        insta::assert_snapshot!(shown.join("\n"), @r"
        error[docker/secret]: SSH agent `default` cannot be given to the build
          SSH_AUTH_SOCK is not set: start `ssh-agent`
        error[docker/secret]: SSH agent `git=DIR/locked` cannot be given to the build
          `DIR/locked`: `ssh-add` ended with exit status: 1; a key with a passphrase has to be added to your agent: `ssh-add` it and name no file
        error[docker/secret]: SSH agent `git=DIR/key` cannot be given to the build
          `DIR/key`: `ssh-add` ended with exit status: 1; a key with a passphrase has to be added to your agent: `ssh-add` it and name no file
        ");
    }
}
