//! The one-flow listener on loopback that a desktop app's redirect comes back to (RFC 8252 section 7.3).

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::loopback::names_this_machine;
use crate::pages::is_navigation;

/// How long the page that says how it ended may still be fetched.
const LAST_PAGE: Duration = Duration::from_secs(1);

/// Where the pages are, unless the redirect itself comes to one of these.
const PATHS: [(Shown, &str); 3] =
    [(Shown::Ended, "/done"), (Shown::Reported, "/reported"), (Shown::NoFlow, "/no-flow")];

/// What comes before them then.
const PREFIX: &str = "/connector-host";

/// What comes before the name of a page that is one browser's alone.
const TOLD: &str = "/connector-host/told/";

/// Listens for callbacks until it is closed.
#[derive(Debug)]
pub(super) struct Listener {
    /// The port it got.
    pub(super) port: u16,
    arrivals: mpsc::Receiver<Arrival>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What a browser brought, and where to say which page it is sent to.
pub(super) struct Arrival {
    /// The query, undecoded. It holds a code.
    pub(super) query: String,
    answer: oneshot::Sender<Shown>,
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
    /// What else the person may do, if there is anything.
    pub(super) again: Option<Again>,
}

/// A link to where a person may go on.
#[derive(Clone)]
pub(super) struct Again {
    /// Where it leads. It holds a flow's state.
    pub(super) url: String,
    /// What it says.
    pub(super) text: String,
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Again").field("text", &self.text).finish_non_exhaustive()
    }
}

impl Page {
    /// That it went well.
    pub(super) fn well(title: &str, text: String) -> Self {
        Self { well: true, title: title.to_owned(), text, again: None }
    }

    /// That it did not.
    pub(super) fn ill(title: &str, text: String) -> Self {
        Self { well: false, title: title.to_owned(), text, again: None }
    }
}

/// The pages there are. None is shown at the address that holds the code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// How the flow ended.
    Ended,
    /// An error that may be the flow's, while it goes on.
    Reported,
    /// That a callback was no flow's.
    NoFlow,
    /// How one flow ended while others go on, under a name that only its browser knows.
    Told(String),
}

#[derive(Debug)]
struct Shared {
    path: String,
    arrivals: mpsc::Sender<Arrival>,
    ended: OnceLock<Page>,
    reported: Mutex<Option<Page>>,
    told: Mutex<BTreeMap<String, Page>>,
    fetched: Notify,
    stop: Notify,
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").finish_non_exhaustive()
    }
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
        let shared = Arc::new(Shared::new(path, sender));
        // The path is compared as it stands: the operator chose it, and a router would read patterns into it.
        let router = Router::new().fallback(answer).layer(middleware::from_fn(guard)).with_state(Arc::clone(&shared));
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

    /// Shows the browser an error that may be the flow's, while the flow goes on waiting.
    pub(super) fn report(&self, arrival: Arrival, page: Page) {
        *self.shared.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        arrival.send_to(Shown::Reported);
    }

    /// Shows the browser how a flow ended while others go on, on a page of its own, under a name that cannot be guessed.
    pub(super) fn show(&self, arrival: Arrival, page: Page, name: &str) {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), page);
        arrival.send_to(Shown::Told(name.to_owned()));
    }

    /// Says how it ended, lets the browser fetch the page that shows it, and stops listening.
    pub(super) async fn close(self, arrival: Option<Arrival>, page: Page) {
        let Self { arrivals, shared, server, .. } = self;
        // Whoever comes now is not kept waiting.
        drop(arrivals);
        // Nobody else sets it.
        let _ = shared.ended.set(page);
        if arrival.is_some_and(|arrival| arrival.send_to(Shown::Ended)) {
            let _ = tokio::time::timeout(LAST_PAGE, shared.fetched.notified()).await;
        }
        shared.stop.notify_one();
        let _ = tokio::time::timeout(LAST_PAGE, server).await;
    }
}

