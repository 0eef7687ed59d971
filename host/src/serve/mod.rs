//! What a host that runs for long tells about itself, over HTTP on this machine: whether it lives, whether it does its work, and figures.
//! Who can read its notice in the data directory may have it read its configuration anew.

mod board;
mod connections;
mod guard;
mod metrics;
mod notice;
mod openmetrics;
mod origin;
mod posture;
mod proxies;
mod ready;
mod slots;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use connector_core::Secret;

pub(crate) use self::board::Board;
pub(crate) use self::notice::{Found, Notice, Posted, find};
pub(crate) use self::posture::{Asked, Posture};
use self::posture::{Doors, Routers};
pub(crate) use self::proxies::Proxy;
use self::ready::Written;
pub(crate) use self::tls::TlsFiles;
use crate::api::ApiSettings;
use crate::bearer::bearer;
use crate::error::Result;
use crate::host::Host;
use crate::pages::PagesSettings;
use crate::reload::{Reloader, Why};

/// How long an answer that is being written may take when the server closes.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// The content type of the figures.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where a host that runs is asked to read its configuration anew.
pub(crate) const RELOAD: &str = "/config/reload";

/// Where it says whether it does its work.
pub(crate) const READY: &str = "/readyz";

/// How long the store may take, so that whoever asks hears that it does not answer before he stops listening.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What the answers are made of.
pub(crate) struct Told {
    pub(crate) host: Host,
    pub(crate) board: Arc<Board>,
    /// The time between passes.
    pub(crate) every: Duration,
    pub(crate) reloader: Arc<Reloader>,
    /// Who has it may ask for more than to be told.
    pub(crate) token: Secret,
    written: Written,
}

impl Told {
    pub(crate) fn new(host: Host, board: Arc<Board>, every: Duration, reloader: Arc<Reloader>, token: Secret) -> Self {
        Self { host, board, every, reloader, token, written: Written::default() }
    }
}

/// What answers, until it is closed.
pub(crate) struct Server {
    doors: Doors,
}

impl Server {
    /// Answers at every port that was taken.
    ///
    /// # Errors
    /// When the system does not say where it listens.
    pub(crate) fn open(posture: Posture, told: Told, api: ApiSettings, pages: PagesSettings) -> Result<Self> {
        let told = Arc::new(told);
        let routers = Routers {
            main: router(&told, api, pages),
            health: telling().with_state(Arc::clone(&told)),
            control: for_this_machine().with_state(told),
        };
        Ok(Self { doors: posture.open(routers)? })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.doors.main.address
    }

    /// Where health and figures are told to anybody, if they are.
    pub(crate) fn health(&self) -> Option<SocketAddr> {
        self.doors.health.as_ref().map(|door| door.address)
    }

    /// Where commands on this machine ask.
    pub(crate) fn control(&self) -> SocketAddr {
        self.doors.control.as_ref().map_or(self.doors.main.address, |door| door.address)
    }

    /// Stops listening. Who reads slowly is not waited for.
    pub(crate) async fn close(self) {
        let Doors { main, health, control } = self.doors;
        let others = [health, control].into_iter().flatten();
        for door in others.chain([main]) {
            door.close(LAST_ANSWER).await;
        }
    }
}

/// What the store says, or that it has not said anything in time.
async fn in_time<T>(call: impl Future<Output = T>) -> Result<T, String> {
    let late = |_| format!("the store has not answered for {} s", STORE_ANSWERS_WITHIN.as_secs());
    tokio::time::timeout(STORE_ANSWERS_WITHIN, call).await.map_err(late)
}

fn router(told: &Arc<Told>, api: ApiSettings, pages: PagesSettings) -> Router {
    let pages = crate::pages::router(told.host.clone(), pages);
    let api = crate::api::router(told.host.clone(), api);
    for_this_machine().with_state(Arc::clone(told)).nest("/api/v1", api).merge(pages)
}

/// What only this machine is told, and may ask for.
fn for_this_machine() -> Router<Arc<Told>> {
    telling().route(RELOAD, post(reload)).route_layer(middleware::from_fn(guard::from_here))
}

/// How it goes.
fn telling() -> Router<Arc<Told>> {
    Router::new().route("/healthz", get(async || "alive\n")).route(READY, get(ready)).route("/metrics", get(figures))
}

async fn ready(State(told): State<Arc<Told>>) -> Response {
    let state = ready::state(&told).await;
    let status = if state.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(state)).into_response()
}

async fn reload(State(told): State<Arc<Told>>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
    if !given.is_some_and(|given| told.token.matches(given.expose())) {
        return (StatusCode::UNAUTHORIZED, "only who can read the notice in the data directory may ask for this\n")
            .into_response();
    }
    // Who asked may go away meanwhile: what is taken up is put on record all the same.
    let reloader = Arc::clone(&told.reloader);
    match tokio::spawn(async move { reloader.reload(Why::Asked).await }).await {
        Ok(outcome) => axum::Json(outcome).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn figures(State(told): State<Arc<Told>>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], metrics::text(&told).await).into_response()
}
