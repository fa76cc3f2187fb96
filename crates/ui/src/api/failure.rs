//! Refusals, in the form of Skaffold's HTTP API: `{"code", "message", "details"}`.

use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

/// Why a request gets no answer.
///
/// The codes are gRPC's, and the statuses those that its gateway gives for them (`runtime/errors.go` of
/// grpc-gateway).
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    code: u8,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: u8, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 3, message)
    }

    pub(crate) fn late() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, 4, "the request took too long to arrive")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, 5, message)
    }

    pub(crate) fn already(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, 6, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, 7, message)
    }

    pub(crate) fn method() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, 12, "Method Not Allowed")
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 14, message)
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 16, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code, "message": self.message, "details": [] });
        (self.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}
