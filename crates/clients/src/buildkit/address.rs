//! Where a BuildKit daemon of the user's own is, as `buildctl` takes it from `BUILDKIT_HOST`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Env;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::BuildKit;
use crate::docker::DockerError;

/// How long it may take until it takes a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// An address of a BuildKit daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix://PATH`.
    Unix(PathBuf),
    /// `tcp://HOST:PORT`, with a directory of `ca.pem`, `cert.pem` and `key.pem` where both sides prove who they are.
    Tcp {
        /// Host and port.
        authority: String,
        /// `BUILDKIT_TLS_DIR`.
        certificates: Option<PathBuf>,
    },
}

impl Address {
    /// Returns what `BUILDKIT_HOST` says, if it says anything.
    ///
    /// # Errors
    /// When it is no address that is understood.
    pub fn from_env(env: &Env) -> Result<Option<Self>, DockerError> {
        let Some(text) = env.get("BUILDKIT_HOST").filter(|text| !text.is_empty()) else { return Ok(None) };
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Some(Self::Unix(path.into())));
        }
        match text.strip_prefix("tcp://").filter(|authority| authority.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty())) {
            Some(authority) => {
                let certificates = env.get("BUILDKIT_TLS_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
                Ok(Some(Self::Tcp { authority: authority.to_owned(), certificates }))
            }
            None => Err(DockerError::Unsupported {
                setting: format!("`BUILDKIT_HOST={text}`"),
                needs: "a `unix://PATH` or `tcp://HOST:PORT`",
                help: "name the daemon by such an address, or unset the variable",
            }),
        }
    }

    /// Returns the daemon at this address.
    ///
    /// # Errors
    /// When nobody answers there, or does not prove who it is.
    pub async fn connect(&self, cx: &Cx) -> Result<BuildKit, DockerError> {
        let failed = |why: String| DockerError::NoDaemon { address: self.to_string(), origin: "BUILDKIT_HOST".to_owned(), why };
        let within = |error: std::io::Error| failed(error.to_string());
        let too_late = |_| failed(format!("no answer in {} s", CONNECT_LIMIT.as_secs()));
        match self {
            Self::Unix(path) => BuildKit::over(UnixStream::connect(path).await.map_err(within)?, cx).await,
            Self::Tcp { authority, certificates } => {
                let dialled = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(authority)).await;
                let stream = dialled.map_err(too_late)?.map_err(within)?;
                stream.set_nodelay(true).map_err(within)?;
                let Some(certificates) = certificates else { return BuildKit::over(stream, cx).await };
                let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host).map_err(|error| failed(error.to_string()))?;
                let connector = TlsConnector::from(Arc::new(mutual_tls(certificates)?));
                let secured = tokio::time::timeout(CONNECT_LIMIT, connector.connect(name, stream)).await;
                BuildKit::over(secured.map_err(too_late)?.map_err(within)?, cx).await
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { authority, .. } => write!(f, "tcp://{authority}"),
        }
    }
}

/// Returns what checks the daemon, and proves us to it.
fn mutual_tls(directory: &std::path::Path) -> Result<rustls::ClientConfig, DockerError> {
    let failed = |file: &str, why: String| DockerError::File { path: directory.join(file), why };
    let mut roots = rustls::RootCertStore::empty();
    let read = |file: &'static str| {
        let certificates = CertificateDer::pem_file_iter(directory.join(file)).map_err(|error| failed(file, error.to_string()))?;
        certificates.collect::<Result<Vec<_>, _>>().map_err(|error| failed(file, error.to_string()))
    };
    for certificate in read("ca.pem")? {
        roots.add(certificate).map_err(|error| failed("ca.pem", error.to_string()))?;
    }
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).map_err(|error| failed("key.pem", error.to_string()))?;
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(read("cert.pem")?, key)
        .map_err(|error| failed("cert.pem", error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn addresses_are_those_of_buildctl() {
        let env = |host: &str, directory: &str| {
            let variables = [("BUILDKIT_HOST", host), ("BUILDKIT_TLS_DIR", directory)];
            Env::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>())
        };
        let tcp =
            |certificates: Option<&str>| Address::Tcp { authority: "b:1234".to_owned(), certificates: certificates.map(PathBuf::from) };
        for (host, directory, address) in [
            ("", "", None),
            ("unix:///run/b.sock", "", Some(Address::Unix("/run/b.sock".into()))),
            ("tcp://b:1234", "", Some(tcp(None))),
            ("tcp://b:1234", "/certs", Some(tcp(Some("/certs")))),
        ] {
            assert_eq!(Address::from_env(&env(host, directory)).unwrap(), address, "{host}");
        }
        let error = Address::from_env(&env("docker-container://x", "")).unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[docker/unsupported-setting]: `BUILDKIT_HOST=docker-container://x` needs a `unix://PATH` or `tcp://HOST:PORT`
        help: name the daemon by such an address, or unset the variable
        ");
    }
}
