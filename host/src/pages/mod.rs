//! What a person's browser sees of the host: the connections of a tenant for those who sign in; for others a connect link, the callback of a
//! platform, and how it ended.

mod acts;
mod assets;
mod avatar;
mod browser;
mod callback;
mod card;
mod chart;
mod connection;
mod connections;
mod counts;
mod ended;
mod frame;
mod guard;
mod link;
mod offer;
mod said;
mod settings;
mod upkeep;
mod viewer;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRef;
use axum::http::StatusCode;
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

/// What every page is made with.
#[derive(Clone)]
struct Pages {
    host: Host,
    site: Arc<Site>,
    upkeep: Option<Arc<dyn Upkeep>>,
    avatars: Arc<Avatars>,
}

/// What the pages are served with.
#[derive(Clone, Debug)]
pub struct PagesSettings {
    /// Where browsers reach them.
    pub site: Arc<Site>,
    /// What admins are told of the program, if it tells.
    pub upkeep: Option<Arc<dyn Upkeep>>,
}

impl FromRef<Pages> for Host {
    fn from_ref(pages: &Pages) -> Self {
        pages.host.clone()
    }
}

/// The pages, for a server of one's own that browsers reach at the origin of the site. They have no path of their own to stand at.
pub fn router(host: Host, PagesSettings { site, upkeep }: PagesSettings) -> Router {
    let pages = Pages { avatars: Arc::new(Avatars::new(&host)), host, site, upkeep };
    Router::new()
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
