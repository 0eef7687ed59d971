//! What was ended or erased between a backup and the store that was there when it was restored stays so.

use std::collections::{HashMap, HashSet};

use connector_core::Context;
use jiff::Timestamp;
use serde_json::json;

use super::audit;
use super::carry::Grants;
use crate::api_keys::{REVOKED, record};
use crate::error::Result;
use crate::store::{
    ApiKeyId, AuditId, AuditRecord, ConnectionId, ConnectionRecord, Disconnect, GrantId, GrantRecord, Purge,
    RevocationOutcome, Store, StoreError, UserCondition, UserRecord, WHOLE_STORE,
};

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
            let record = audit(cx, &grant.tenant, "access_given_up", &because())?.of_grant(&grant.id);
            restored.give_up_grant(&grant.tenant, &grant.id, None, &record).await?;
        }
    }
    Ok(all)
}

/// Erases again whom the store that was there had erased, with the record of that. Records of others are carried over as well, so that a
/// later restore of another backup knows of them. Gives the connections.
pub(super) async fn purge_again(
    cx: &Context,
    restored: &dyn Store,
    present: &dyn Store,
) -> Result<Vec<ConnectionRecord>> {
    let known: HashSet<AuditId> = restored.purge_records().await?.into_iter().map(|record| record.id).collect();
    let all: HashMap<ConnectionId, ConnectionRecord> =
        restored.every_connection().await?.into_iter().map(|connection| (connection.id.clone(), connection)).collect();
    let mut purged = Vec::new();
    for record in present.purge_records().await?.into_iter().filter(|record| !known.contains(&record.id)) {
        match record.connection.as_ref().and_then(|id| all.get(id)).filter(|found| found.tenant == record.tenant) {
            Some(connection) => {
                purge(cx, restored, connection, record).await?;
                purged.push(connection.clone());
            }
            None => restored.append_audit(&record).await?,
        }
    }
    Ok(purged)
}

async fn purge(cx: &Context, restored: &dyn Store, connection: &ConnectionRecord, audit: AuditRecord) -> Result<()> {
    disconnect(cx, restored, connection).await?;
    let (tenant, connection) = (connection.tenant.clone(), connection.id.clone());
    // What is still to be revoked is known to the store that was there.
    restored.purge_connection(&Purge { tenant, connection, leave_access: true, audit }).await?;
    Ok(())
}

async fn disconnect(cx: &Context, restored: &dyn Store, connection: &ConnectionRecord) -> Result<()> {
    let disconnect = Disconnect {
        tenant: connection.tenant.clone(),
        connection: connection.id.clone(),
        revocations: Vec::new(),
        audit: AuditId::new(cx)?,
        by: None,
        now: cx.now(),
    };
    restored.disconnect(&disconnect).await?;
    Ok(())
}

fn because() -> serde_json::Value {
    json!({ "because": "restored" })
}

/// Takes back again the API keys that had been revoked since, so that nobody comes in who was shut out.
pub(super) async fn revoke_keys_again(cx: &Context, restored: &dyn Store, present: &dyn Store) -> Result<()> {
    let known = present.api_keys().await?.into_iter().filter_map(|key| Some((key.id, key.revoked_at?)));
    let revoked: HashMap<ApiKeyId, Timestamp> = known.collect();
    for key in restored.api_keys().await?.into_iter().filter(|key| key.revoked_at.is_none()) {
        if let Some(revoked_at) = revoked.get(&key.id) {
            let record = record(cx, REVOKED, &key, Some("restored"))?;
            restored.revoke_api_key(&key.id, *revoked_at, &record).await?;
        }
    }
    Ok(())
}

/// Tells events to nobody who was not told them in the end: receivers that were removed or disabled since are disabled, and the others have
/// the secrets that they have come to have.
pub(super) async fn take_receivers(cx: &Context, restored: &dyn Store, present: &dyn Store) -> Result<()> {
    let known: HashMap<_, _> = present.every_receiver().await?.into_iter().map(|now| (now.id.clone(), now)).collect();
    for old in restored.every_receiver().await?.into_iter().filter(|old| old.disabled_at.is_none()) {
        let detail = json!({ "receiver": old.id.as_str(), "because": "restored" });
        match known.get(&old.id).filter(|now| now.disabled_at.is_none()) {
            Some(now) if now.secret == old.secret => {}
            Some(now) => {
                let record = audit(cx, &old.tenant, "receiver_secret_rotated", &detail)?;
                restored.rotate_receiver(&old.secret, now, &record).await?;
            }
            None => {
                let record = audit(cx, &old.tenant, "receiver_disabled", &detail)?;
                let why = "it had been removed or disabled when a backup from before that was restored";
                restored.disable_receiver(&old.id, why, cx.now(), &record).await?;
            }
        }
    }
    Ok(())
}

/// Lets nobody in who was shut out since, nor by a password that was changed since; who was added since is there as well.
pub(super) async fn take_users(cx: &Context, restored: &dyn Store, present: &dyn Store) -> Result<()> {
    let known: HashMap<_, _> = restored.users().await?.into_iter().map(|user| (user.id.clone(), user)).collect();
    for now in present.users().await? {
        let on_record = |event| {
            let detail = json!({ "user": now.id.as_str(), "because": "restored" });
            audit(cx, now.tenant.as_deref().unwrap_or(WHOLE_STORE), event, &detail)
        };
        let Some(old) = known.get(&now.id) else {
            restored.put_user(&now, UserCondition::Any, &on_record("user_created")?).await?;
            continue;
        };
        let is_newer = now.password_hash != old.password_hash && now.password_changed_at >= old.password_changed_at;
        if is_newer {
            let (hash, since) = (&now.password_hash, now.password_changed_at);
            restored.set_password(&now.id, hash, since, &on_record("password_changed")?).await?;
        }
        if let Some(since) = now.disabled_at.filter(|_| UserRecord::is_active(old)) {
            restored.disable_user(&now.id, since, &on_record("user_disabled")?).await?;
        }
    }
    Ok(())
}

/// Takes over which revocations are still to be done: those of the backup that were done since are not tried again.
pub(super) async fn take_revocations(cx: &Context, restored: &dyn Store, present: &dyn Store) -> Result<()> {
    let pending = present.revocations_due(Timestamp::MAX).await?;
    for old in restored.revocations_due(Timestamp::MAX).await? {
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
