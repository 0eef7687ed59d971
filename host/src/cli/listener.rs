//! The one-flow listener on loopback that a desktop app's redirect comes back to (RFC 8252 section 7.3).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// How long the page that says how it ended may still be fetched.
const LAST_PAGE: Duration = Duration::from_secs(1);

/// Listens for callbacks until it is closed.
#[derive(Debug)]
pub(super) struct Listener {
    /// The port it got.
    pub(super) port: u16,
    arrivals: mpsc::Receiver<Arrival>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What a browser brought, and where to say how it ended.
#[derive(Debug)]
pub(super) struct Arrival {
    /// The query, undecoded. It holds a code.
    pub(super) query: String,
    answer: oneshot::Sender<Page>,
}

/// How a flow ended, for the person in the browser.
#[derive(Clone, Debug, Template)]
#[template(path = "done.html")]
pub(super) struct Page {
    /// Whether it went well.
    pub(super) well: bool,
    /// The heading.
    pub(super) title: String,
    /// What to know or do.
    pub(super) text: String,
}

#[derive(Debug)]
struct Shared {
    arrivals: mpsc::Sender<Arrival>,
    page: OnceLock<Page>,
    shown: Notify,
    stop: Notify,
}

impl Listener {
    /// Listens on 127.0.0.1, on this port or a free one, for this path.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) async fn open(port: Option<u16>, path: &str) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let socket = TcpListener::bind(address).await.map_err(|error| taken(port, &error))?;
        let port = socket.local_addr().map_err(|error| taken(port, &error))?.port();
        let (sender, arrivals) = mpsc::channel(1);
        let shared =
            Arc::new(Shared { arrivals: sender, page: OnceLock::new(), shown: Notify::new(), stop: Notify::new() });
        let router = Router::new()
            .route(path, get(callback))
            .route("/done", get(done))
            .layer(middleware::from_fn(guard))
            .with_state(Arc::clone(&shared));
        let stop = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            let served =
                axum::serve(socket, router).with_graceful_shutdown(async move { stop.stop.notified().await }).await;
            if let Err(error) = served {
                tracing::warn!(%error, "the listener for the redirect failed");
            }
        });
        Ok(Self { port, arrivals, shared, server })
    }

    /// The next callback.
    pub(super) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// Says how it ended, lets the browser fetch the page that shows it, and stops listening.
    pub(super) async fn close(self, arrival: Option<Arrival>, page: Page) {
        if let Some(arrival) = arrival {
            let shown = self.shared.shown.notified();
            // A browser that has gone away needs no page.
            if arrival.answer.send(page).is_ok() {
                let _ = tokio::time::timeout(LAST_PAGE, shown).await;
            }
        }
        self.shared.stop.notify_one();
        let _ = tokio::time::timeout(LAST_PAGE, self.server).await;
    }
}

impl Arrival {
    /// Says what is wrong with this callback, while the flow goes on waiting for its own.
    pub(super) fn refuse(self, text: String) {
        // A browser that has gone away needs no page.
        let _ = self.answer.send(Page { well: false, title: "Not connected".to_owned(), text });
    }
}

/// Hands the callback over and sends the browser on, away from the address that holds the code.
async fn callback(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let (answer, page) = oneshot::channel();
    let arrival = Arrival { query: query.unwrap_or_default(), answer };
    if shared.arrivals.send(arrival).await.is_err() {
        return StatusCode::GONE.into_response();
    }
    let Ok(page) = page.await else { return StatusCode::GONE.into_response() };
    if shared.page.set(page.clone()).is_ok() && page.well {
        return Redirect::to("/done").into_response();
    }
    show(&page)
}

async fn done(State(shared): State<Arc<Shared>>) -> Response {
    let Some(page) = shared.page.get() else { return StatusCode::NOT_FOUND.into_response() };
    let answer = show(page);
    shared.shown.notify_one();
    answer
}

fn show(page: &Page) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Answers to this machine's own names alone, and keeps every answer out of caches, frames and referrers.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut answer = if matches!(name, "127.0.0.1" | "localhost") {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn taken(port: Option<u16>, error: &std::io::Error) -> Error {
    let port = port.map_or_else(|| "a free port".to_owned(), |port| format!("port {port}"));
    Error::Machine(format!("127.0.0.1 cannot be listened on at {port}: {error}; name another with --port"))
}
