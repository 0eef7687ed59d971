//! An id for each request, in its answer and in the log.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::headers::harden;
use crate::client::Client;
use crate::host::Host;
use crate::store::new_id;

/// Where the id stands.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id of the host's own: what a client sends is not repeated in the log.
pub(super) async fn with_id(State(host): State<Host>, request: Request, next: Next) -> Response {
    let id = new_id(host.context()).map(|id| id.to_string()).unwrap_or_default();
    let client = request.extensions().get().map(|Client(address)| tracing::field::display(*address));
    let span = tracing::info_span!("request", id, client, method = %request.method());
    let mut answer = next.run(request).instrument(span).await;
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    harden(headers);
    answer
}
