//! What happened between a backup and the store that was there when it was restored.

use std::collections::{HashMap, HashSet};

use connector_core::Context;
use serde_json::json;

use super::{Doubt, Doubted, Rotating, audit};
use crate::error::Result;
use crate::store::{
    AuditId, ConnectionId, ConnectionRecord, Disconnect, GrantId, GrantRecord, RevocationOutcome, Store, StoreError,
};

/// Every grant of a store by its id.
pub(super) type Grants = HashMap<GrantId, GrantRecord>;

/// The grants of a restored store that may be lost, and why. `before` is what was there, if that is known.
pub(super) fn doubts(restored: Vec<GrantRecord>, before: Option<&Grants>, rotating: &Rotating) -> Vec<Doubted> {
    let at_stake = restored.into_iter().filter(|grant| rotating.is_at_stake(grant));
    let doubted = at_stake.filter_map(|grant| {
        let doubt = match before {
            None => Doubt::Unknown,
            Some(before) => since(&grant, before.get(&grant.id))?,
        };
        Some(Doubted { grant, doubt })
    });
    doubted.collect()
}

/// What happened to the token of a grant.
fn since(grant: &GrantRecord, later: Option<&GrantRecord>) -> Option<Doubt> {
    let Some(later) = later else { return Some(Doubt::Replaced) };
    if later.generation > grant.generation {
        return Some(Doubt::Rotated);
    }
    let sent = later.generation == grant.generation
        && (later.refresh_mark != grant.refresh_mark || later.kept_answer != grant.kept_answer);
    sent.then_some(Doubt::Sent)
}

/// The live grants that only the store that was there knew.
pub(super) fn only_before(before: &Grants, restored: &[GrantRecord]) -> Vec<GrantRecord> {
    let known: HashSet<&GrantId> = restored.iter().map(|grant| &grant.id).collect();
    let mut lost: Vec<_> =
        before.values().filter(|grant| !grant.state.is_over() && !known.contains(&grant.id)).cloned().collect();
    lost.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    lost
}

/// Ends again what had been given up since, so that nothing comes to life that a person has ended. Gives the connections.
pub(super) async fn end_again(
    cx: &Context,
    restored: &dyn Store,
    present: &dyn Store,
    before: &Grants,
) -> Result<Vec<ConnectionRecord>> {
    let ended: HashSet<ConnectionId> = present
        .every_connection()
        .await?
        .into_iter()
        .filter(|connection| connection.disconnected_at.is_some())
        .map(|connection| connection.id)
        .collect();
    let mut all = restored.every_connection().await?;
    all.retain(|connection| connection.disconnected_at.is_none() && ended.contains(&connection.id));
    for connection in &all {
        disconnect(cx, restored, connection).await?;
    }
    for grant in restored.every_grant().await? {
        if grant.unlinked.is_some() && !before.contains_key(&grant.id) {
            let record = audit(cx, &grant.tenant, "grant_given_up", &because())?.of_grant(&grant.id);
            restored.give_up_grant(&grant.tenant, &grant.id, None, &record).await?;
        }
    }
    Ok(all)
}

async fn disconnect(cx: &Context, restored: &dyn Store, connection: &ConnectionRecord) -> Result<()> {
    let disconnect = Disconnect {
        tenant: connection.tenant.clone(),
        connection: connection.id.clone(),
        revocations: Vec::new(),
        audit: AuditId::new(cx)?,
        now: cx.now(),
    };
    restored.disconnect(&disconnect).await?;
    Ok(())
}

fn because() -> serde_json::Value {
    json!({ "because": "restored" })
}

/// Takes over which revocations are still to be done: those of the backup that were done since are not tried again.
pub(super) async fn take_revocations(cx: &Context, restored: &dyn Store, present: &dyn Store) -> Result<()> {
    let pending = present.revocations_due(jiff::Timestamp::MAX).await?;
    for old in restored.revocations_due(jiff::Timestamp::MAX).await? {
        if pending.iter().all(|job| job.id != old.id) {
            let record = audit(cx, &old.tenant, "access_revoked", &because())?.of_grant(&old.grant_id);
            restored.finish_revocation(&old, RevocationOutcome::Revoked, cx.now(), &record).await?;
        }
    }
    for job in pending {
        match restored.put_revocation(&job).await {
            // It is there already, or its grant is alive in the backup.
            Err(StoreError::Conflict(_)) => {}
            done => done?,
        }
    }
    Ok(())
}
