//! One request to a registry: authorisation, retries, deadlines, and errors in the user's words.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use devloop_model::Cx;
use reqwest::Method;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::StatusCode;

use super::Limits;
use super::Registry;
use super::RegistryError;
use super::host::Host;
use crate::activity::Activity;

/// The longest `Retry-After` that is obeyed, and the longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The largest manifest or error that is read into memory.
const LARGEST_ANSWER: usize = 16 << 20;

/// What a request is for; decides the token's scope and the words of a refusal.
#[derive(Debug, Clone)]
pub(super) struct Purpose<'a> {
    pub(super) repository: &'a str,
    pub(super) push: bool,
    /// A repository that blobs are mounted from.
    pub(super) mount_from: Option<&'a str>,
}

impl<'a> Purpose<'a> {
    pub(super) fn pull(repository: &'a str) -> Self {
        Self { repository, push: false, mount_from: None }
    }

    pub(super) fn push(repository: &'a str) -> Self {
        Self { repository, push: true, mount_from: None }
    }

    fn scopes(&self) -> Vec<String> {
        let actions = if self.push { "pull,push" } else { "pull" };
        let own = format!("repository:{}:{actions}", self.repository);
        std::iter::once(own).chain(self.mount_from.map(|from| format!("repository:{from}:pull"))).collect()
    }
}

/// One request: what is asked for, where, and why.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) purpose: &'a Purpose<'a>,
    /// Marked by a body as it leaves.
    pub(super) activity: Option<&'a Activity>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, url: &'a str, purpose: &'a Purpose<'a>) -> Self {
        Self { method, url, purpose, activity: None }
    }
}

impl Registry {
    /// Returns the answer to a request, whatever its status, except for refusals and passing faults.
    pub(super) async fn ask(
        &self,
        host: &Host,
        call: Call<'_>,
        build: impl Fn(RequestBuilder) -> RequestBuilder,
        cx: &Cx,
    ) -> Result<Response, RegistryError> {
        let Call { method, url, purpose, activity } = call;
        let label = format!("{method} {}", url.strip_prefix(&host.base).unwrap_or(url).split('?').next().unwrap_or_default());
        let scopes = purpose.scopes();
        let mut again = true;
        loop {
            let mut request = build(host.client.request(method.clone(), url));
            // A token is for this registry alone, never for the storage that it may point to.
            if url.starts_with(&host.base)
                && let Some(authorization) = self.authorization(host, &scopes, cx).await?
            {
                request = request.header("Authorization", authorization);
            }
            let response = send(&host.name, request, &label, activity, self.inner.limits, cx).await?;
            let status = response.status();
            match status {
                StatusCode::UNAUTHORIZED if std::mem::take(&mut again) && self.forget_token(host, &scopes).await => {}
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.refused(host, purpose, response, cx).await),
                _ if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) => {
                    wait_as_told(&response, cx).await?;
                    let message = answer_message(response, self.inner.limits).await;
                    return Err(RegistryError::Answer { host: host.name.clone(), request: label, status: status.as_u16(), message });
                }
                _ => return Ok(response),
            }
        }
    }

    async fn refused(&self, host: &Host, purpose: &Purpose<'_>, response: Response, cx: &Cx) -> RegistryError {
        RegistryError::Refused {
            host: host.name.clone(),
            repository: purpose.repository.to_owned(),
            action: if purpose.push { "push to" } else { "pull from" },
            status: response.status().as_u16(),
            credentials: self.credentials(host, cx).await.origin.clone(),
            message: answer_message(response, self.inner.limits).await,
        }
    }

    /// Returns what `work` gives, tried again with growing pauses while its fault may pass.
    pub(super) async fn retrying<T, F>(&self, cx: &Cx, work: impl Fn() -> F) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let mut pause = self.inner.limits.first_pause;
        let mut attempt = 1;
        loop {
            match cx.unless_cancelled(work()).await? {
                Err(error) if error.is_passing() && attempt < self.attempts_after(&error) => {
                    tracing::debug!(attempt, "{error}; trying again in {pause:?}");
                    cx.unless_cancelled(tokio::time::sleep(pause)).await?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Returns how often something is tried in all when this was its latest fault: who waited for silence to end twice has waited enough.
    fn attempts_after(&self, error: &RegistryError) -> u32 {
        let attempts = self.inner.limits.attempts;
        if matches!(error, RegistryError::TimedOut { .. }) { attempts.min(2) } else { attempts }
    }
}

/// Sends a request; it has failed when nothing moved for the stall limit.
pub(super) async fn send(
    host: &str,
    request: RequestBuilder,
    label: &str,
    activity: Option<&Activity>,
    limits: Limits,
    cx: &Cx,
) -> Result<Response, RegistryError> {
    let own = Activity::new();
    let activity = activity.unwrap_or(&own);
    activity.mark();
    tracing::debug!("registry {host}: {label}");
    let work = async {
        tokio::select! {
            result = request.send() => result.map_err(|error| transport_error(host, label, &error, limits)),
            () = activity.stalled(limits.stall) => Err(RegistryError::TimedOut { host: host.to_owned(), request: label.to_owned(), limit: limits.stall }),
        }
    };
    cx.unless_cancelled(work).await?
}

/// Returns the whole body of an answer that is meant to be small.
pub(super) async fn read_body(host: &str, mut response: Response, limits: Limits) -> Result<Bytes, RegistryError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(host, &mut response, limits).await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST_ANSWER {
            return Err(RegistryError::Malformed {
                host: host.to_owned(),
                what: format!("more than {} MiB where a manifest was expected", LARGEST_ANSWER >> 20),
            });
        }
    }
    Ok(bytes.into())
}

