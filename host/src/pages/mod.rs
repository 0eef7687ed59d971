//! What a person's browser sees of the host: the connections of a tenant for those who sign in; for others a connect link, the callback of a
//! platform, and how it ended.

mod account;
mod assets;
mod browser;
mod callback;
mod connections;
mod cookies;
mod ended;
mod forms;
mod frame;
mod guard;
mod link;
mod next;
mod set_up;
mod sign_in;
mod users;
mod viewer;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};

#[cfg(feature = "cli")]
pub(crate) use self::guard::is_navigation;
use self::words::Words;
use crate::error::Error;
use crate::host::Host;
use crate::links::{Site, word};
use crate::users::{Door, SetUp};

/// The largest form that is read, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// What every page is made with.
#[derive(Clone)]
struct Pages {
    host: Host,
    site: Arc<Site>,
    door: Arc<Door>,
    set_up: Option<Arc<SetUp>>,
}

impl FromRef<Pages> for Host {
    fn from_ref(pages: &Pages) -> Self {
        pages.host.clone()
    }
}

/// The pages, for a server of one's own that browsers reach at the origin of the site. They have no path of their own to stand at.
pub fn router(host: Host, site: Arc<Site>) -> Router {
    with_set_up(host, site, None)
}

/// The same, where the first admin can be made with a token.
pub(crate) fn with_set_up(host: Host, site: Arc<Site>, set_up: Option<Arc<SetUp>>) -> Router {
    let door = Arc::new(Door::new(host.context()));
    let pages = Pages { host, site, door, set_up };
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/set-up", get(set_up::show).post(set_up::make))
        .route("/account", get(account::show))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end", post(account::end_others))
        .route("/users", get(users::show).post(users::add))
        .route("/users/{id}/password", post(users::password))
        .route("/users/{id}/disable", post(users::disable))
        .route("/users/{id}/sign-out", post(users::sign_out))
        .route("/", get(connections::show))
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

    /// Something is wrong with the host. What the operator has to know of it is in the log.
    fn inside<E: Into<Error>>(error: E) -> Self {
        let error: Error = error.into();
        tracing::warn!(%error, "a page could not be made");
        Self(StatusCode::SERVICE_UNAVAILABLE, Words::failed_inside())
    }
}

impl From<Error> for Refused {
    /// What the operator has to know of it is in the log.
    fn from(error: Error) -> Self {
        tracing::warn!(%error, "a person could not go on");
        Self(StatusCode::SERVICE_UNAVAILABLE, Words::of_failure(word(&error)))
    }
}
