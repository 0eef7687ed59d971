//! What changes something is done once, however often it is sent under one key (draft-ietf-httpapi-idempotency-key-header).
//!
//! The answer is kept sealed and repeated to whoever sends the same again with the same rights. Nothing is kept of an answer that says that
//! the host could not do it: the request may be sent again then.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use connector_core::Secret;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::BODY;
use super::caller::{Caller, one};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::error::Error;
use crate::host::Host;
use crate::store::{KeyedRequest, KeyedRequestId};
use crate::vault::{Binding, field};

/// The header with the key.
pub(super) const KEY: &str = "idempotency-key";

/// How long a key may be, in characters.
pub(super) const LONGEST: usize = 255;

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a request is under way at most, should its process end: longer than whatever a request waits for.
const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// When to ask again for the answer of a request that is under way.
const SOON: SignedDuration = SignedDuration::from_secs(2);

/// An answer as it is sealed.
#[derive(Deserialize, Serialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// Does a request that has a key once. What a route behind this takes is all in the path, the query and the body.
pub(super) async fn once(State(host): State<Host>, request: Request, next: Next) -> Response {
    let key = match one(request.headers(), KEY).and_then(|text| text.map(checked).transpose()) {
        Ok(key) if !request.method().is_safe() => key,
        Ok(_) => None,
        Err(problem) => return problem.into_response(),
    };
    match key {
        Some(key) => by_key(host, key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        None => next.run(request).await,
    }
}

fn checked(text: &str) -> Result<Secret> {
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::from(text));
    }
    Err(Problem::bad_request(format!("`Idempotency-Key` has 1 to {LONGEST} visible characters and no space")))
}

async fn by_key(host: Host, key: Secret, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Caller>().ok_or_else(Problem::no_key)?;
    let body = to_bytes(body, BODY).await.map_err(|_| Problem::too_large())?;
    let begun = record(&host, caller, &key, digest(&parts, caller, &body))?;
    if let Some(known) = host.store().begin_request(&begun, host.context().now()).await? {
        return repeated(&host, &begun, &known);
    }
    let request = Request::from_parts(parts, Body::from(body));
    // Whoever asked may go away meanwhile, and asks again for what came of it.
    let work = {
        let host = host.clone();
        async move { Ok(done(&host, &begun, next.run(request).await).await) }
    };
    Ok(host.detached(work.in_current_span()).await?)
}

fn record(host: &Host, caller: &Caller, key: &Secret, request_digest: String) -> Result<KeyedRequest> {
    let now = host.context().now();
    let after = |time| now.saturating_add(time).unwrap_or(now);
    Ok(KeyedRequest {
        id: KeyedRequestId::new(host.context())?,
        tenant: caller.tenant.clone(),
        key_digest: key.digest(),
        request_digest,
        answer: None,
        leased_until: after(LEASE),
        expires_at: after(KEPT),
    })
}

/// What makes a request the same. Who may do less is not told what came of it for somebody else.
fn digest(parts: &Parts, caller: &Caller, body: &Bytes) -> String {
    let rights = caller.rights().map(Right::as_str).collect::<Vec<_>>().join(" ");
    let target = parts.uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let mut all = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), target.as_bytes(), rights.as_bytes(), body.as_ref()] {
        all.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.update(part);
    }
    hex::encode(all.finalize())
}

/// What is answered where there is such a request already.
fn repeated(host: &Host, begun: &KeyedRequest, known: &KeyedRequest) -> Result<Response> {
    if known.request_digest != begun.request_digest {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "The key was used for another request",
        )
        .with("send each request under an `Idempotency-Key` of its own, and the same request unchanged, with a key of the same rights"));
    }
    let Some(sealed) = &known.answer else {
        let soon = host.context().now().saturating_add(SOON).ok();
        let problem = Problem::new(StatusCode::CONFLICT, "idempotency_in_progress", "The same request is under way");
        return Err(problem.with("send it again a little later for its answer").retry_at(soon));
    };
    let text = host.vault().open(&binding(known), sealed).map_err(Error::from)?;
    let kept: Kept = serde_json::from_str(text.expose()).map_err(|_| Problem::internal())?;
    Ok(kept.into_response())
}

/// Keeps the answer, or makes room for the request to be sent again. What cannot be kept is given all the same.
async fn done(host: &Host, begun: &KeyedRequest, answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return Problem::internal().into_response() };
    let kept = if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
        host.store().forget_request(&begun.id).await.map_err(Error::from)
    } else {
        keep(host, begun, &Kept::of(&parts, &body)).await
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "what came of a request under a key could not be kept");
    }
    Response::from_parts(parts, Body::from(body))
}

async fn keep(host: &Host, begun: &KeyedRequest, kept: &Kept) -> crate::Result<()> {
    let text = serde_json::to_string(kept).map_err(|error| Error::Machine(error.to_string()))?;
    let sealed = host.vault().seal(host.context(), &binding(begun), &Secret::from(text))?;
    host.store().answer_request(&begun.id, &sealed).await?;
    Ok(())
}

fn binding(request: &KeyedRequest) -> Binding<'_> {
    Binding { tenant: &request.tenant, owner: request.id.as_str(), field: field::REQUEST, generation: 0 }
}

impl Kept {
    fn of(parts: &axum::http::response::Parts, body: &Bytes) -> Self {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self {
            status: parts.status.as_u16(),
            content_type: content_type.map(str::to_owned),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, self.body).into_response();
        if let Some(value) = self.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_visible_characters() {
        for key in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", &"x".repeat(255)] {
            assert!(checked(key).is_ok(), "{key}");
        }
        for key in ["", "a b", "a\tb", "ä", &"x".repeat(256)] {
            assert!(checked(key).is_err(), "{key}");
        }
    }
}
