//! Revocations in SQL.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::fields::{Fields, bytes, millis};
use super::{Row, SqlStore, Statement, Transaction, audit, grants, json, statement};
use crate::store::{
    AuditRecord, GrantId, LastError, Result, RevocationOutcome, RevocationRecord, RevocationTokens, Revocations,
    StoreError,
};

#[async_trait]
impl<D: Send + Sync> Revocations for SqlStore<D> {
    async fn revocations_due(&self, now: Timestamp) -> Result<Vec<RevocationRecord>> {
        let select =
            statement("SELECT * FROM revocations WHERE next_try_at <= $1 OR expires_at <= $1 ORDER BY next_try_at, id");
        self.fetch_all(select.bind(now.as_millisecond())).await?.iter().map(revocation).collect()
    }

    async fn revocation_of(&self, grant: &GrantId) -> Result<Option<RevocationRecord>> {
        let select = statement("SELECT * FROM revocations WHERE grant_id = $1").bind(grant.to_string());
        self.fetch(select).await?.as_ref().map(revocation).transpose()
    }

    async fn put_revocation(&self, revocation: &RevocationRecord) -> Result<()> {
        let mut transaction = self.write().await?;
        let live = statement("SELECT 1 FROM grants WHERE id = $1 AND state NOT IN ('disconnecting', 'disconnected')");
        if transaction.fetch(live.bind(revocation.grant_id.to_string()).locking()).await?.is_some() {
            return Err(StoreError::Conflict(format!("the grant {} is not over", revocation.grant_id)));
        }
        transaction.execute(insert(revocation)?).await?;
        let over = statement("UPDATE grants SET state = 'disconnecting' WHERE id = $1");
        transaction.execute(over.bind(revocation.grant_id.to_string())).await?;
        transaction.commit().await
    }

    async fn claim_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        let update = format!(
            "UPDATE revocations SET next_try_at = {AFTER_REST}
             WHERE id = $1 AND next_try_at = $2 AND (next_try_at <= {{now}} OR next_try_at = created_at) RETURNING *"
        );
        let mut transaction = self.write_ours().await?;
        let claimed = transaction.fetch(seen_as(update, seen, rest)).await?;
        transaction.commit().await?;
        claimed.as_ref().map(revocation).transpose()
    }

    async fn finish_revocation(
        &self,
        seen: &RevocationRecord,
        outcome: RevocationOutcome,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut transaction = self.write().await?;
        lock_grant(&mut transaction, &seen.grant_id).await?;
        let delete = statement("DELETE FROM revocations WHERE id = $1 AND next_try_at = $2 RETURNING *");
        let delete = delete.bind(seen.id.to_string()).bind(seen.next_try_at.as_millisecond());
        let Some(row) = transaction.fetch(delete).await? else { return Ok(false) };
        transaction.execute(end_grant(&revocation(&row)?, outcome, now)?).await?;
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn postpone_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
        error: &LastError,
    ) -> Result<bool> {
        let update = format!(
            "UPDATE revocations SET attempts = attempts + 1, next_try_at = {AFTER_REST}, last_error = $4
             WHERE id = $1 AND next_try_at = $2"
        );
        let update = seen_as(update, seen, rest).bind(json::failure_text(Some(error))?);
        Ok(self.execute(update).await? == 1)
    }

    async fn update_revocation_tokens(
        &self,
        seen: &RevocationRecord,
        tokens: &RevocationTokens,
        expires_at: Timestamp,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        let update = format!(
            "UPDATE revocations SET access = $4, access_expires_at = $5, refresh = $6, refresh_expires_at = $7, expires_at = $8,
                                    next_try_at = {AFTER_REST}
             WHERE id = $1 AND next_try_at = $2 RETURNING *"
        );
        let update = seen_as(update, seen, rest)
            .bind(bytes(tokens.access.as_ref()))
            .bind(millis(tokens.access_expires_at))
            .bind(bytes(tokens.refresh.as_ref()))
            .bind(millis(tokens.refresh_expires_at))
            .bind(expires_at.as_millisecond());
        let mut transaction = self.write().await?;
        let updated = transaction.fetch(update).await?;
        transaction.commit().await?;
        updated.as_ref().map(revocation).transpose()
    }
}

