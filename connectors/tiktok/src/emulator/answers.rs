//! Answers in TikTok's two shapes: flat for OAuth, an envelope for the rest.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, PRAGMA};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use connector_core::{Error, Result};
use serde_json::{Value, json};

use super::record::Note;
use super::world::Scene;

const LOG_ID: HeaderName = HeaderName::from_static("x-tt-logid");

/// An answer, and what the record is to say of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) note: Note,
}

impl Answer {
    fn new(response: Response, outcome: &str) -> Self {
        Self { response, note: Note { outcome: outcome.to_owned(), ..Note::default() } }
    }

    /// Says whom it was about.
    pub(super) fn about(mut self, app: impl Into<String>, person: Option<&str>) -> Self {
        self.note.app = Some(app.into());
        self.note.person = person.map(str::to_owned);
        self
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.note.detail = Some(detail.into());
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let value = HeaderValue::from_str(value)
            .map_err(|error| Error::protocol(format!("the header {name} cannot be written: {error}")))?;
        self.response.headers_mut().insert(name, value);
        Ok(self)
    }
}

/// A refusal by an OAuth endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    error: &'static str,
    description: &'static str,
}

const fn refusal(error: &'static str, description: &'static str) -> Refusal {
    Refusal { error, description }
}

impl Refusal {
    pub(super) const MALFORMED: Self = refusal("invalid_request", "The request parameters are malformed.");
    pub(super) const SECRET_MISSING: Self = refusal("invalid_request", "Client secret is missed in request.");
    pub(super) const REDIRECT_URI: Self =
        refusal("invalid_request", "Redirect_uri is not matched with the uri when requesting code.");
    pub(super) const PKCE: Self = refusal("invalid_request", "Code verifier or code challenge is invalid.");
    pub(super) const CLIENT: Self = refusal("invalid_client", "Client key or secret is incorrect.");
    pub(super) const CODE: Self = refusal("invalid_grant", "Authorization code is expired.");
    pub(super) const REFRESH_TOKEN: Self = refusal("invalid_grant", "Refresh token is invalid or expired.");
    pub(super) const ACCESS_TOKEN: Self = refusal("invalid_grant", "Access token is invalid or expired.");
    pub(super) const GRANT_TYPE: Self = refusal("unsupported_grant_type", "The grant type is not supported.");
    pub(super) const SERVER: Self = refusal("server_error", "Internal server error.");
}

/// A refusal by an API endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// Whether `"data": {}` comes along.
    data: bool,
}

const fn rejection(status: StatusCode, code: &'static str, message: &'static str) -> Rejection {
    Rejection { status, code, message, data: true }
}

impl Rejection {
    pub(super) const TOKEN: Self = rejection(
        StatusCode::UNAUTHORIZED,
        "access_token_invalid",
        "The access token is invalid or not found in the request.",
    );
    pub(super) const PARAMS: Self = rejection(StatusCode::BAD_REQUEST, "invalid_params", "Invalid fields.");
    pub(super) const SCOPE: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "scope_not_authorized",
        message: "The user did not authorize the scope required for completing this request.",
        data: false,
    };
    pub(super) const SCOPE_MISSED: Self =
        rejection(StatusCode::BAD_REQUEST, "scope_permission_missed", "Some requested fields need additional scopes.");
    pub(super) const RATE: Self =
        rejection(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Rate limit exceeded.");
    pub(super) const INTERNAL: Self = rejection(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error.");
}

/// A flat answer that went well.
pub(super) fn flat(scene: &Scene<'_>, body: &Value) -> Result<Answer> {
    logged(StatusCode::OK, body, "ok", &scene.log_id()?)
}

/// A flat refusal.
pub(super) fn refuse(scene: &Scene<'_>, refusal: Refusal) -> Result<Answer> {
    let status = u16::from(scene.state().switches.oauth_error_status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    refuse_with(scene, refusal, status)
}

/// A flat refusal with a status of its own.
pub(super) fn refuse_with(scene: &Scene<'_>, refusal: Refusal, status: StatusCode) -> Result<Answer> {
    let log_id = scene.log_id()?;
    let body = json!({"error": refusal.error, "error_description": refusal.description, "log_id": log_id});
    logged(status, &body, refusal.error, &log_id)
}

/// An envelope with data.
pub(super) fn envelope(scene: &Scene<'_>, data: &Value) -> Result<Answer> {
    let log_id = scene.log_id()?;
    let body = json!({"data": data, "error": {"code": "ok", "message": "", "log_id": log_id}});
    logged(StatusCode::OK, &body, "ok", &log_id)
}

/// An envelope with an error.
pub(super) fn reject(scene: &Scene<'_>, rejection: Rejection) -> Result<Answer> {
    reject_with(scene, rejection, rejection.status)
}

/// An envelope with an error and a status of its own.
pub(super) fn reject_with(scene: &Scene<'_>, rejection: Rejection, status: StatusCode) -> Result<Answer> {
    let log_id = scene.log_id()?;
    let error = json!({"code": rejection.code, "message": rejection.message, "log_id": log_id});
    let body = if rejection.data { json!({"data": {}, "error": error}) } else { json!({"error": error}) };
    logged(status, &body, rejection.code, &log_id)
}

/// An answer of the admin routes: plain JSON.
pub(super) fn plain(status: StatusCode, body: &Value) -> Answer {
    let outcome = if status.is_success() { "ok" } else { "refused" };
    Answer::new(
        (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response(),
        outcome,
    )
}

/// A refusal of the admin routes, in a sentence.
pub(super) fn sentence(status: StatusCode, sentence: &str) -> Answer {
    plain(status, &json!({"error": sentence}))
}

/// A page.
pub(super) fn html(status: StatusCode, page: String, outcome: &str) -> Answer {
    Answer::new((status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(), outcome)
}

/// A text that is built in.
pub(super) fn text(kind: &'static str, text: &'static str) -> Answer {
    Answer::new(([(CONTENT_TYPE, kind)], text).into_response(), "ok")
}

/// Sends the browser elsewhere.
pub(super) fn found(location: &str, outcome: &str) -> Result<Answer> {
    Answer::new(StatusCode::FOUND.into_response(), outcome).header(LOCATION, location)
}

/// No bytes.
pub(super) fn empty(scene: &Scene<'_>) -> Result<Answer> {
    Answer::new(Body::empty().into_response(), "ok").header(LOG_ID, &scene.log_id()?)
}

/// What is said when the emulator itself is in trouble.
pub(super) fn trouble(error: &Error) -> Answer {
    let body = json!({"error": "server_error", "error_description": error.message()});
    let mut answer = plain(StatusCode::INTERNAL_SERVER_ERROR, &body);
    "emulator_trouble".clone_into(&mut answer.note.outcome);
    answer
}

fn logged(status: StatusCode, body: &Value, outcome: &str, log_id: &str) -> Result<Answer> {
    let mut answer = plain(status, body);
    outcome.clone_into(&mut answer.note.outcome);
    let headers = answer.response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=0, no-cache, no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer.header(LOG_ID, log_id)
}
