//! One cluster: every request goes through here, with a deadline, bounded retries and errors in the user's words.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use devloop_model::Cx;
use http::Request;
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;

use super::KubeError;
use super::Unreachable;
use super::kinds::Discovered;
use super::kinds::ResolvedKind;
use super::warnings::Warnings;

/// How long one request may take: an admission webhook has at most 30 s.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(40);
/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(150);
/// The longest pause that the server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A connection to the API server of one context; clones share it.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    client: kube::Client,
    context: Option<String>,
    server: String,
    namespace: String,
    is_minikube: bool,
    discovered: Discovered,
    warnings: Warnings,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("context", &self.0.context).field("server", &self.0.server).finish_non_exhaustive()
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: http::Method,
    /// Path and query.
    pub(super) uri: String,
    pub(super) content_type: &'static str,
    pub(super) accept: &'static str,
    pub(super) body: Vec<u8>,
    /// The verb and what it is about, for errors: `patch deployment/web in namespace shop`.
    pub(super) action: String,
    /// The kind that it is about, to tell a kind that is not there from an object that is not.
    pub(super) kind: Option<ResolvedKind>,
    pub(super) limit: Duration,
}

const JSON: &str = "application/json";

impl Call {
    /// Returns a GET of `uri`.
    pub(super) fn get(uri: String, action: String) -> Self {
        Self {
            method: http::Method::GET,
            uri,
            content_type: JSON,
            accept: JSON,
            body: Vec::new(),
            action,
            kind: None,
            limit: REQUEST_LIMIT,
        }
    }

    /// Returns a call with a body.
    pub(super) fn with_body(method: http::Method, uri: String, content_type: &'static str, body: Vec<u8>, action: String) -> Self {
        Self { method, content_type, body, ..Self::get(uri, action) }
    }

    /// Names the kind that it is about.
    pub(super) fn about(mut self, kind: &ResolvedKind) -> Self {
        self.kind = Some(kind.clone());
        self
    }

    pub(super) fn request(&self) -> Request<Vec<u8>> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.parse().expect("paths are percent-encoded");
        request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static(self.accept));
        if !self.body.is_empty() {
            request.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(self.content_type));
        }
        request
    }
}

impl Cluster {
    pub(super) fn new(client: kube::Client, context: Option<String>, server: String, is_minikube: bool) -> Self {
        let namespace = client.default_namespace().to_owned();
        Self(Arc::new(Inner {
            client,
            context,
            server,
            namespace,
            is_minikube,
            discovered: Discovered::default(),
            warnings: Warnings::default(),
        }))
    }

    /// Returns the name of the context; none inside a pod.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// Returns the address of the API server.
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// Returns the namespace of the context, `default` where it names none.
    pub fn default_namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Returns whether the kubeconfig says that minikube made this cluster.
    pub(crate) fn is_minikube(&self) -> bool {
        self.0.is_minikube
    }

    pub(super) fn client(&self) -> &kube::Client {
        &self.0.client
    }

    pub(super) fn discovered(&self) -> &Discovered {
        &self.0.discovered
    }

