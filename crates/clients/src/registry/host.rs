//! One registry host: how it is reached, and the tokens that it has given.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use devloop_model::Cx;
use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;

use super::Limits;
use super::Registry;
use super::RegistryError;
use super::challenge::Challenge;
use super::credentials;
use super::credentials::Credentials;
use super::credentials::Secret;
use super::request::answer_message;
use super::request::send;

/// How long a token is good for when its server does not say so.
const DEFAULT_TOKEN_LIFE: Duration = Duration::from_mins(1);

/// How much a client trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The system's roots alone.
    Strict,
    /// Every certificate: the user listed the registry as insecure.
    Lax,
    /// Every certificate, and no proxy stands before this machine.
    Loopback,
}

/// HTTP clients, each made when it is first needed: reading the system's roots takes as long as a small command.
#[derive(Debug)]
pub(super) struct Clients {
    limits: Limits,
    strict: OnceLock<reqwest::Client>,
    lax: OnceLock<reqwest::Client>,
    loopback: OnceLock<reqwest::Client>,
}

impl Clients {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, strict: OnceLock::new(), lax: OnceLock::new(), loopback: OnceLock::new() }
    }

    fn get(&self, trust: Trust) -> &reqwest::Client {
        let build = |change: fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder| {
            // Another part of the program may have installed it before: that is as good.
            rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
            let builder = reqwest::Client::builder().connect_timeout(self.limits.connect);
            let builder = builder.user_agent(concat!("devloop/", env!("CARGO_PKG_VERSION")));
            change(builder).build().expect("these settings are valid on every machine")
        };
        match trust {
            Trust::Strict => self.strict.get_or_init(|| build(|builder| builder)),
            Trust::Lax => self.lax.get_or_init(|| build(|builder| builder.tls_danger_accept_invalid_certs(true))),
            Trust::Loopback => self.loopback.get_or_init(|| build(|builder| builder.tls_danger_accept_invalid_certs(true).no_proxy())),
        }
    }
}

/// A registry host that has answered.
#[derive(Debug)]
pub(super) struct Host {
    /// As users name it.
    pub(super) name: String,
    /// `https://host`, without a slash at its end.
    pub(super) base: String,
    pub(super) client: reqwest::Client,
    challenge: Challenge,
    credentials: OnceCell<Credentials>,
    tokens: Mutex<HashMap<String, Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: String,
    until: Instant,
}

