//! Connect links: for a person who has no login at the product's server, or for a product that has no redirect URI of its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::caller::Caller;
use super::connections::id;
use super::extract::{Asked, Body, Named};
use super::flows::usual_app;
use super::page::{cursor, limit};
use super::platforms::with_app;
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::ConnectLinkData;
use crate::host::Host;
use crate::links::{CONNECT_LINK_LIFE, NewConnectLink};
use crate::store::{ConnectLinkId, ConnectLinkState};

/// What a link is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    /// The platform's id.
    platform: String,
    /// The app, by the operator's name.
    #[serde(default = "usual_app")]
    #[schema(default = "default")]
    app: String,
    /// The product's own id for the connection.
    reference: Option<String>,
    /// The connection that is to be renewed. Its whole list of scopes is asked for again.
    reconnect: Option<String>,
    /// Where the browser goes in the end, under an address that the operator allows. It gets `link_id`, and `connection_id` for each connection,
    /// or else `error`. Without it the person stays on a page that says how it ended.
    return_url: Option<String>,
    /// How long the link is good, in seconds: a day unless given, seven days at most.
    #[serde(default = "usual_life", deserialize_with = "whole")]
    #[schema(default = 86400, minimum = 1, maximum = 604_800)]
    expires_in: i64,
}

/// A link that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeLink {
    #[serde(flatten)]
    link: ConnectLinkData,
    /// Where the person goes. It is told this once: who has it can connect an account of theirs.
    url: String,
}

/// Makes a link for one person. The first browser that uses it has it.
#[utoipa::path(post, path = "/connect-links", tag = "connect-links", request_body = NewLink, responses(
    (status = 201, body = MadeLink),
))]
pub(super) async fn create(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(asked): Body<NewLink>,
) -> Result<(StatusCode, Json<MadeLink>)> {
    caller.may(Right::ConnectionsWrite)?;
    let host = &api.host;
    let platform = with_app(host, &caller, &asked.platform, &asked.app)?;
    let new = NewConnectLink {
        tenant: caller.tenant.clone(),
        platform: platform.linked.id().clone(),
        app: asked.app,
        reference: asked.reference,
        reconnects: asked.reconnect.as_deref().map(id).transpose()?,
        return_url: asked.return_url,
        life: SignedDuration::from_secs(asked.expires_in),
    };
    let (link, url) = caller.host(host).create_connect_link(&api.site, new).await?;
    let link = ConnectLinkData::of(&link, host.context().now());
    Ok((StatusCode::CREATED, Json(MadeLink { link, url: url.expose().to_owned() })))
}

/// Which links.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// In this state only: `open`, `started`, `failed`, `connected`, `waiting`, `cancelled` or `expired`.
    #[param(pattern = "^(open|started|failed|connected|waiting|cancelled|expired)$")]
    state: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of links, the latest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectLinkPage)]
pub(super) struct Page {
    links: Vec<ConnectLinkData>,
    /// The `cursor` of the next page. `null` on the last one. Asked for a `state`, the host looks at two thousand links for a page: go on until
    /// this is `null`, also behind a page that holds fewer than asked for, or none.
    next: Option<String>,
}

/// The tenant's links, the latest first. Each is kept for thirty days after its time. The address of none is told again.
#[utoipa::path(get, path = "/connect-links", tag = "connect-links", params(Which), responses(
    (status = 200, body = Page)))]
pub(super) async fn list(caller: Caller, State(host): State<Host>, Asked(which): Asked<Which>) -> Result<Json<Page>> {
    caller.may(Right::ConnectionsRead)?;
    let state = which.state.as_deref().map(str::parse::<ConnectLinkState>).transpose().map_err(Problem::bad_request)?;
    let after = which.cursor.as_deref().map(cursor).transpose()?;
    let page = host.connect_links(&caller.tenant, state, after, limit(which.limit)?).await?;
    let now = host.context().now();
    Ok(Json(Page {
        links: page.items.iter().map(|link| ConnectLinkData::of(link, now)).collect(),
        next: page.next.map(|place| place.to_string()),
    }))
}

/// How a link stands, and what became of it. It is kept for thirty days after its time.
#[utoipa::path(get, path = "/connect-links/{link}", tag = "connect-links", responses(
    (status = 200, body = ConnectLinkData),
))]
pub(super) async fn get(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<ConnectLinkData>> {
    caller.may(Right::ConnectionsRead)?;
    let link = host.connect_link(&caller.tenant, &link_id(&text)?).await?;
    Ok(Json(ConnectLinkData::of(&link, host.context().now())))
}

/// Takes a link back. What became of it already stays.
#[utoipa::path(delete, path = "/connect-links/{link}", tag = "connect-links", responses(
    (status = 200, body = ConnectLinkData),
))]
pub(super) async fn cancel(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<ConnectLinkData>> {
    caller.may(Right::ConnectionsWrite)?;
    let id = link_id(&text)?;
    caller.host(&host).cancel_connect_link(&caller.tenant, &id).await?;
    let link = host.connect_link(&caller.tenant, &id).await?;
    Ok(Json(ConnectLinkData::of(&link, host.context().now())))
}

fn link_id(text: &str) -> Result<ConnectLinkId> {
    text.parse().map_err(|_| Problem::not_found("connect link"))
}

/// A whole number. JSON does not tell 60 from 60.0.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let same = || number.as_f64().filter(|number| number.fract() == 0.0)?.to_string().parse().ok();
    number.as_i64().or_else(same).ok_or_else(|| D::Error::custom(format_args!("{number} is no whole number")))
}

fn usual_life() -> i64 {
    CONNECT_LINK_LIFE.as_secs()
}
