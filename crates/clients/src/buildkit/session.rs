//! What a build asks of us while it runs: files, secrets, credentials, SSH agents.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;

use bollard::health::HealthCheckRequest;
use bollard::health::HealthCheckResponse;
use bollard::health::HealthListRequest;
use bollard::health::HealthListResponse;
use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::Health;
use bollard::health::health_server::HealthServer;
use bollard::moby::buildkit::secrets::v1::GetSecretRequest;
use bollard::moby::buildkit::secrets::v1::GetSecretResponse;
use bollard::moby::buildkit::secrets::v1::secrets_server::Secrets;
use bollard::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard::moby::filesync::v1::CredentialsRequest;
use bollard::moby::filesync::v1::CredentialsResponse;
use bollard::moby::filesync::v1::FetchTokenRequest;
use bollard::moby::filesync::v1::FetchTokenResponse;
use bollard::moby::filesync::v1::GetTokenAuthorityRequest;
use bollard::moby::filesync::v1::GetTokenAuthorityResponse;
use bollard::moby::filesync::v1::VerifyTokenAuthorityRequest;
use bollard::moby::filesync::v1::VerifyTokenAuthorityResponse;
use bollard::moby::filesync::v1::auth_server::Auth;
use bollard::moby::filesync::v1::auth_server::AuthServer;
use bollard::moby::filesync::v1::file_send_server::FileSendServer;
use bollard::moby::filesync::v1::file_sync_server::FileSyncServer;
use bollard::moby::sshforward::v1::ssh_server::SshServer;
use devloop_model::BuildSecret;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::SecretSource;
use futures::Stream;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::transport::server::Connected;

use super::LARGEST_MESSAGE;
use super::Output;
use super::content;
use super::content::ContentServer;
use super::content::Stores;
use super::filesync::Files;
use super::local_cache::Caches;
use super::receive::Receiver;
use super::ssh::Agents;
use crate::docker::BuildRequest;
use crate::docker::DockerError;
use crate::docker::Wire;
use crate::registry::Secret;
use crate::registry::credentials;

/// The largest secret, by BuildKit's own limit.
const LARGEST_SECRET: u64 = 500 << 10;
/// The name under which the Dockerfile is served, wherever it is.
pub(super) const DOCKERFILE_NAME: &str = "Dockerfile";

/// The first thing that we could not give to a build; BuildKit only repeats it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<DockerError>>>);

impl Fault {
    pub(super) fn set(&self, error: DockerError) -> Status {
        let status = Status::internal(error.to_string());
        self.0.lock().expect("no holder of this lock panics").get_or_insert(error);
        status
    }
}

/// A session: services for one build, under one ID.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    shared_key: String,
    fault: Fault,
    files: Files,
    secrets: SecretStore,
    agents: Option<Agents>,
    logins: Logins,
    receiver: Option<Receiver>,
    caches: Caches,
    stores: Stores,
}

