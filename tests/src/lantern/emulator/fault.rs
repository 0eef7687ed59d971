//! What a refusal looks like: one form for OAuth, another for everything else.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    body: Value,
}

impl Fault {
    /// As OAuth spells it (RFC 6749 section 5.2).
    pub(super) fn oauth(status: StatusCode, error: &str, words: &str) -> Self {
        Self { status, body: json!({ "error": error, "error_description": words }) }
    }

    /// As the API spells it.
    pub(super) fn api(status: StatusCode, code: u16, title: &str) -> Self {
        Self { status, body: json!({ "code": code, "title": title }) }
    }

    /// The emulator itself failed.
    pub(super) fn broken(error: &connector_core::Error) -> Self {
        Self::api(StatusCode::INTERNAL_SERVER_ERROR, 1, error.message())
    }

    /// Names the request, so that support can find it.
    pub(super) fn about(mut self, request_id: &str) -> Self {
        self.body["request_id"] = request_id.into();
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
