//! Where the daemon is, by the docker command's rules, and raw connections to it.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::ClientVersion;
use devloop_model::Env;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::DockerError;
use super::error::root_cause;
use crate::registry::credentials::docker_config;
use crate::registry::credentials::docker_config_dir;
use crate::registry::digest_of;

/// How long a connection may take to be taken over.
const UPGRADE: Duration = Duration::from_secs(30);
/// The longest head of an answer.
const LONGEST_HEAD: usize = 16 << 10;

/// The address of a daemon, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    address: Address,
    /// For errors: `DOCKER_HOST`, or which docker context.
    pub(super) origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp { host: String, certificates: Option<Certificates> },
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// A connection as bytes, whatever it runs over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The file that describes a docker context (`cli/context/store`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp { host, .. } => write!(f, "tcp://{host}"),
        }
    }
}

impl Endpoint {
    /// Returns the endpoint that the environment names: `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the current
    /// context, then the default socket.
    pub(super) async fn resolve(env: &Env) -> Result<Self, DockerError> {
        let set = |name| env.get(name).filter(|value: &&str| !value.is_empty());
        let config_dir = docker_config_dir(env);
        if let Some(host) = set("DOCKER_HOST") {
            let dir = || set("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| config_dir.clone());
            let certificates = set("DOCKER_TLS_VERIFY").and_then(|_| dir()).map(|dir| Certificates { dir });
            return Self::parse(host, certificates, "DOCKER_HOST".to_owned());
        }
        if let Some(dir) = &config_dir {
            let name = match set("DOCKER_CONTEXT") {
                Some(name) => Some(name.to_owned()),
                None => docker_config(dir).await.0.current_context,
            };
            if let Some(name) = name.filter(|name| !name.is_empty() && name != "default") {
                return Self::of_context(&name, dir).await;
            }
        }
        let default = PathBuf::from("/var/run/docker.sock");
        // Docker Desktop without the privileged link has its socket in the home directory.
        let in_home = config_dir.map(|dir| dir.join("run/docker.sock")).filter(|path| !default.exists() && path.exists());
        Ok(Self { address: Address::Unix(in_home.unwrap_or(default)), origin: "the default".to_owned() })
    }

    async fn of_context(name: &str, config_dir: &Path) -> Result<Self, DockerError> {
        let id = digest_of(name.as_bytes()).hex().to_owned();
        let contexts = config_dir.join("contexts");
        let file = contexts.join("meta").join(&id).join("meta.json");
        let broken = |why: String| DockerError::Context { name: name.to_owned(), why: format!("`{}`: {why}", file.display()) };
        let bytes = tokio::fs::read(&file).await.map_err(|error| broken(error.to_string()))?;
        let meta: ContextMeta = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        let tls = contexts.join("tls").join(&id).join("docker");
        let certificates = tls.join("cert.pem").exists().then_some(Certificates { dir: tls });
        Self::parse(&meta.endpoints.docker.host, certificates, format!("docker context `{name}`"))
    }

    fn parse(host: &str, certificates: Option<Certificates>, origin: String) -> Result<Self, DockerError> {
        let address = if let Some(path) = host.strip_prefix("unix://") {
            Address::Unix(PathBuf::from(path))
        } else if let Some(rest) = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://")) {
            let rest = rest.trim_end_matches('/');
            let has_port = rest.rsplit(']').next().is_some_and(|end| end.contains(':'));
            let port = if certificates.is_some() { 2376 } else { 2375 };
            Address::Tcp { host: if has_port { rest.to_owned() } else { format!("{rest}:{port}") }, certificates }
        } else {
            return Err(DockerError::UnsupportedHost { address: host.to_owned(), origin });
        };
        Ok(Self { address, origin })
    }

    pub(super) fn client(&self, timeout: u64, version: &ClientVersion) -> Result<bollard::Docker, DockerError> {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let client = match &self.address {
            Address::Unix(path) => bollard::Docker::connect_with_unix(&path.to_string_lossy(), timeout, version),
            Address::Tcp { host, certificates: None } => bollard::Docker::connect_with_http(&format!("http://{host}"), timeout, version),
            Address::Tcp { host, certificates: Some(files) } => bollard::Docker::connect_with_ssl(
                &format!("tcp://{host}"),
                &files.file("key.pem"),
                &files.file("cert.pem"),
                &files.file("ca.pem"),
                timeout,
                version,
            ),
        };
        client.map_err(|error| {
            let why = match &error {
                bollard::errors::Error::SocketNotFoundError(_) => "there is no such socket".to_owned(),
                other => root_cause(other),
            };
            DockerError::NoDaemon { address: self.to_string(), origin: self.origin.clone(), why }
        })
    }