/// Serving a session; it ends with this value, and so does its connection.
#[derive(Debug)]
pub(crate) struct Serving {
    server: tokio::task::JoinHandle<()>,
    /// The server gives its connection to a task of its own, which an end of the server does not end.
    _connection: DropGuard,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Session {
    /// Returns the session for a build; secrets that are not there are found now, before anything is built.
    pub(crate) async fn new(request: &BuildRequest, output: &Output, env: &Env, cx: &Cx) -> Result<Self, DockerError> {
        let agents = match &request.ssh {
            Some(ssh) => Some(Agents::open(ssh, cx).await?),
            None => None,
        };
        let fault = Fault::default();
        let caches = Caches::of(request)?;
        let key = crate::registry::digest_of(request.context.as_os_str().as_encoded_bytes());
        Ok(Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            shared_key: key.hex().to_owned(),
            files: Files::new(request, fault.clone(), cx),
            secrets: SecretStore::new(&request.secrets, cx)?,
            agents,
            logins: Logins { env: env.clone(), cx: cx.clone() },
            receiver: match output {
                Output::Archive { path, .. } => Some(Receiver::new(path.clone(), fault.clone())),
                Output::Daemon | Output::Push { .. } | Output::Nowhere => None,
            },
            stores: Stores::new(caches.stores.clone(), fault.clone()),
            caches,
            fault,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Returns what went wrong on our side, once.
    pub(super) fn fault(&self) -> Option<DockerError> {
        self.fault.0.lock().expect("no holder of this lock panics").take()
    }

    /// Returns the headers that announce this session to a daemon (`session/manager` of BuildKit).
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", self.id.clone()),
            ("X-Docker-Expose-Session-Name", "devloop".to_owned()),
            // Of the same directory, only what changed since the last build is asked for.
            ("X-Docker-Expose-Session-Sharedkey", self.shared_key.clone()),
        ];
        let mut methods = vec![
            "/grpc.health.v1.Health/Check",
            "/moby.filesync.v1.FileSync/DiffCopy",
            "/moby.filesync.v1.Auth/Credentials",
            "/moby.buildkit.secrets.v1.Secrets/GetSecret",
        ];
        if self.receiver.is_some() {
            methods.push("/moby.filesync.v1.FileSend/DiffCopy");
        }
        if !self.stores.is_empty() {
            methods.extend(content::METHODS);
        }
        if self.agents.is_some() {
            methods.extend(["/moby.sshforward.v1.SSH/CheckAgent", "/moby.sshforward.v1.SSH/ForwardAgent"]);
        }
        headers.extend(methods.into_iter().map(|method| ("X-Docker-Expose-Session-Grpc-Method", method.to_owned())));
        headers
    }

    /// Serves this session on a connection that the daemon has given over, until the value is dropped.
    pub(crate) fn serve(&self, wire: Box<dyn Wire>) -> Serving {
        let sync =
            FileSyncServer::new(self.files.clone()).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE);
        let router = tonic::transport::Server::builder()
            .add_service(HealthServer::new(Alive))
            .add_service(sync)
            .add_service(AuthServer::new(self.logins.clone()))
            .add_service(SecretsServer::new(self.secrets.clone()))
            .add_optional_service(
                self.receiver.clone().map(|receiver| FileSendServer::new(receiver).max_decoding_message_size(LARGEST_MESSAGE)),
            )
            .add_optional_service((!self.stores.is_empty()).then(|| ContentServer(self.stores.clone())))
            .add_optional_service(self.agents.clone().map(SshServer::new));
        // The server ends when the stream of connections does, so that stream goes on.
        let over = CancellationToken::new();
        let wire = OneWire { wire, over: Box::pin(over.clone().cancelled_owned()) };
        let connections = futures::StreamExt::chain(futures::stream::iter([Ok::<_, std::io::Error>(wire)]), futures::stream::pending());
        let server = tokio::spawn(async move {
            if let Err(error) = router.serve_with_incoming(connections).await {
                tracing::debug!("a build session ended: {error}");
            }
        });
        Serving { server, _connection: over.drop_guard() }
    }
}

/// The one connection of a session, until that is over.
struct OneWire {
    wire: Box<dyn Wire>,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connected for OneWire {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for OneWire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.over.as_mut().poll(context) {
            // As if the daemon had closed it.
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => Pin::new(&mut self.wire).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for OneWire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[derive(Debug)]
struct Alive;

#[async_trait::async_trait]
impl Health for Alive {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, _request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(&self, _request: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("list"))
    }

    async fn watch(&self, _request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }
}

/// The secrets of a build; read when they are asked for, so that an unused one costs nothing.
#[derive(Debug, Clone)]
struct SecretStore {
    sources: Arc<HashMap<String, SecretSource>>,
    env: Env,
}

impl SecretStore {
    fn new(secrets: &[BuildSecret], cx: &Cx) -> Result<Self, DockerError> {
        for secret in secrets {
            let why = match &secret.source {
                SecretSource::File(path) => match path.metadata() {
                    Err(error) => format!("`{}`: {error}", path.display()),
                    Ok(metadata) if !metadata.is_file() => format!("`{}` is not a file", path.display()),
                    Ok(metadata) if metadata.len() > LARGEST_SECRET => {
                        format!("`{}` is larger than {} KiB", path.display(), LARGEST_SECRET >> 10)
                    }
                    Ok(_) => continue,
                },
                SecretSource::Env(name) if cx.env.get(name).is_none() => format!("environment variable `{name}` is not set"),
                SecretSource::Env(_) => continue,
            };
            return Err(DockerError::Secret { what: format!("secret `{}`", secret.id), why });
        }
        let sources = secrets.iter().map(|secret| (secret.id.clone(), secret.source.clone())).collect();
        Ok(Self { sources: Arc::new(sources), env: cx.env.clone() })
    }
}

#[async_trait::async_trait]
impl Secrets for SecretStore {
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let data = match self.sources.get(&id) {
            None => return Err(Status::not_found(format!("secret {id} not found"))),
            Some(SecretSource::Env(name)) => self.env.get(name).unwrap_or_default().as_bytes().to_owned(),
            Some(SecretSource::File(path)) => {
                let path: &PathBuf = path;
                tokio::fs::read(path).await.map_err(|error| Status::internal(format!("secret {id}: {error}")))?
            }
        };
        Ok(Response::new(GetSecretResponse { data }))
    }
}

/// Credentials for the registries that a build pulls from.
#[derive(Debug, Clone)]
struct Logins {
    env: Env,
    cx: Cx,
}

#[async_trait::async_trait]
impl Auth for Logins {
    async fn credentials(&self, request: Request<CredentialsRequest>) -> Result<Response<CredentialsResponse>, Status> {
        let found = credentials::find(&request.into_inner().host, &self.env, &self.cx).await;
        Ok(Response::new(match found.secret {
            None => CredentialsResponse::default(),
            Some(Secret::Password { username, password }) => CredentialsResponse { username, secret: password },
            // Without a user, BuildKit takes the secret as a refresh token.
            Some(Secret::IdentityToken(token)) => CredentialsResponse { username: String::new(), secret: token },
        }))
    }

