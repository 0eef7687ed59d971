//! Connections: finding them, and giving them up.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::extract::{Asked, Body, Named};
use super::page::{cursor, limit};
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::{ConnectionData, revocation};
use crate::host::Host;
use crate::store::{ConnectionFilter, ConnectionId, ConnectionState};

/// Which connections.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this platform only.
    #[param(pattern = "^[a-z][a-z0-9_]*$")]
    platform: Option<String>,
    /// In this state only: `active`, `held`, `reauth_required`, `disconnecting` or `disconnected`.
    #[param(pattern = "^(active|held|reauth_required|disconnecting|disconnected)$")]
    state: Option<String>,
    /// With this id of the product's own.
    reference: Option<String>,
    /// Of this account, by the platform's stable id.
    account_id: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, 50 unless given, 200 at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of connections, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionPage)]
pub(super) struct Page {
    connections: Vec<ConnectionData>,
    /// The `cursor` of the next page. `null` on the last one. Asked for a `state`, the host looks at two thousand connections for a page: go
    /// on until this is `null`, also behind a page that holds fewer than asked for, or none.
    next: Option<String>,
}

/// How to erase a connection.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Purge {
    /// Erase it although its access at the platform cannot be revoked, which lives on there then.
    leave_access: bool,
}

/// What became of the access of a connection that was given up.
#[derive(Serialize, ToSchema)]
pub(super) struct Disconnected {
    /// The connection's id.
    connection: String,
    /// `revoked`, `grant_in_use`, `not_offered`, `not_ours`, `unconfirmed`, or `pending`: then it is tried again.
    revocation: &'static str,
}

/// That a connection is erased.
#[derive(Serialize, ToSchema)]
pub(super) struct Purged {
    /// The id it had.
    purged: String,
    /// Whether the bytes have left the store's files as well.
    files_clean: bool,
}

/// The tenant's connections, by page.
#[utoipa::path(get, path = "/connections", tag = "connections", params(Which), responses(
    (status = 200, body = Page)))]
pub(super) async fn list(caller: Caller, State(host): State<Host>, Asked(which): Asked<Which>) -> Result<Json<Page>> {
    caller.may(Right::ConnectionsRead)?;
    let state = which.state.as_deref().map(str::parse::<ConnectionState>).transpose().map_err(Problem::bad_request)?;
    let filter = ConnectionFilter {
        tenant: caller.tenant,
        platform: which.platform.map(|id| id.parse()).transpose().map_err(|_| Problem::not_found("platform"))?,
        reference: which.reference,
        account_id: which.account_id,
    };
    let (after, limit) = (which.cursor.as_deref().map(cursor).transpose()?, limit(which.limit)?);
    let page = match state {
        Some(state) => host.connections_in(state, &filter, after, limit).await?,
        None => host.store().connections_page(&filter, after, limit).await?,
    };
    Ok(Json(Page {
        connections: page.items.iter().map(|(_, connected)| ConnectionData::of(&host, connected)).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One connection.
#[utoipa::path(get, path = "/connections/{connection}", tag = "connections", responses(
    (status = 200, body = ConnectionData)))]
pub(super) async fn get(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<ConnectionData>> {
    caller.may(Right::ConnectionsRead)?;
    let connected = host.connection(&caller.tenant, &id(&text)?).await?;
    Ok(Json(ConnectionData::of(&host, &connected)))
}

/// Gives a connection up. Its tokens are unusable at once, and its access is revoked at the platform, now or later.
#[utoipa::path(post, path = "/connections/{connection}/disconnect", tag = "connections", responses(
    (status = 200, body = Disconnected)))]
pub(super) async fn disconnect(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<Disconnected>> {
    caller.may(Right::ConnectionsWrite)?;
    let done = caller.host(&host).disconnect(&caller.tenant, &id(&text)?).await?;
    Ok(Json(Disconnected { connection: done.connection.id.to_string(), revocation: revocation(&done.revocation) }))
}

/// Erases a connection for good, with its history and its access.
#[utoipa::path(post, path = "/connections/{connection}/purge", tag = "connections", request_body = Purge, responses(
    (status = 200, body = Purged)))]
pub(super) async fn purge(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
    Body(how): Body<Purge>,
) -> Result<Json<Purged>> {
    caller.may(Right::ConnectionsWrite)?;
    let id = id(&text)?;
    let files_clean = caller.host(&host).purge(&caller.tenant, &id, how.leave_access).await?;
    Ok(Json(Purged { purged: id.to_string(), files_clean }))
}

/// A connection's id. What cannot be one is not found.
pub(super) fn id(text: &str) -> Result<ConnectionId> {
    text.parse().map_err(|_| Problem::not_found("connection"))
}
