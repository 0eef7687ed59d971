//! What people do at a page: the calls that the API and the command line make, in a browser.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::PlatformId;
use jiff::SignedDuration;
use serde::Deserialize;

use super::card::Card;
use super::connection::{card, found};
use super::frame::Frame;
use super::viewer::{Posted, Viewer};
use super::{Pages, Refused, Shown, link, page};
use crate::error::Error;
use crate::flow::{Asking, Revocation};
use crate::links::{CONNECTED, NewConnectLink};
use crate::store::{ConnectLinkRecord, ConnectionId, ConnectionState};

/// How long a person may try again, from when they begin.
const LINK_LIFE: SignedDuration = SignedDuration::from_mins(30);

/// What the form of a connect says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    /// The product's own id for the connection, or nothing.
    #[serde(default)]
    reference: String,
}

/// What a form says that is a button alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Button {}

/// How a connect ended, as the callback tells it.
#[derive(Deserialize)]
pub(super) struct Ended {
    /// The connection that was to be renewed.
    renews: Option<String>,
    connection_id: Option<String>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "card.html")]
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
    Path((platform, app)): Path<(String, String)>,
    jar: CookieJar,
    Posted(viewer, form): Posted<Connect>,
) -> Shown {
    let platform = platform.parse().map_err(|_| Refused::nothing_here())?;
    let reference = Some(form.reference.trim().to_owned()).filter(|text| !text.is_empty());
    let new = NewConnectLink { reference, ..wish(&pages, &viewer, platform, app, None) };
    begin(&pages, viewer, new, jar).await
}

/// Begins to ask the person of a connection again.
pub(super) async fn reconnect(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    jar: CookieJar,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let connection = found(&pages.host, &viewer, &id).await?.connection;
    let new = wish(&pages, &viewer, connection.platform, connection.app, Some(connection.id));
    begin(&pages, viewer, new, jar).await
}

/// A link for the viewer's own browser, which comes back here.
fn wish(
    pages: &Pages,
    viewer: &Viewer,
    platform: PlatformId,
    app: String,
    reconnects: Option<ConnectionId>,
) -> NewConnectLink {
    let renews = reconnects.as_ref().map(|id| ("renews", id.as_str()));
    let back = viewer.href_with(CONNECTED, renews.as_slice());
    NewConnectLink {
        tenant: viewer.tenant.clone(),
        platform,
        app,
        reference: None,
        reconnects,
        return_url: Some(pages.site.own(&back).to_string()),
        life: LINK_LIFE,
    }
}

/// Makes the link and starts it at once.
async fn begin(pages: &Pages, viewer: Viewer, new: NewConnectLink, jar: CookieJar) -> Shown {
    let made = async {
        let (record, _) = pages.host.create_connect_link(&pages.site, new).await?;
        Ok::<ConnectLinkRecord, Error>(record)
    };
    match made.await {
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

/// Where the browser comes to in the end: it is sent on to what it brought, so that no address says more than a word.
pub(super) async fn ended(viewer: Viewer, Query(ended): Query<Ended>) -> Response {
    let Ended { renews, connection_id, error } = ended;
    let word = error.as_deref().unwrap_or("connected");
    let id = connection_id.or(renews).and_then(|id| id.parse::<ConnectionId>().ok());
    match id {
        Some(id) => go(&viewer, &format!("/connections/{id}"), word),
        None => go(&viewer, "/", word),
    }
}

/// Asks the platform for new counts.
pub(super) async fn update(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let host = pages.host.pinned();
    let connected = found(&host, &viewer, &id).await?;
    let read = host.metrics(&connected, SignedDuration::ZERO).await?;
    if is_part(&headers) {
        let now = found(&host, &viewer, &id).await?;
        let failed = read.error.as_ref().map(|error| told(&viewer, error));
        let card = Card { failed, ..card(&host, &viewer, &now).await? };
        return Ok(page(StatusCode::OK, &CardPart { card }));
    }
    let word = if read.error.is_some() { "not_updated" } else { "updated" };
    Ok(go(&viewer, &format!("/connections/{}", connected.connection.id), word))
}

/// What went wrong, where it is not for the operator alone.
fn told(viewer: &Viewer, error: &Error) -> String {
    match error.kind() {
        Some(_) => error.to_string(),
        None if viewer.is_admin => error.to_string(),
        None => "Something went wrong here. The operator finds the reason in the log.".to_owned(),
    }
}

/// Gives a connection up.
pub(super) async fn disconnect(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let connected = found(&pages.host, &viewer, &id).await?;
    let path = format!("/connections/{}", connected.connection.id);
    if matches!(connected.state(), ConnectionState::Disconnected | ConnectionState::Disconnecting) {
        return Ok(go(&viewer, &path, "already_disconnected"));
    }
    let done = pages.host.disconnect(&viewer.tenant, &connected.connection.id).await?;
    let word = match done.revocation {
        Revocation::Done => "disconnected",
        Revocation::GrantInUse => "disconnected_shared",
        Revocation::NotOffered | Revocation::NotOurs | Revocation::Unconfirmed => "disconnected_only_here",
        Revocation::Pending(_) => "disconnecting",
    };
    Ok(go(&viewer, &path, word))
}

/// Whether only a part of the page is asked for, which a script puts in place.
fn is_part(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// 303 to a place, with what was just done.
fn go(viewer: &Viewer, path: &str, word: &str) -> Response {
    Redirect::to(&viewer.href_with(path, &[("said", word)])).into_response()
}
