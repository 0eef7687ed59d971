//! An id for each request, in its answer and in the log.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::host::Host;
use crate::store::new_id;

/// Where the id stands.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id of the host's own: what a client sends is not repeated in the log. No answer is for a cache.
pub(super) async fn with_id(State(host): State<Host>, request: Request, next: Next) -> Response {
    let id = new_id(host.context()).map(|id| id.to_string()).unwrap_or_default();
    let span = tracing::info_span!("request", id, method = %request.method());
    let mut answer = next.run(request).instrument(span).await;
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    answer
}
