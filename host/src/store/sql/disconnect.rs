//! Disconnects: what cannot be undone, in one transaction.

use jiff::Timestamp;
use serde_json::json;

use super::{Transaction, audit, connections, events, grants, order, revocations, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditRecord, Connected, ConnectionId, Disconnect, Disconnection, GrantId, GrantRecord, GrantState, NewRevocation,
    Result,
};

pub(super) async fn disconnect(transaction: &mut Transaction, disconnect: &Disconnect) -> Result<Disconnection> {
    let id = &disconnect.connection;
    let row = transaction.fetch(connections::select(&disconnect.tenant, id).locking()).await?;
    let row = row.ok_or_else(|| connections::missing(id))?;
    let connected = connections::with_locked_grant(transaction, connections::connection(&row)?).await?;
    if connected.connection.disconnected_at.is_some() {
        return Ok(Disconnection::Already);
    }
    let now = order::next(transaction, &disconnect.tenant, disconnect.now).await?;
    let waiting = waiting(transaction, &connected).await?;
    let (own, others): (Vec<_>, Vec<_>) =
        disconnect.revocations.iter().partition(|revocation| revocation.record.grant_id == connected.grant.id);
    end_connection(transaction, id, now).await?;
    end_waiting(transaction, &waiting, &others).await?;
    let goes_on = has_live_connection(transaction, &connected.grant.id).await?;
    if !goes_on {
        end_grant(transaction, &connected.grant, now, own.first().copied()).await?;
    }
    let detail =
        json!({ "grant": if goes_on { "goes_on" } else { "ended" }, "to_be_revoked": !goes_on && !own.is_empty() });
    let record = AuditRecord::with_id(disconnect.audit.clone(), now, &disconnect.tenant, "disconnected");
    let record = record.of_connection(id).of_grant(&connected.grant.id).with(&detail).by(disconnect.by.as_ref());
    transaction.execute(audit::insert(&record)).await?;
    let row = transaction.fetch(connections::select(&disconnect.tenant, id)).await?;
    let row = row.ok_or_else(|| connections::missing(id))?;
    let after = connections::with_grant(transaction, connections::connection(&row)?).await?;
    events::record(transaction, vec![NewEvent::disconnected(&connected, &after, now)]).await?;
    Ok(if goes_on { Disconnection::GrantGoesOn } else { Disconnection::GrantEnded })
}

/// Deletes a grant that no connection works by. Its revocation, if there is one, outlives it.
pub(super) async fn give_up(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    revocation: Option<&NewRevocation>,
) -> Result<bool> {
    if let Some(revocation) = revocation {
        revocation.check_origin([grant])?;
    }
    if transaction.execute(grants::delete_unused(&grant.tenant, &grant.id)).await? == 0 {
        return Ok(false);
    }
    if let Some(revocation) = revocation {
        transaction.execute(revocations::insert(&revocation.record)?).await?;
    }
    Ok(true)
}

/// Ends a grant of which nothing but connections that were given up is left.
pub(super) async fn end_without_connection(
    transaction: &mut Transaction,
    tenant: &str,
    id: &GrantId,
    now: Timestamp,
) -> Result<bool> {
    let Some(row) = transaction.fetch(grants::select(tenant, id).locking()).await? else { return Ok(false) };
    let grant = grants::grant(&row)?;
    if grant.state.is_over() || has_live_connection(transaction, id).await? {
        return Ok(false);
    }
    end_grant(transaction, &grant, now, None).await?;
    Ok(true)
}

/// The grants that would bring the connection back.
async fn waiting(transaction: &mut Transaction, connected: &Connected) -> Result<Vec<GrantRecord>> {
    let select = statement("SELECT * FROM grants WHERE tenant = $1 AND unlinked IS NOT NULL ORDER BY created_at, id");
    let rows = transaction.fetch_all(select.bind(connected.connection.tenant.clone()).locking()).await?;
    let mut waiting = rows.iter().map(grants::grant).collect::<Result<Vec<_>>>()?;
    waiting.retain(|grant| grant.would_link(connected));
    Ok(waiting)
}

async fn end_waiting(
    transaction: &mut Transaction,
    waiting: &[GrantRecord],
    revocations: &[&NewRevocation],
) -> Result<()> {
    for revocation in revocations {
        revocation.check_origin(waiting)?;
    }
    for grant in waiting {
        let own = revocations.iter().find(|revocation| revocation.record.grant_id == grant.id);
        give_up(transaction, grant, own.copied()).await?;
    }
    Ok(())
}

async fn end_connection(transaction: &mut Transaction, id: &ConnectionId, now: Timestamp) -> Result<()> {
    let update = statement("UPDATE connections SET disconnected_at = $2, updated_at = $2 WHERE id = $1");
    transaction.execute(update.bind(id.to_string()).bind(now.as_millisecond())).await?;
    Ok(())
}

async fn has_live_connection(transaction: &mut Transaction, grant: &GrantId) -> Result<bool> {
    let select = statement("SELECT 1 FROM connections WHERE grant_id = $1 AND disconnected_at IS NULL LIMIT 1");
    Ok(transaction.fetch(select.bind(grant.to_string())).await?.is_some())
}

async fn end_grant(
    transaction: &mut Transaction,
    grant: &GrantRecord,
    now: Timestamp,
    revocation: Option<&NewRevocation>,
) -> Result<()> {
    let state = if revocation.is_some() { GrantState::Disconnecting } else { GrantState::Disconnected };
    if let Some(revocation) = revocation {
        revocation.check_origin([grant])?;
        transaction.execute(revocations::insert(&revocation.record)?).await?;
    }
    let update = statement(
        "UPDATE grants
         SET state = $2, reason = NULL, state_since = $3, updated_at = $3, generation = generation + 1,
             access = NULL, access_expires_at = NULL, refresh = NULL, refresh_expires_at = NULL,
             refresh_attempt = NULL, refresh_sent_at = NULL, refresh_tick = NULL, refresh_unanswered = NULL,
             parked_until = NULL, kept_answer = NULL
         WHERE id = $1",
    )
    .bind(grant.id.to_string())
    .bind(state.as_str())
    .bind(now.as_millisecond());
    transaction.execute(update).await?;
    Ok(())
}