    pub(super) fn command_env(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("DOCKER_HOST", self.to_string())];
        if let Address::Tcp { certificates: Some(files), .. } = &self.address {
            variables.push(("DOCKER_TLS_VERIFY", "1".to_owned()));
            variables.push(("DOCKER_CERT_PATH", files.dir.display().to_string()));
        }
        variables
    }

    /// Returns a connection that the daemon has given over to another protocol (`POST path`, `Upgrade: h2c`).
    pub(super) async fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Result<Box<dyn Wire>, DockerError> {
        let what = format!("open `{path}`");
        let broken = |message: String| DockerError::Answer { what: what.clone(), message };
        let work = async {
            let mut wire = self.dial().await.map_err(|error| broken(error.to_string()))?;
            let mut request =
                format!("POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n");
            for (name, value) in headers {
                request.extend([name, ": ", value, "\r\n"]);
            }
            request.push_str("\r\n");
            wire.write_all(request.as_bytes()).await.map_err(|error| broken(error.to_string()))?;
            let head = read_head(&mut wire).await.map_err(|error| broken(error.to_string()))?;
            let status = head.lines().next().unwrap_or_default();
            if status.split(' ').nth(1) == Some("101") { Ok(wire) } else { Err(broken(format!("it answered `{status}`"))) }
        };
        tokio::time::timeout(UPGRADE, work).await.map_err(|_| DockerError::TimedOut { what: what.clone(), limit: UPGRADE })?
    }

    async fn dial(&self) -> std::io::Result<Box<dyn Wire>> {
        match &self.address {
            #[cfg(unix)]
            Address::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
            Address::Tcp { host, certificates } => {
                let stream = TcpStream::connect(host).await?;
                stream.set_nodelay(true)?;
                match certificates {
                    None => Ok(Box::new(stream)),
                    Some(files) => {
                        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).trim_matches(['[', ']']).to_owned();
                        let name = ServerName::try_from(name).map_err(std::io::Error::other)?;
                        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls_config(files)?));
                        Ok(Box::new(connector.connect(name, stream).await?))
                    }
                }
            }
        }
    }
}

fn tls_config(files: &Certificates) -> std::io::Result<rustls::ClientConfig> {
    let read = |name: &str| {
        CertificateDer::pem_file_iter(files.file(name)).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(std::io::Error::other)
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(read("ca.pem")?);
    let key = PrivateKeyDer::from_pem_file(files.file("key.pem")).map_err(std::io::Error::other)?;
    rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(read("cert.pem")?, key)
        .map_err(std::io::Error::other)
}

/// Reads to the empty line and not a byte further: what follows belongs to the next protocol.
async fn read_head(wire: &mut Box<dyn Wire>) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD {
            return Err(std::io::Error::other("the head of its answer does not end"));
        }
        head.push(wire.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>())
    }

    #[tokio::test]
    async fn the_address_comes_from_the_first_place_that_names_one() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().display().to_string();
        let id = digest_of(b"remote").hex().to_owned();
        std::fs::create_dir_all(dir.path().join("contexts/meta").join(&id)).unwrap();
        std::fs::write(
            dir.path().join("contexts/meta").join(&id).join("meta.json"),
            r#"{"Name":"remote","Endpoints":{"docker":{"Host":"tcp://build.host:1","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        let shown = |endpoint: Result<Endpoint, DockerError>| {
            endpoint.map_or_else(|error| error.diagnostic().to_string(), |endpoint| format!("{endpoint} from {}", endpoint.origin))
        };
        let of = async |variables: &[(&str, &str)]| shown(Endpoint::resolve(&env(variables)).await).replace(&config, "DIR");

        assert_eq!(of(&[("DOCKER_HOST", "unix:///x.sock"), ("DOCKER_CONTEXT", "remote")]).await, "unix:///x.sock from DOCKER_HOST");
        assert_eq!(of(&[("DOCKER_HOST", "tcp://h")]).await, "tcp://h:2375 from DOCKER_HOST");
        assert_eq!(
            of(&[("DOCKER_HOST", "tcp://[::1]"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/c")]).await,
            "tcp://[::1]:2376 from DOCKER_HOST"
        );
        assert_eq!(
            of(&[("DOCKER_CONFIG", &config), ("DOCKER_CONTEXT", "remote")]).await,
            "tcp://build.host:1 from docker context `remote`"
        );
        std::fs::write(dir.path().join("config.json"), r#"{"currentContext":"remote"}"#).unwrap();
        assert_eq!(of(&[("DOCKER_CONFIG", &config)]).await, "tcp://build.host:1 from docker context `remote`");
        assert_eq!(of(&[("DOCKER_CONFIG", &config), ("DOCKER_CONTEXT", "default")]).await, "unix:///var/run/docker.sock from the default");
        insta::assert_snapshot!(of(&[("DOCKER_HOST", "ssh://me@there")]).await, @r"
        error[docker/unsupported-host]: `ssh://me@there` is no address of a container daemon that can be used
          address from DOCKER_HOST
        help: use unix:// or tcp://; for a daemon over SSH, forward its socket: `ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`
        ");
        assert!(of(&[("DOCKER_CONFIG", &config), ("DOCKER_CONTEXT", "gone")]).await.contains("docker context `gone` cannot be used"));
    }
}
