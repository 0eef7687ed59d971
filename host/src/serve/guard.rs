//! Whom the host answers, and what every answer says to a browser.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::connections::Peer;
use super::origin::Names;
use super::proxies::{Proxies, is_forwarded};
use crate::api::{Problem, harden};
use crate::client::{Client, FromHere};
use crate::pages::nowhere;

/// For how long a browser is to come by https alone, in seconds: two years.
const HTTPS_ALONE: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// What a request is looked at for.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The names that are answered to; all of them if there is no list.
    pub(super) names: Option<Names>,
    pub(super) proxies: Proxies,
    /// Whether others come by https.
    pub(super) is_https: bool,
    /// How long a client may say nothing while it sends a body.
    pub(super) patience: Duration,
}

impl Guard {
    /// All of a router behind it.
    pub(super) fn before(self, router: Router) -> Router {
        let guard = Arc::new(self);
        router
            .fallback(async |headers: HeaderMap| nowhere(&headers).unwrap_or_else(|| nothing_here().into_response()))
            .layer(RequestBodyTimeoutLayer::new(guard.patience))
            .layer(middleware::from_fn_with_state(Arc::clone(&guard), look))
            .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
            .layer(middleware::from_fn_with_state(guard, finish))
    }

    fn refuses(&self, request: &Request) -> Option<Problem> {
        if !is_known(request.method()) {
            let problem = Problem::new(StatusCode::NOT_IMPLEMENTED, "unknown_method", "No route knows this method");
            return Some(problem);
        }
        let is_ours = self.names.as_ref().is_none_or(|names| names.hold(request));
        (!is_ours).then(|| {
            Problem::new(StatusCode::FORBIDDEN, "unknown_host", "This host is not called that").with(
                "it answers to 127.0.0.1, localhost and [::1] with its port, and to the host of its `--public-url`",
            )
        })
    }
}

/// The methods that some route may have. TRACE, which repeats what it was sent, is none of them.
fn is_known(method: &Method) -> bool {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    known.contains(method)
}

async fn look(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    if let Some(problem) = guard.refuses(&request) {
        return problem.into_response();
    }
    if let Some(&Peer(peer)) = request.extensions().get() {
        let client = guard.proxies.client(peer, request.headers());
        let is_from_here = is_from_here(peer, &request);
        let extensions = request.extensions_mut();
        extensions.insert(Client(client));
        extensions.insert(FromHere(is_from_here));
    }
    next.run(request).await
}

/// A proxy on this machine asks for others: the names they use are not this machine's, or it says for whom it asks.
fn is_from_here(peer: IpAddr, request: &Request) -> bool {
    peer.to_canonical().is_loopback()
        && crate::loopback::names_this_machine(request.headers())
        && !is_forwarded(request.headers())
}

/// Routes that are there for this machine alone.
pub(super) async fn from_here(here: Option<Extension<FromHere>>, request: Request, next: Next) -> Response {
    match here {
        Some(Extension(FromHere(true))) => next.run(request).await,
        _ => nothing_here().into_response(),
    }
}

fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found")
}

/// What every answer says, whoever made it.
async fn finish(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    harden(answer.headers_mut());
    if guard.is_https {
        answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ALONE);
    }
    answer
}
