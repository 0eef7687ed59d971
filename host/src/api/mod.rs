//! The API that a product builds on, over HTTP: what the host does, for whoever has a key, as JSON.
//!
//! Every route but the description of the API itself stands behind `caller::with_key`. A route asks for the right it needs first of all.
//! Nothing of another tenant is there for a caller: what is not its own is not found.

mod audit;
mod caller;
mod config;
mod connections;
mod extract;
mod flows;
mod idempotency;
mod metrics;
mod openapi;
mod page;
mod platforms;
mod problem;
mod request_id;
mod tokens;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::openapi::Description;
use self::problem::Problem;
use crate::host::Host;
use crate::layers::ConfigFiles;

/// The largest body that is read, in bytes.
const BODY: usize = 64 * 1024;

/// Everything under `/api/v1`, for a server of one's own to stand at that path. Who may listen to it, and over what, is the server's affair.
///
/// A change of the configuration is planned over the files that the host was configured by, if it was by files.
pub fn router(host: Host, files: Option<ConfigFiles>) -> Router {
    let (routes, description) = described(&host).split_for_parts();
    let description = openapi::router(openapi::finished(description));
    let known = routes.fallback(async || Problem::not_found("route")).method_not_allowed_fallback(async || {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The route does not know this method")
    });
    known
        .layer(middleware::from_fn_with_state(host.clone(), caller::with_key))
        .merge(description)
        .layer(Extension(files))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(middleware::from_fn_with_state(host.clone(), request_id::with_id))
        .with_state(host)
}

/// The routes with what is said about each.
fn described(host: &Host) -> OpenApiRouter<Host> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(platforms::list))
        .routes(routes!(platforms::scopes))
        .routes(routes!(connections::list))
        .routes(routes!(connections::get))
        .routes(routes!(tokens::token))
        .routes(routes!(metrics::latest))
        .routes(routes!(metrics::history))
        .routes(routes!(metrics::samples))
        .routes(routes!(audit::list))
        .routes(routes!(config::plan))
        .merge(changing(host))
}

/// Those that change something: each request under a key is done once.
fn changing(host: &Host) -> OpenApiRouter<Host> {
    let mut routes = OpenApiRouter::new()
        .routes(routes!(connections::disconnect))
        .routes(routes!(connections::purge))
        .routes(routes!(flows::start))
        .routes(routes!(flows::complete));
    openapi::take_keys(routes.get_openapi_mut());
    routes.route_layer(middleware::from_fn_with_state(host.clone(), idempotency::once))
}

/// What a panic says may hold anything, so it is not repeated.
fn panicked() -> Response {
    Problem::internal().into_response()
}
