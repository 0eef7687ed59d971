//! Receivers of events in SQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::{Fields, bytes, millis};
use super::{Row, SqlStore, Statement, audit, statement};
use crate::store::{AuditRecord, EventKind, ReceiverId, ReceiverRecord, Receivers, Result};
use crate::vault::Sealed;

#[async_trait]
impl<D: Send + Sync> Receivers for SqlStore<D> {
    async fn put_receiver(&self, receiver: &ReceiverRecord, audit: &AuditRecord) -> Result<()> {
        let mut transaction = self.write_ours().await?;
        transaction.execute(insert(receiver)).await?;
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await
    }

    async fn receivers(&self, tenant: &str) -> Result<Vec<ReceiverRecord>> {
        let select = statement("SELECT * FROM event_receivers WHERE tenant = $1 ORDER BY created_at, id").bind(tenant);
        self.fetch_all(select).await?.iter().map(receiver).collect()
    }

    async fn every_receiver(&self) -> Result<Vec<ReceiverRecord>> {
        self.fetch_all(statement("SELECT * FROM event_receivers")).await?.iter().map(receiver).collect()
    }

    async fn rotate_receiver(&self, seen: &Sealed, new: &ReceiverRecord, audit: &AuditRecord) -> Result<bool> {
        let update = statement(
            "UPDATE event_receivers SET secret = $3, previous_secret = $4, previous_until = $5
             WHERE id = $1 AND secret = $2",
        )
        .bind(new.id.to_string())
        .bind(seen.as_bytes().to_vec())
        .bind(new.secret.as_bytes().to_vec())
        .bind(bytes(new.previous_secret.as_ref()))
        .bind(millis(new.previous_until));
        self.change_one(update, audit).await
    }

    async fn disable_receiver(&self, id: &ReceiverId, why: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let update = statement(
            "UPDATE event_receivers SET disabled_at = $2, disabled_reason = $3 WHERE id = $1 AND disabled_at IS NULL",
        );
        self.change_one(update.bind(id.to_string()).bind(now.as_millisecond()).bind(why), audit).await
    }

    async fn remove_receiver(&self, tenant: &str, id: &ReceiverId, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        let delete = statement("DELETE FROM event_receivers WHERE tenant = $1 AND id = $2");
        if transaction.execute(delete.bind(tenant).bind(id.to_string())).await? != 1 {
            return Ok(false);
        }
        let ways = statement("DELETE FROM event_deliveries WHERE tenant = $1 AND receiver = $2");
        transaction.execute(ways.bind(tenant).bind(id.to_string())).await?;
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn insert(receiver: &ReceiverRecord) -> Statement {
    statement(
        "INSERT INTO event_receivers (id, tenant, url, kinds, secret, previous_secret, previous_until, created_at,
                                      disabled_at, disabled_reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(receiver.id.to_string())
    .bind(receiver.tenant.clone())
    .bind(receiver.url.clone())
    .bind(words(&receiver.kinds))
    .bind(receiver.secret.as_bytes().to_vec())
    .bind(bytes(receiver.previous_secret.as_ref()))
    .bind(millis(receiver.previous_until))
    .bind(receiver.created_at.as_millisecond())
    .bind(millis(receiver.disabled_at))
    .bind(receiver.disabled_reason.clone())
}

/// The words of these kinds, each between spaces.
fn words(kinds: &BTreeSet<EventKind>) -> Option<String> {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    (!words.is_empty()).then(|| format!(" {} ", words.join(" ")))
}

pub(super) fn receiver(row: &Row) -> Result<ReceiverRecord> {
    let fields = Fields::of("receiver", row);
    Ok(ReceiverRecord {
        id: fields.parse("id")?,
        tenant: fields.get("tenant")?,
        url: fields.get("url")?,
        kinds: kinds(&fields)?,
        secret: fields.sealed("secret")?,
        previous_secret: fields.sealed_optional("previous_secret")?,
        previous_until: fields.time_optional("previous_until")?,
        created_at: fields.time("created_at")?,
        disabled_at: fields.time_optional("disabled_at")?,
        disabled_reason: fields.get("disabled_reason")?,
    })
}

fn kinds(fields: &Fields<'_>) -> Result<BTreeSet<EventKind>> {
    let words: Option<String> = fields.get("kinds")?;
    let words = words.unwrap_or_default();
    words.split_whitespace().map(|word| word.parse().map_err(|why: String| fields.damaged("kinds", why))).collect()
}
