//! Disconnects: what cannot be undone, in one transaction.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::error::failed;
use super::{connections, execute, fetch, revocations};
use crate::store::{
    ConnectionId, ConnectionRecord, Disconnection, GrantId, GrantState, Result, RevocationRecord, StoreError,
};

pub(super) async fn disconnect(
    transaction: &mut SqliteConnection,
    tenant: &str,
    id: &ConnectionId,
    now: Timestamp,
    revocation: Option<RevocationRecord>,
) -> Result<Disconnection> {
    let row = fetch(transaction, connections::select(tenant, id)).await?.ok_or_else(|| connections::missing(id))?;
    let connection = connections::connection(&row)?;
    if connection.disconnected_at.is_some() {
        return Ok(Disconnection::Already);
    }
    end_connection(transaction, id, now).await?;
    if has_live_connection(transaction, &connection.grant_id).await? {
        return Ok(Disconnection::GrantGoesOn);
    }
    end_grant(transaction, &connection, now, revocation).await?;
    Ok(Disconnection::GrantEnded)
}

async fn end_connection(transaction: &mut SqliteConnection, id: &ConnectionId, now: Timestamp) -> Result<()> {
    let update = sqlx::query("UPDATE connections SET disconnected_at = $2, updated_at = $2 WHERE id = $1");
    execute(transaction, update.bind(id.to_string()).bind(now.as_millisecond())).await?;
    Ok(())
}

async fn has_live_connection(transaction: &mut SqliteConnection, grant: &GrantId) -> Result<bool> {
    let select = sqlx::query("SELECT 1 FROM connections WHERE grant_id = $1 AND disconnected_at IS NULL LIMIT 1");
    Ok(fetch(transaction, select.bind(grant.to_string())).await?.is_some())
}

async fn end_grant(
    transaction: &mut SqliteConnection,
    connection: &ConnectionRecord,
    now: Timestamp,
    revocation: Option<RevocationRecord>,
) -> Result<()> {
    let state = if revocation.is_some() { GrantState::Disconnecting } else { GrantState::Disconnected };
    if let Some(revocation) = revocation {
        check_origin(transaction, connection, &revocation).await?;
        execute(transaction, revocations::insert(&revocation)?).await?;
    }
    let update = sqlx::query(
        "UPDATE grants
         SET state = $2, reason = NULL, state_since = $3, updated_at = $3, generation = generation + 1,
             access = NULL, access_expires_at = NULL, refresh = NULL, refresh_expires_at = NULL,
             refresh_attempt = NULL, refresh_sent_at = NULL, refresh_probes = NULL
         WHERE id = $1",
    )
    .bind(connection.grant_id.to_string())
    .bind(state.as_str())
    .bind(now.as_millisecond());
    execute(transaction, update).await?;
    Ok(())
}

/// A revocation with tokens that have been refreshed since would revoke nothing.
async fn check_origin(
    transaction: &mut SqliteConnection,
    connection: &ConnectionRecord,
    revocation: &RevocationRecord,
) -> Result<()> {
    let select = sqlx::query("SELECT generation FROM grants WHERE id = $1").bind(connection.grant_id.to_string());
    let row = fetch(transaction, select).await?;
    let generation: Option<i64> = row.map(|row| row.try_get(0).map_err(failed)).transpose()?;
    if connection.grant_id != revocation.grant_id || generation != Some(revocation.grant_generation) {
        let moved = format!("the tokens of the grant {} changed while it was being disconnected", connection.grant_id);
        return Err(StoreError::Conflict(moved));
    }
    Ok(())
}
