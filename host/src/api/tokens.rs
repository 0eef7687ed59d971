//! Access tokens, for a product that calls the platform itself.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::caller::Caller;
use super::connections::id;
use super::extract::Named;
use super::problem::{Problem, Result};
use crate::api_keys::Right;
use crate::data::texts;
use crate::host::Host;
use crate::store::AuditRecord;

/// An access token that is good now. There is no way to a refresh token.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub(super) struct HandedOut {
    /// The token. Whoever has it can act for the person: keep it out of logs, and ask again instead of storing it.
    access_token: String,
    /// When it expires, if the platform said.
    expires_at: Option<String>,
    /// The scopes it holds. `null` where the platform does not say.
    scopes: Option<Vec<String>>,
    /// The platform's stable id of the account it is for.
    account_id: String,
}

/// An access token, refreshed first when it is due. That it was handed out is put on record before it is.
#[utoipa::path(post, path = "/connections/{connection}/token", tag = "connections", responses(
    (status = 200, body = HandedOut)))]
pub(super) async fn token(
    caller: Caller,
    State(host): State<Host>,
    Named(text): Named<String>,
) -> Result<Json<HandedOut>> {
    caller.may(Right::TokensRead)?;
    let connected = host.connection(&caller.tenant, &id(&text)?).await?;
    if connected.connection.disconnected_at.is_some() {
        return Err(Problem::disconnected());
    }
    let session = host.session(&caller.tenant, &connected.grant.id).await?;
    let record = AuditRecord::new(host.context(), &caller.tenant, "token_handed_out")?;
    let record = record.of_connection(&connected.connection.id).of_grant(&connected.grant.id);
    host.store().append_audit(&record.with(&json!({ "key": caller.key().as_str() }))).await?;
    let grant = &session.grant;
    Ok(Json(HandedOut {
        access_token: grant.tokens.access.expose().to_owned(),
        expires_at: grant.tokens.access_expires_at.map(|at| at.to_string()),
        scopes: grant.scopes.granted.scopes().map(texts),
        account_id: connected.connection.account_id,
    }))
}
