//! Access tokens, for a product that calls the platform itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::connections::id;
use super::extract::Named;
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::texts;
use crate::store::ConnectionGrant;

/// An access token that is good now. There is no way to a refresh token.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub(super) struct Given {
    /// The token. Whoever has it can act for the person: keep it out of logs, and ask again instead of storing it.
    access_token: String,
    /// When it expires, if the platform said.
    expires_at: Option<String>,
    /// The scopes it holds. `null` where the platform does not say.
    scopes: Option<Vec<String>>,
    /// The platform's stable id of the account it is for.
    account_id: String,
}

/// An access token, refreshed first when it is due. That a key is handed a token is put on record before it is, the first time: one that
/// asks again for the token it was handed last gets it without another record.
#[utoipa::path(post, path = "/connections/{connection}/token", tag = "connections", responses(
    (status = 200, body = Given)))]
pub(super) async fn token(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Named(text): Named<String>,
) -> Result<Json<Given>> {
    caller.may(Right::TokensRead)?;
    let id = id(&text)?;
    let found = api.host.store().own_connection_grant(&caller.tenant, &id).await?;
    let ConnectionGrant { account_id, disconnected_at, grant } =
        found.ok_or_else(|| Problem::not_found("connection"))?;
    if disconnected_at.is_some() {
        return Err(Problem::disconnected());
    }
    let grant_id = grant.id.clone();
    let current = api.host.current_of(grant).await?;
    api.handed_out.record(&api.host, &caller, &id, grant_id, &current).await?;
    let grant = current.session.grant;
    Ok(Json(Given {
        access_token: grant.tokens.access.expose().to_owned(),
        expires_at: grant.tokens.access_expires_at.map(|at| at.to_string()),
        scopes: grant.scopes.granted.scopes().map(texts),
        account_id,
    }))
}