/// The answer of a token server.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Registry {
    /// Returns the host, which is contacted once to learn its scheme and how it wants to know us.
    pub(super) async fn host(&self, name: &str, cx: &Cx) -> Result<Arc<Host>, RegistryError> {
        let cell = Arc::clone(self.inner.hosts.lock().await.entry(name.to_owned()).or_default());
        cell.get_or_try_init(|| async { self.contact(name, cx).await.map(Arc::new) }).await.map(Arc::clone)
    }

    async fn contact(&self, name: &str, cx: &Cx) -> Result<Host, RegistryError> {
        let address = if name == "docker.io" { "registry-1.docker.io" } else { name };
        // Docker's rule (`registry/config.go`): loopback is insecure without being listed.
        let (trust, schemes): (Trust, &[&str]) = if is_loopback(address) {
            (Trust::Loopback, &["http", "https"])
        } else if self.inner.settings.insecure.iter().any(|listed| listed == name) {
            (Trust::Lax, &["https", "http"])
        } else {
            (Trust::Strict, &["https"])
        };
        let client = self.inner.clients.get(trust);
        let mut first_error = None;
        for &scheme in schemes {
            let base = format!("{scheme}://{address}");
            let ping = self.retrying(cx, || async {
                let response = send(name, client.get(format!("{base}/v2/")), "GET /v2/", None, self.inner.limits, cx).await?;
                match response.status() {
                    status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Err(RegistryError::Answer {
                        host: name.to_owned(),
                        request: "GET /v2/".to_owned(),
                        status: status.as_u16(),
                        message: answer_message(response, self.inner.limits).await,
                    }),
                    // A TLS server that is spoken to in plain HTTP answers so.
                    StatusCode::BAD_REQUEST if scheme == "http" => {
                        Err(RegistryError::Malformed { host: name.to_owned(), what: "400 to `GET /v2/`".to_owned() })
                    }
                    _ => Ok(response),
                }
            });
            match ping.await {
                Ok(response) => {
                    let challenge = challenge_of(&response);
                    return Ok(Host {
                        name: name.to_owned(),
                        base,
                        client: client.clone(),
                        challenge,
                        credentials: OnceCell::new(),
                        tokens: Mutex::default(),
                    });
                }
                Err(error @ (RegistryError::Cancelled(_) | RegistryError::UnknownHost { .. } | RegistryError::TimedOut { .. })) => {
                    return Err(error);
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.expect("there is at least one way to each host"))
    }

    /// Returns the credentials for a host, asked for once.
    pub(super) async fn credentials<'h>(&self, host: &'h Host, cx: &Cx) -> &'h Credentials {
        host.credentials.get_or_init(|| credentials::find(&host.name, &self.inner.settings.env, cx)).await
    }

    /// Returns the `Authorization` for these scopes; none where the registry asks for none.
    pub(super) async fn authorization(&self, host: &Host, scopes: &[String], cx: &Cx) -> Result<Option<String>, RegistryError> {
        match &host.challenge {
            Challenge::None => Ok(None),
            Challenge::Basic => Ok(match &self.credentials(host, cx).await.secret {
                Some(Secret::Password { username, password }) => Some(basic(username, password)),
                _ => None,
            }),
            Challenge::Bearer { realm, service } => {
                let key = scopes.join(" ");
                if let Some(token) = host.tokens.lock().await.get(&key).filter(|token| token.until > Instant::now()) {
                    return Ok(Some(format!("Bearer {}", token.value)));
                }
                let token = self.fetch_token(host, realm, service.as_deref(), scopes, cx).await?;
                let header = format!("Bearer {}", token.value);
                host.tokens.lock().await.insert(key, token);
                Ok(Some(header))
            }
        }
    }

    /// Forgets a token that the registry did not take.
    pub(super) async fn forget_token(&self, host: &Host, scopes: &[String]) -> bool {
        host.tokens.lock().await.remove(&scopes.join(" ")).is_some()
    }

    async fn fetch_token(
        &self,
        host: &Host,
        realm: &str,
        service: Option<&str>,
        scopes: &[String],
        cx: &Cx,
    ) -> Result<Token, RegistryError> {
        let credentials = self.credentials(host, cx).await;
        self.retrying(cx, || async {
            let mut query: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
            let joined = scopes.join(" ");
            let request = if let Some(Secret::IdentityToken(token)) = &credentials.secret {
                query.extend([("grant_type", "refresh_token"), ("client_id", "devloop"), ("refresh_token", token), ("scope", &joined)]);
                let form = reqwest::Url::parse_with_params("form:/", &query).map(|url| url.query().unwrap_or_default().to_owned());
                host.client.post(realm).header("Content-Type", "application/x-www-form-urlencoded").body(form.unwrap_or_default())
            } else {
                query.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
                let url = reqwest::Url::parse_with_params(realm, &query).map_err(|_| RegistryError::Malformed {
                    host: host.name.clone(),
                    what: format!("`{realm}` as the address of its token server"),
                })?;
                match &credentials.secret {
                    Some(Secret::Password { username, password }) => {
                        host.client.get(url).header("Authorization", basic(username, password))
                    }
                    _ => host.client.get(url),
                }
            };
            let response = send(&host.name, request, "token", None, self.inner.limits, cx).await?;
            self.read_token(host, credentials, scopes, response).await
        })
        .await
    }

    async fn read_token(
        &self,
        host: &Host,
        credentials: &Credentials,
        scopes: &[String],
        response: reqwest::Response,
    ) -> Result<Token, RegistryError> {
        let status = response.status();
        if !status.is_success() {
            let message = answer_message(response, self.inner.limits).await;
            if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
                let scope = scopes.first().map_or("", String::as_str);
                let action = if scope.ends_with("push") { "push to" } else { "pull from" };
                let repository = scope.split(':').nth(1).unwrap_or_default().to_owned();
                return Err(RegistryError::Refused {
                    host: host.name.clone(),
                    repository,
                    action,
                    status: 401,
                    credentials: credentials.origin.clone(),
                    message,
                });
            }
            return Err(RegistryError::Answer { host: host.name.clone(), request: "token".to_owned(), status: status.as_u16(), message });
        }
        let bytes = super::request::read_body(&host.name, response, self.inner.limits).await?;
        let answer: Option<TokenAnswer> = serde_json::from_slice(&bytes).ok();
        let value = answer.as_ref().and_then(|answer| answer.token.clone().or_else(|| answer.access_token.clone()));
        let value = value.ok_or_else(|| RegistryError::Malformed { host: host.name.clone(), what: "no token".to_owned() })?;
        let life = answer.and_then(|answer| answer.expires_in).map_or(DEFAULT_TOKEN_LIFE, Duration::from_secs);
        Ok(Token { value, until: Instant::now() + life * 4 / 5 })
    }
}

fn basic(username: &str, password: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}")))
}

fn challenge_of(response: &reqwest::Response) -> Challenge {
    if response.status() != StatusCode::UNAUTHORIZED {
        return Challenge::None;
    }
    Challenge::parse(response.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()))
}

/// Returns whether a `host[:port]` is this machine.
pub(super) fn is_loopback(address: &str) -> bool {
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => address.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