    /// Returns the version of the cluster, `v1.34.4`, once its API server answers.
    ///
    /// # Errors
    /// When it cannot be reached within 10 s, or refuses the credentials.
    pub async fn reachable(&self, cx: &Cx) -> Result<String, KubeError> {
        let mut call = Call::get("/version".to_owned(), "ask for the version".to_owned());
        call.limit = Duration::from_secs(10);
        let version = self.call(call, cx).await?;
        Ok(version["gitVersion"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns the JSON answer to a call.
    pub(super) async fn call(&self, call: Call, cx: &Cx) -> Result<Value, KubeError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.once(&call, cx).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(asked) = retry_after(&error, &call.method).filter(|_| attempt < ATTEMPTS) else {
                return Err(self.error(error, &call));
            };
            tracing::debug!(action = call.action, attempt, %error, "retried");
            cx.unless_cancelled(tokio::time::sleep(asked.max(pause).min(LONGEST_PAUSE))).await?;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn once(&self, call: &Call, cx: &Cx) -> Result<Result<Value, kube::Error>, KubeError> {
        let answer = tokio::time::timeout(call.limit, self.answer(call, cx));
        match cx.unless_cancelled(answer).await? {
            Ok(Ok(text)) if text.is_empty() => Ok(Ok(Value::Null)),
            Ok(Ok(text)) => Ok(serde_json::from_str(&text).map_err(kube::Error::SerdeError)),
            Ok(Err(error)) => Ok(Err(error)),
            Err(_) if call.uri == "/version" => {
                Err(self.unreachable(Unreachable::Silent, format!("no answer within {} s", call.limit.as_secs())))
            }
            Err(_) => Err(KubeError::TimedOut { action: call.action.clone(), limit: call.limit }),
        }
    }

    /// Returns the text of an answer, after telling what the API server warns of beside it.
    async fn answer(&self, call: &Call, cx: &Cx) -> Result<String, kube::Error> {
        let began = Instant::now();
        let response = self.client().send(call.request().map(Body::from)).await?;
        let (head, body) = response.into_parts();
        tracing::debug!("API server: {} {}: {}, after {} ms", call.method, call.uri, head.status.as_u16(), began.elapsed().as_millis());
        let text = String::from_utf8(body.collect_bytes().await?.to_vec()).map_err(kube::Error::FromUtf8)?;
        self.0.warnings.tell(&head.headers, &call.action, cx);
        if head.status.is_client_error() || head.status.is_server_error() {
            // What stands between may answer with a page.
            let page = |_| Status::failure(text.trim(), "no status").with_code(head.status.as_u16());
            return Err(kube::Error::Api(serde_json::from_str::<Status>(&text).unwrap_or_else(page).boxed()));
        }
        Ok(text)
    }

    /// Returns what `error` means to the one who made the call.
    pub(super) fn error(&self, error: kube::Error, call: &Call) -> KubeError {
        match error {
            kube::Error::Api(status) => self.refusal(&status, call),
            kube::Error::Auth(error) => {
                KubeError::Login { context: self.context().unwrap_or("in-cluster").to_owned(), why: chain(&error).join(": ") }
            }
            kube::Error::SerdeError(error) => {
                KubeError::Server { action: call.action.clone(), status: 0, message: format!("its answer is no JSON: {error}") }
            }
            error => self.no_answer(&error),
        }
    }

    fn refusal(&self, status: &kube::core::Status, call: &Call) -> KubeError {
        let message = status.message.clone();
        let what = || call.action.split_once(' ').map_or(call.action.as_str(), |(_, what)| what).to_owned();
        let details = status.details.as_ref();
        let rejected = || KubeError::Rejected {
            what: what(),
            message: message.clone(),
            causes: details.map(|d| d.causes.iter().map(|c| (c.field.clone(), c.message.clone())).collect()).unwrap_or_default(),
        };
        match status.code {
            401 => KubeError::Unauthorized { server: self.server().to_owned(), context: self.context().unwrap_or("in-cluster").to_owned() },
            // Admission (quotas, pod security) answers 403 as well; only RBAC names the user and the verb.
            403 if message.contains(" cannot ") && message.contains("User \"") => {
                KubeError::Forbidden { action: call.action.clone(), message }
            }
            400 | 403 | 413 | 422 => rejected(),
            404 => match details {
                Some(d) if d.kind == "namespaces" && call.kind.as_ref().is_none_or(|k| k.namespaced) => {
                    KubeError::NamespaceMissing { namespace: d.name.clone() }
                }
                Some(d) if !d.name.is_empty() => KubeError::NotFound { what: what() },
                _ => match &call.kind {
                    Some(kind) => KubeError::UnknownKind { api_version: kind.api_version(), kind: kind.kind.clone() },
                    None => KubeError::NotFound { what: what() },
                },
            },
            409 => KubeError::Conflict { what: what(), message },
            // An unknown field in a server-side apply is answered as an internal error.
            500 if message.contains("failed to create typed") || message.contains("field not declared in schema") => rejected(),
            code => KubeError::Server { action: call.action.clone(), status: code, message },
        }
    }

    fn no_answer(&self, error: &kube::Error) -> KubeError {
        let causes = chain(error);
        let text = causes.join(": ");
        let how = if text.contains("invalid peer certificate") || text.contains("certificate") {
            Unreachable::Certificate
        } else if text.contains("Connection refused") {
            Unreachable::Refused
        } else if text.contains("failed to lookup address") || text.contains("dns error") {
            Unreachable::UnknownHost
        } else if text.contains("timed out") || text.contains("deadline has elapsed") {
            Unreachable::Silent
        } else {
            Unreachable::Other
        };
        self.unreachable(how, causes.last().cloned().unwrap_or_default())
    }

    pub(super) fn unreachable(&self, how: Unreachable, why: String) -> KubeError {
        KubeError::Unreachable { server: self.server().to_owned(), context: self.context().unwrap_or("in-cluster").to_owned(), how, why }
    }
}

/// Returns the texts of an error and its sources, outermost first.
pub(super) fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for text in std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string) {
        // Some errors say their source themselves.
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
    }
    said
}

/// Returns how long to wait before the same request may succeed; none where it will not, or must not be sent twice.
fn retry_after(error: &kube::Error, method: &http::Method) -> Option<Duration> {
    match error {
        kube::Error::Api(status) => {
            let asked = Duration::from_secs(status.details.as_ref().map_or(0, |d| u64::from(d.retry_after_seconds)));
            let passing = match status.code {
                429 | 503 | 504 => true,
                500 => status.message.contains("etcdserver:") || status.message.contains("failed calling webhook"),
                _ => false,
            };
            passing.then_some(asked)
        }
        // Applying twice is applying once; creating twice is not.
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) if method != http::Method::POST => {
            let text = chain(error).join(": ");
            let passing = [
                "Connection reset",
                "connection closed",
                "Broken pipe",
                "connection was not ready",
                "unexpected end of file",
                "IncompleteMessage",
                "channel closed",
            ];
            passing.iter().any(|known| text.contains(known)).then_some(Duration::ZERO)
        }
        _ => None,
    }
}
