//! What a person's browser sees of the host: the connections of a tenant for those who sign in; for others a connect link, the callback of a
//! platform, and how it ended.

mod account;
mod acts;
mod assets;
mod avatar;
mod browser;
mod callback;
mod card;
mod chart;
mod connection;
mod connections;
mod cookies;
mod counts;
mod ended;
mod extract;
mod facts;
mod forms;
mod frame;
mod guard;
mod link;
mod next;
mod offer;
mod said;
mod set_up;
mod settings;
mod sign_in;
mod upkeep;
mod users;
mod viewer;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};

use self::avatar::Avatars;
#[cfg(feature = "cli")]
pub(crate) use self::guard::is_navigation;
pub use self::upkeep::Upkeep;
use self::words::Words;
use crate::error::Error;
use crate::host::Host;
use crate::links::{CONNECTED, Site, word};
use crate::users::{Door, SetUp};

/// The largest form that is read, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// What every page is made with.
#[derive(Clone)]
struct Pages {
    host: Host,
    site: Arc<Site>,
    upkeep: Option<Arc<dyn Upkeep>>,
    set_up: Option<Arc<SetUp>>,
    door: Arc<Door>,
    avatars: Arc<Avatars>,
}

/// What the pages are served with.
#[derive(Clone, Debug)]
pub struct PagesSettings {
    /// Where browsers reach them.
    pub(crate) site: Arc<Site>,
    /// What admins are told of the program, if it tells.
    pub(crate) upkeep: Option<Arc<dyn Upkeep>>,
    /// What the first admin is made with, if one can be made here.
    pub(crate) set_up: Option<Arc<SetUp>>,
}

impl PagesSettings {
    /// Pages that browsers reach there.
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, upkeep: None, set_up: None }
    }

    /// The same, where the first admin can be made with a token, on this machine alone.
    pub fn with_set_up(self, set_up: Arc<SetUp>) -> Self {
        Self { set_up: Some(set_up), ..self }
    }

    /// The same, where admins are told of the program.
    pub fn kept_by(self, upkeep: Arc<dyn Upkeep>) -> Self {
        Self { upkeep: Some(upkeep), ..self }
    }
}

impl FromRef<Pages> for Host {
    fn from_ref(pages: &Pages) -> Self {
        pages.host.clone()
    }
}

/// The pages, for a server of one's own that browsers reach at the origin of the site. They have no path of their own to stand at.
pub fn router(host: Host, PagesSettings { site, upkeep, set_up }: PagesSettings) -> Router {
    let (door, avatars) = (Arc::new(Door::new(host.context())), Arc::new(Avatars::new(&host)));
    let pages = Pages { host, site, upkeep, set_up, door, avatars };
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/set-up", get(set_up::show).post(set_up::make))
        .route("/account", get(account::show))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end", post(account::end_others))
        .route("/users", get(users::show).post(users::add))
        .route("/users/{id}/password", post(users::password))
        .route("/users/{id}/disable", get(users::ask).post(users::disable))
        .route("/users/{id}/sign-out", post(users::sign_out))
        .route("/", get(connections::show))
        .route(CONNECTED, get(acts::ended))
        .route("/settings", get(settings::show))
        .route("/connections/{id}", get(connection::show))
        .route("/connections/{id}/avatar", get(avatar::show))
        .route("/connections/{id}/disconnect", get(connection::ask).post(acts::disconnect))
        .route("/connections/{id}/metrics", post(acts::update))
        .route("/connections/{id}/reconnect", post(acts::reconnect))
        .route("/platforms/{platform}/{app}/connect", post(acts::connect))
        .route("/assets/{name}", get(assets::file))
        .route("/connect/{token}", get(link::show).post(link::start))
        .route("/connect/ended", get(ended::without_link))
        .route("/connect/ended/{link}", get(ended::show))
        .route("/connect/ended/{link}/again", post(ended::again))
        .route("/oauth/callback/{platform}/{app}", get(callback::arrive))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn_with_state(pages.clone(), guard::guard))
        .with_state(pages)
}

/// A page, or that it could not be written.
fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What a route answers: a page or a way on, or why the person cannot go on.
type Shown = Result<Response, Refused>;

/// Why a person cannot go on, with the status of the answer.
struct Refused(StatusCode, Words);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        page(self.0, &ended::EndedPage::saying(self.1))
    }
}

impl Refused {
    /// Nothing is there, for this viewer.
    fn nothing_here() -> Self {
        Self(StatusCode::NOT_FOUND, Words::no_page())
    }

    /// A form that is taken from nobody.
    fn old_form() -> Self {
        Self(StatusCode::FORBIDDEN, Words::old_form())
    }
}

/// The page that a browser is shown at an address where nothing is, for the fallback of a server that has the pages. `None` for whoever
/// does not ask for a page.
pub fn nowhere(headers: &HeaderMap) -> Option<Response> {
    let takes = headers.get(header::ACCEPT).and_then(|takes| takes.to_str().ok())?;
    takes.contains("text/html").then(|| {
        let mut answer = Refused::nothing_here().into_response();
        guard::harden_page(answer.headers_mut());
        answer
    })
}

impl From<Error> for Refused {
    /// What the operator has to know of it is in the log.
    fn from(error: Error) -> Self {
        tracing::warn!(%error, "a page could not be made");
        Self(StatusCode::SERVICE_UNAVAILABLE, Words::failed_inside())
    }
}

impl Refused {
    /// A flow that did not begin.
    fn of_flow(error: &Error) -> Self {
        tracing::warn!(%error, "a person could not go on");
        Self(StatusCode::SERVICE_UNAVAILABLE, Words::of_failure(word(error)))
    }
}