/// So long from now by the store's clock. Never when it was made, which stands for at once: whoever made it may have a clock that is ahead.
const AFTER_REST: &str = "CASE WHEN created_at > {now} THEN created_at ELSE {now} END + $3";

/// Binds the id, the time of the next attempt as it was seen, and how long it is to rest.
fn seen_as(update: String, seen: &RevocationRecord, rest: SignedDuration) -> Statement {
    let update = statement(update).bind(seen.id.to_string()).bind(seen.next_try_at.as_millisecond());
    update.bind(i64::try_from(rest.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn insert(revocation: &RevocationRecord) -> Result<Statement> {
    let insert = statement(
        "INSERT INTO revocations (id, grant_id, grant_generation, tenant, platform, app, client_id, base_urls, subject,
                                  access, access_expires_at, refresh, refresh_expires_at,
                                  attempts, next_try_at, expires_at, last_error, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(revocation.id.to_string())
    .bind(revocation.grant_id.to_string())
    .bind(revocation.grant_generation)
    .bind(revocation.tenant.clone())
    .bind(revocation.platform.to_string())
    .bind(revocation.app.clone())
    .bind(revocation.client_id.clone())
    .bind(json::to_text(&revocation.base_urls)?)
    .bind(revocation.subject.clone())
    .bind(bytes(revocation.tokens.access.as_ref()))
    .bind(millis(revocation.tokens.access_expires_at))
    .bind(bytes(revocation.tokens.refresh.as_ref()))
    .bind(millis(revocation.tokens.refresh_expires_at))
    .bind(revocation.attempts)
    .bind(revocation.next_try_at.as_millisecond())
    .bind(revocation.expires_at.as_millisecond())
    .bind(json::failure_text(revocation.last_error.as_ref())?)
    .bind(revocation.created_at.as_millisecond());
    Ok(insert)
}

/// Its grant is locked before it is, as by whoever ends a grant.
async fn lock_grant(transaction: &mut Transaction, grant: &GrantId) -> Result<()> {
    transaction.fetch(statement("SELECT 1 FROM grants WHERE id = $1").bind(grant.to_string()).locking()).await?;
    Ok(())
}

fn revocation(row: &Row) -> Result<RevocationRecord> {
    let fields = Fields::of("revocation", row);
    Ok(RevocationRecord {
        id: fields.parse("id")?,
        grant_id: fields.parse("grant_id")?,
        grant_generation: fields.get("grant_generation")?,
        tenant: fields.get("tenant")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        client_id: fields.get("client_id")?,
        base_urls: fields.json("base_urls")?,
        subject: fields.get("subject")?,
        tokens: tokens(&fields)?,
        attempts: fields.count("attempts")?,
        next_try_at: fields.time("next_try_at")?,
        expires_at: fields.time("expires_at")?,
        last_error: grants::last_error(&fields)?,
        created_at: fields.time("created_at")?,
    })
}

fn tokens(fields: &Fields<'_>) -> Result<RevocationTokens> {
    Ok(RevocationTokens {
        access: fields.sealed_optional("access")?,
        access_expires_at: fields.time_optional("access_expires_at")?,
        refresh: fields.sealed_optional("refresh")?,
        refresh_expires_at: fields.time_optional("refresh_expires_at")?,
    })
}

fn end_grant(done: &RevocationRecord, outcome: RevocationOutcome, now: Timestamp) -> Result<Statement> {
    let kept_error = match outcome {
        RevocationOutcome::Revoked => None,
        RevocationOutcome::GivenUp => done.last_error.as_ref(),
    };
    let update = statement(
        "UPDATE grants SET state = 'disconnected', state_since = $2, updated_at = $2, last_error = $3
         WHERE id = $1 AND state = 'disconnecting'",
    );
    let update = update.bind(done.grant_id.to_string()).bind(now.as_millisecond());
    Ok(update.bind(json::failure_text(kept_error)?))
}
