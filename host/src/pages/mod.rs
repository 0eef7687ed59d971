//! What a person's browser sees of the host: the connections of a tenant for those who sign in; for others a connect link, the callback of a
//! platform, and how it ended.

mod assets;
mod browser;
mod callback;
mod connections;
mod ended;
mod frame;
mod guard;
mod link;
mod viewer;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRef;
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

/// What every page is made with.
#[derive(Clone)]
struct Pages {
    host: Host,
    site: Arc<Site>,
}

impl FromRef<Pages> for Host {
    fn from_ref(pages: &Pages) -> Self {
        pages.host.clone()
    }
}

/// The pages, for a server of one's own that browsers reach at the origin of the site. They have no path of their own to stand at.
pub fn router(host: Host, site: Arc<Site>) -> Router {
    let pages = Pages { host, site };
    Router::new()
        .route("/", get(connections::show))
        .route("/assets/{name}", get(assets::file))
        .route("/connect/{token}", get(link::show).post(link::start))
        .route("/connect/ended", get(ended::without_link))
        .route("/connect/ended/{link}", get(ended::show))
        .route("/connect/ended/{link}/again", post(ended::again))
        .route("/oauth/callback/{platform}/{app}", get(callback::arrive))
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

impl From<Error> for Refused {
    /// What the operator has to know of it is in the log.
    fn from(error: Error) -> Self {
        tracing::warn!(%error, "a person could not go on");
        Self(StatusCode::SERVICE_UNAVAILABLE, Words::of_failure(word(&error)))
    }
}