    async fn fetch_token(&self, _request: Request<FetchTokenRequest>) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the builder"))
    }

    async fn get_token_authority(
        &self,
        _request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the builder"))
    }

    async fn verify_token_authority(
        &self,
        _request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the builder"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use devloop_model::Stage;
    use devloop_model::StepId;
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    pub(in crate::buildkit) fn request(context: &str) -> BuildRequest {
        BuildRequest {
            context: context.into(),
            files: Vec::new(),
            dockerfile: format!("{context}/Dockerfile").into(),
            tag: "web:v1".parse().unwrap(),
            platforms: Vec::new(),
            remote_context: None,
            export: BTreeMap::new(),
            labels: BTreeMap::new(),
            cache_to: Vec::new(),
            reproducible: false,
            build_args: BTreeMap::new(),
            target: None,
            network: None,
            add_hosts: Vec::new(),
            cache_from: Vec::new(),
            no_cache: false,
            pull: false,
            squash: false,
            secrets: Vec::new(),
            ssh: None,
            use_buildkit: None,
        }
    }

    fn secret(source: SecretSource) -> Vec<BuildSecret> {
        vec![BuildSecret { id: "npm".to_owned(), source }]
    }

    #[tokio::test]
    async fn secrets_come_from_files_and_the_steps_environment() {
        let mut cx = Cx::silent(StepId::of(Stage::Build));
        cx.env = Env::new(BTreeMap::from([("TOKEN".to_owned(), "t0p".to_owned())]));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret").unwrap();
        for (source, expected) in [(SecretSource::Env("TOKEN".to_owned()), "t0p"), (SecretSource::File(file.path().to_owned()), "s3cret")] {
            let store = SecretStore::new(&secret(source), &cx).unwrap();
            let ask = |id: &str| Request::new(GetSecretRequest { id: id.to_owned(), ..GetSecretRequest::default() });
            assert_eq!(store.get_secret(ask("npm")).await.unwrap().into_inner().data, expected.as_bytes());
            assert_eq!(store.get_secret(ask("other")).await.unwrap_err().code(), tonic::Code::NotFound);
        }
    }

    #[test]
    fn a_secret_that_is_not_there_fails_before_the_build() {
        let cx = Cx::silent(StepId::of(Stage::Build));
        let shown = |source| SecretStore::new(&secret(source), &cx).unwrap_err().diagnostic().to_string();
        insta::assert_snapshot!(shown(SecretSource::Env("TOKEN".to_owned())), @r"
        error[docker/secret]: secret `npm` cannot be given to the build
          environment variable `TOKEN` is not set
        ");
        insta::assert_snapshot!(shown(SecretSource::File("/no/such".into())), @r"
        error[docker/secret]: secret `npm` cannot be given to the build
          `/no/such`: No such file or directory (os error 2)
        ");
    }

    #[tokio::test]
    async fn the_connection_ends_with_the_session() {
        let session = Session::new(&request("/c"), &Output::Daemon, &Env::default(), &Cx::silent(StepId::of(Stage::Build))).await.unwrap();
        let (mut daemon, wire) = tokio::io::duplex(4096);
        let serving = session.serve(Box::new(wire));
        // HTTP/2 begins: the preface, and settings without any.
        daemon.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        daemon.read_u8().await.unwrap();
        drop(serving);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), daemon.read_to_end(&mut rest)).await;
        ended.expect("the connection is closed").unwrap();
    }
}
