//! What a host that runs for long tells about itself, over HTTP on this machine: whether it lives, whether it does its work, and figures.
//! Who can read its notice in the data directory may have it read its configuration anew.

mod board;
mod metrics;
mod notice;
mod openmetrics;
mod ready;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use connector_core::Secret;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) use self::board::Board;
pub(crate) use self::notice::{Found, Notice, Posted, find};
use self::ready::Written;
use crate::bearer::bearer;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::loopback::names_this_machine;
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

/// The listener, until it is closed.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

/// An address of this machine, which nobody else reaches.
///
/// # Errors
/// Any other address: what is told here is for this machine alone.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr> {
    let address: SocketAddr = text.parse().map_err(|_| {
        Error::Request(format!(
            "`{}` is not an address with a port: write one such as 127.0.0.1:8787 or [::1]:8787",
            text.escape_debug()
        ))
    })?;
    if !address.ip().is_loopback() {
        return Err(Error::Request(format!(
            "{address} can be reached from other machines, and nobody is asked who he is there: listen at 127.0.0.1 or [::1], and let a proxy of your own show what others may see"
        )));
    }
    Ok(address)
}

/// Takes a port, so that it is known to be free before anything else begins.
///
/// # Errors
/// When it is taken.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::Machine(format!("{address} cannot be listened on: {error}; name another address with --listen"))
    })
}

impl Server {
    /// Answers on a listener.
    ///
    /// # Errors
    /// When the system does not say where the listener listens.
    pub(crate) fn open(listener: TcpListener, told: Told) -> Result<Self> {
        let address = listener.local_addr().map_err(|error| Error::Machine(format!("no address: {error}")))?;
        let stop = Arc::new(Notify::new());
        let (router, stopped) = (router(told), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.notified().await });
            if let Err(error) = served.await {
                tracing::error!(%error, "nothing more is told over HTTP");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Stops listening.
    pub(crate) async fn close(self) {
        self.stop.notify_one();
        // Who reads slowly is not waited for.
        let _ = tokio::time::timeout(LAST_ANSWER, self.task).await;
    }
}

/// What the store says, or that it has not said anything in time.
async fn in_time<T>(call: impl Future<Output = T>) -> Result<T, String> {
    let late = |_| format!("the store has not answered for {} s", STORE_ANSWERS_WITHIN.as_secs());
    tokio::time::timeout(STORE_ANSWERS_WITHIN, call).await.map_err(late)
}

fn router(told: Told) -> Router {
    let api = crate::api::router(told.host.clone(), Some(told.reloader.files()));
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route(READY, get(ready))
        .route("/metrics", get(figures))
        .route(RELOAD, post(reload))
        .with_state(Arc::new(told))
        .nest("/api/v1", api)
        .layer(middleware::from_fn(guard))
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

/// Answers to this machine's own names alone: a page whose name was made to lead here must not read it.
async fn guard(request: Request, next: Next) -> Response {
    let mut answer = if names_this_machine(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this is told to 127.0.0.1, localhost and [::1] alone\n").into_response()
    };
    for (name, value) in [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_listened_at() {
        for address in ["127.0.0.1:8787", "127.0.0.2:0", "[::1]:8787"] {
            assert_eq!(loopback(address).unwrap().to_string(), address);
        }
        for (address, why) in [
            ("0.0.0.0:8787", "can be reached from other machines"),
            ("[::]:8787", "can be reached from other machines"),
            ("192.0.2.7:80", "can be reached from other machines"),
            ("localhost:8787", "not an address with a port"),
            ("8787", "not an address with a port"),
        ] {
            let error = loopback(address).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