/// Returns the next part of a body; it has failed when none came for the stall limit.
pub(super) async fn next_chunk(host: &str, response: &mut Response, limits: Limits) -> Result<Option<Bytes>, RegistryError> {
    match tokio::time::timeout(limits.stall, response.chunk()).await {
        Ok(chunk) => chunk.map_err(|error| transport_error(host, "body", &error, limits)),
        Err(_) => Err(RegistryError::TimedOut { host: host.to_owned(), request: "the rest of an answer".to_owned(), limit: limits.stall }),
    }
}

/// Returns the registry's own words for a fault (`errors` of the distribution specification), or nothing.
pub(super) async fn answer_message(response: Response, limits: Limits) -> String {
    let bytes = read_body("", response, limits).await.unwrap_or_default();
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        let text = String::from_utf8_lossy(&bytes);
        return if text.contains('<') { String::new() } else { text.trim().chars().take(300).collect() };
    };
    let faults = answer["errors"].as_array().cloned().unwrap_or_default();
    let words: Vec<String> = faults
        .iter()
        .map(|fault| match (fault["code"].as_str().unwrap_or_default(), fault["message"].as_str().unwrap_or_default()) {
            (code, "") => code.to_owned(),
            ("", message) => message.to_owned(),
            (code, message) => format!("{code}: {message}"),
        })
        .collect();
    if words.is_empty() {
        answer["details"].as_str().or(answer["message"].as_str()).unwrap_or_default().to_owned()
    } else {
        words.join("; ")
    }
}

async fn wait_as_told(response: &Response, cx: &Cx) -> Result<(), RegistryError> {
    let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    if let Some(seconds) = seconds {
        cx.unless_cancelled(tokio::time::sleep(Duration::from_secs(seconds).min(LONGEST_PAUSE))).await?;
    }
    Ok(())
}

fn transport_error(host: &str, label: &str, error: &reqwest::Error, limits: Limits) -> RegistryError {
    let host = host.to_owned();
    let mut causes = Vec::new();
    let mut kind = None;
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(kind);
        next = cause.source();
    }
    let why = causes.last().cloned().unwrap_or_else(|| error.to_string());
    let has = |words: &[&str]| causes.iter().any(|cause| words.iter().any(|word| cause.contains(word)));
    if error.is_timeout() || kind == Some(ErrorKind::TimedOut) {
        RegistryError::TimedOut { host, request: label.to_owned(), limit: limits.connect }
    } else if kind == Some(ErrorKind::ConnectionRefused) {
        RegistryError::ConnectionRefused { host }
    } else if has(&["dns error", "failed to lookup address"]) {
        RegistryError::UnknownHost { host }
    } else if has(&["certificate", "InvalidContentType", "tls handshake", "corrupt message", "HandshakeFailure"]) {
        RegistryError::Tls { host, why }
    } else {
        RegistryError::Broken { host, why }
    }
}