impl Arrival {
    /// Says that this callback is no flow's, while the flow goes on waiting for its own.
    pub(super) fn refuse(self) {
        self.send_to(Shown::NoFlow);
    }

    /// Whether the browser was still there to be sent on.
    fn send_to(self, page: Shown) -> bool {
        self.answer.send(page).is_ok()
    }
}

impl Shared {
    fn new(path: &str, arrivals: mpsc::Sender<Arrival>) -> Self {
        Self {
            path: path.to_owned(),
            arrivals,
            ended: OnceLock::new(),
            reported: Mutex::new(None),
            told: Mutex::default(),
            fetched: Notify::new(),
            stop: Notify::new(),
        }
    }

    /// The paths of the pages, of which none is the redirect's.
    fn pages(&self) -> impl Iterator<Item = (Shown, String)> {
        let prefix = if PATHS.iter().any(|(_, path)| *path == self.path) { PREFIX } else { "" };
        PATHS.into_iter().map(move |(page, path)| (page, format!("{prefix}{path}")))
    }

    /// Where a page is.
    fn path_of(&self, page: &Shown) -> Option<String> {
        match page {
            Shown::Told(name) => Some(format!("{TOLD}{name}")),
            page => self.pages().find(|(shown, _)| shown == page).map(|(_, path)| path),
        }
    }

    /// Which page is at a path.
    fn at(&self, path: &str) -> Option<Shown> {
        let told = path.strip_prefix(TOLD).map(|name| Shown::Told(name.to_owned()));
        told.or_else(|| self.pages().find(|(_, named)| named == path).map(|(shown, _)| shown))
    }

    fn page(&self, page: &Shown) -> Option<Page> {
        match page {
            Shown::Ended => self.ended.get().cloned(),
            Shown::Reported => self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Shown::NoFlow => {
                Some(Page::ill("Not connected", "This address belongs to no flow in progress.".to_owned()))
            }
            Shown::Told(name) => self.told.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned(),
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let uri = request.uri();
    if uri.path() != shared.path {
        return show(&shared, uri.path());
    }
    if !is_navigation(request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let query = uri.query().unwrap_or_default().to_owned();
    callback(&shared, query).await
}

/// Hands the callback over and sends the browser on, away from the address that holds the code.
async fn callback(shared: &Shared, query: String) -> Response {
    let (answer, page) = oneshot::channel();
    if shared.arrivals.send(Arrival { query, answer }).await.is_err() {
        return StatusCode::GONE.into_response();
    }
    let Ok(page) = page.await else { return StatusCode::GONE.into_response() };
    let path = shared.path_of(&page);
    path.map_or_else(|| StatusCode::GONE.into_response(), |path| Redirect::to(&path).into_response())
}

fn show(shared: &Shared, path: &str) -> Response {
    let Some((page, shown)) = shared.at(path).and_then(|shown| Some((shared.page(&shown)?, shown))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let answer = match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    if shown == Shown::Ended {
        shared.fetched.notify_one();
    }
    answer
}

/// Answers to this machine's own names alone, and keeps every answer out of caches, frames and referrers.
async fn guard(request: Request, next: Next) -> Response {
    let mut answer = if names_this_machine(request.headers()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(path: &str) -> Vec<String> {
        Shared::new(path, mpsc::channel(1).0).pages().map(|(_, path)| path).collect()
    }

    #[test]
    fn no_page_is_where_the_redirect_comes_back_to() {
        for (_, path) in PATHS {
            assert!(!pages(path).iter().any(|page| page == path), "{path}");
        }
        assert_eq!(pages("/:x/cb"), PATHS.map(|(_, path)| path));
        assert_eq!(pages("/connector-host/done"), PATHS.map(|(_, path)| path));
    }

    #[test]
    fn debug_shows_no_code() {
        let arrival = Arrival { query: "code=hush".to_owned(), answer: oneshot::channel().0 };
        assert_eq!(format!("{arrival:?}"), "Arrival { .. }");
    }
}
