//! What people do at a page: the calls that the API and the command line make, in a browser.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::{ErrorKind, PlatformId};
use jiff::SignedDuration;
use serde::Deserialize;

use super::card::Card;
use super::connection::{card, found};
use super::extract::{Asked, Named};
use super::forms::Button;
use super::frame::Frame;
use super::guard::is_part;
use super::viewer::{Posted, Viewer};
use super::{Pages, Refused, Shown, link, page};
use crate::error::Error;
use crate::flow::{Asking, Revocation};
use crate::links::{CONNECTED, NewConnectLink};
use crate::store::{ConnectionId, ConnectionState};

/// How long a person may try again, from when they begin.
const LINK_LIFE: SignedDuration = SignedDuration::from_mins(30);

/// Counts that are younger are not asked for again, however often somebody presses.
const YOUNG: SignedDuration = SignedDuration::from_secs(1);

/// What the form of a connect says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    /// The product's own id for the connection, or nothing.
    #[serde(default)]
    reference: String,
}

#[derive(Template)]
#[template(path = "card_part.html")]
struct CardPart {
    card: Card,
}

#[derive(Template)]
#[template(path = "not_begun.html")]
struct NotBegunPage {
    frame: Frame,
    why: String,
}

/// Begins to connect an account, in this browser.
pub(super) async fn connect(
    State(pages): State<Pages>,
    Named((platform, app)): Named<(String, String)>,
    jar: CookieJar,
    Posted(viewer, form): Posted<Connect>,
) -> Shown {
    let platform = platform.parse().map_err(|_| Refused::nothing_here())?;
    let reference = Some(form.reference.trim().to_owned()).filter(|text| !text.is_empty());
    let new = NewConnectLink { reference, ..wish(&viewer, platform, app, None) };
    begin(&pages, viewer, new, jar).await
}

/// Begins to ask the person of a connection again.
pub(super) async fn reconnect(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    jar: CookieJar,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let connection = found(&pages.host, &viewer, &id).await?.connection;
    let new = wish(&viewer, connection.platform, connection.app, Some(connection.id));
    begin(&pages, viewer, new, jar).await
}

/// A link for the viewer's own browser.
fn wish(viewer: &Viewer, platform: PlatformId, app: String, reconnects: Option<ConnectionId>) -> NewConnectLink {
    let tenant = viewer.tenant.clone();
    NewConnectLink { tenant, platform, app, reference: None, reconnects, return_url: None, life: LINK_LIFE }
}

/// Makes the link and starts it at once. In the end the browser comes back here.
async fn begin(pages: &Pages, viewer: Viewer, new: NewConnectLink, jar: CookieJar) -> Shown {
    let renews = new.reconnects.as_ref().map(|id| ("renews", id.as_str()));
    let back = pages.site.own(&viewer.href_with(CONNECTED, renews.as_slice()));
    match viewer.host(&pages.host).create_own_link(&pages.site, new, &back).await {
        Ok(record) => link::begin(pages, &record, jar, Asking::Everything).await,
        Err(error) => Ok(not_begun(pages, viewer, &error)),
    }
}

/// What is the operator's to mend is said to an admin alone.
fn not_begun(pages: &Pages, viewer: Viewer, error: &Error) -> Response {
    tracing::warn!(%error, "a connect could not begin");
    let why = if viewer.is_admin { error.to_string() } else { "The operator finds the reason in the log.".to_owned() };
    page(StatusCode::CONFLICT, &NotBegunPage { why, frame: Frame::new(pages, viewer, "/") })
}

/// Where the browser comes to in the end: it is sent on to what it brought, so that no address says more than a word. A person may have
/// connected several accounts at once.
pub(super) async fn ended(viewer: Viewer, Asked(told): Asked<Vec<(String, String)>>) -> Response {
    let all = |name: &'static str| told.iter().filter(move |(told, _)| told == name).map(|(_, value)| value.as_str());
    let word = all("error").next().unwrap_or("connected");
    let ids: Vec<ConnectionId> = all("connection_id").filter_map(|id| id.parse().ok()).collect();
    let renewed = all("renews").next().and_then(|id| id.parse().ok());
    match (renewed, ids.as_slice()) {
        (Some(id), _) => go(&viewer, &own_page(&id), word),
        (None, [id]) => go(&viewer, &own_page(id), word),
        (None, _) => go(&viewer, "/", word),
    }
}

fn own_page(id: &ConnectionId) -> String {
    format!("/connections/{id}")
}

/// Asks the platform for new counts.
pub(super) async fn update(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    headers: HeaderMap,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let host = pages.host.pinned();
    let connected = found(&host, &viewer, &id).await?;
    let read = host.metrics(&connected, YOUNG).await?;
    if is_part(&headers) {
        let now = found(&host, &viewer, &id).await?;
        let failed = read.error.as_ref().map(|error| told(&viewer, error));
        let card = Card { failed, ..card(&host, &viewer, &now).await? };
        return Ok(page(StatusCode::OK, &CardPart { card }));
    }
    let word = if read.error.is_some() { "not_updated" } else { "updated" };
    Ok(go(&viewer, &own_page(&connected.connection.id), word))
}

/// What went wrong, where it is not for the operator alone.
fn told(viewer: &Viewer, error: &Error) -> String {
    let is_for_all = error.kind().is_some_and(|kind| *kind != ErrorKind::Config);
    if is_for_all || viewer.is_admin {
        return error.to_string();
    }
    "Something is not right here. The operator finds the reason in the log.".to_owned()
}

/// Gives a connection up.
pub(super) async fn disconnect(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let connected = found(&pages.host, &viewer, &id).await?;
    let path = own_page(&connected.connection.id);
    if matches!(connected.state(), ConnectionState::Disconnected | ConnectionState::Disconnecting) {
        return Ok(go(&viewer, &path, "already_disconnected"));
    }
    let done = viewer.host(&pages.host).disconnect(&viewer.tenant, &connected.connection.id).await?;
    let word = match done.revocation {
        Revocation::Done => "disconnected",
        Revocation::GrantInUse => "disconnected_shared",
        Revocation::NotOffered | Revocation::NotOurs | Revocation::Unconfirmed => "disconnected_only_here",
        Revocation::Pending(_) => "disconnecting",
    };
    Ok(go(&viewer, &path, word))
}

/// 303 to a place, with what was just done.
fn go(viewer: &Viewer, path: &str, word: &str) -> Response {
    Redirect::to(&viewer.href_with(path, &[("said", word)])).into_response()
}
