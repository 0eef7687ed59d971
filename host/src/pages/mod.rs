//! What a person's browser sees of the host: a connect link, the callback of a platform, and how it ended. No script runs on any page.

mod browser;
mod callback;
mod ended;
mod guard;
mod link;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRef;
use axum::http::{StatusCode, header};
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

/// The pages, for a server of one's own that browsers reach at the origin of the site. They are at `/connect/` and `/oauth/callback/`.
pub fn router(host: Host, site: Arc<Site>) -> Router {
    let pages = Pages { host, site };
    Router::new()
        .route("/connect/style.css", get(style))
        .route("/connect/{token}", get(link::show).post(link::start))
        .route("/connect/ended", get(ended::without_link))
        .route("/connect/ended/{link}", get(ended::show))
        .route("/connect/ended/{link}/again", post(ended::again))
        .route("/oauth/callback/{platform}/{app}", get(callback::arrive))
        .layer(middleware::from_fn_with_state(pages.clone(), guard::guard))
        .with_state(pages)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../templates/pages.css")).into_response()
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
