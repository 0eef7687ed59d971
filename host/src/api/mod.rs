//! The API that a product builds on, over HTTP: what the host does, for whoever has a key, as JSON.
//!
//! Every route but the description of the API itself stands behind `caller::with_key`. A route asks for the right it needs first of all.
//! Nothing of another tenant is there for a caller: what is not its own is not found.

mod audit;
mod caller;
mod config;
mod connections;
mod events;
mod extract;
mod flows;
mod handed_out;
mod headers;
mod idempotency;
mod links;
mod metrics;
mod openapi;
mod page;
mod platforms;
mod problem;
mod receivers;
mod request_id;
mod throttle;
mod tokens;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use connector_core::http::Network;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::caller::Gate;
use self::handed_out::HandedOut;
pub(crate) use self::headers::harden;
use self::openapi::Description;
pub(crate) use self::problem::Problem;
pub use self::throttle::KeyRate;
use self::throttle::Throttle;
pub use crate::client::Client;
use crate::host::Host;
use crate::layers::ConfigFiles;
use crate::links::Site;

/// The largest body that is read, in bytes.
const BODY: usize = 64 * 1024;

/// What the API is served with.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where browsers reach the pages of the same server.
    pub site: Arc<Site>,
    /// How often a key may ask.
    pub rate: KeyRate,
    /// The networks in which receivers of events may be, besides public addresses.
    pub private_receivers: Vec<Network>,
    /// The files that the host was configured by, if it was by files: a change of the configuration is planned over them.
    pub files: Option<ConfigFiles>,
}

/// What the routes work with.
struct Api {
    host: Host,
    site: Arc<Site>,
    private_receivers: Vec<Network>,
    files: Option<ConfigFiles>,
    handed_out: HandedOut,
}

impl FromRef<Arc<Api>> for Host {
    fn from_ref(api: &Arc<Api>) -> Self {
        api.host.clone()
    }
}

/// Everything under `/api/v1`, for a server of one's own to stand at that path. Who may listen to it, and over what, is the server's affair.
/// A server that puts [`Client`] into the extensions of its requests has those who guess at keys slowed down.
pub fn router(host: Host, ApiSettings { site, rate, private_receivers, files }: ApiSettings) -> Router {
    let gate = Gate { host: host.clone(), throttle: Arc::new(Throttle::new(host.context(), rate)) };
    let api = Api { host: host.clone(), site, private_receivers, files, handed_out: HandedOut::default() };
    let (routes, description) = described(&host).split_for_parts();
    let description = openapi::router(openapi::finished(description));
    let known = routes.fallback(async || Problem::not_found("route")).method_not_allowed_fallback(async || {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The route does not know this method")
    });
    known
        .layer(middleware::from_fn_with_state(gate, caller::with_key))
        .merge(description)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(middleware::from_fn_with_state(host, request_id::with_id))
        .with_state(Arc::new(api))
}

/// The routes with what is said about each.
fn described(host: &Host) -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(platforms::list))
        .routes(routes!(platforms::scopes))
        .routes(routes!(connections::list))
        .routes(routes!(connections::get))
        .routes(routes!(tokens::token))
        .routes(routes!(metrics::latest))
        .routes(routes!(metrics::history))
        .routes(routes!(metrics::samples))
        .routes(routes!(links::list))
        .routes(routes!(links::get))
        .routes(routes!(events::list))
        .routes(routes!(receivers::list))
        .routes(routes!(audit::list))
        .routes(routes!(config::plan))
        .merge(changing(host))
}

/// Those that change something: each request under a key is done once.
fn changing(host: &Host) -> OpenApiRouter<Arc<Api>> {
    let mut routes = OpenApiRouter::new()
        .routes(routes!(connections::disconnect))
        .routes(routes!(connections::purge))
        .routes(routes!(flows::start))
        .routes(routes!(flows::complete))
        .routes(routes!(links::create))
        .routes(routes!(links::cancel))
        .routes(routes!(events::resend))
        .routes(routes!(receivers::add))
        .routes(routes!(receivers::rotate))
        .routes(routes!(receivers::remove));
    openapi::take_keys(routes.get_openapi_mut());
    routes.route_layer(middleware::from_fn_with_state(host.clone(), idempotency::once))
}

/// What a panic says may hold anything, so it is not repeated.
fn panicked() -> Response {
    Problem::internal().into_response()
}
