//! Sessions in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, audit, statement, users};
use crate::store::{AuditRecord, Result, SessionRecord, Sessions, UserId, UserRecord};

/// A session with its user, in columns that have different names.
const WITH_USER: &str = "
    SELECT users.*, sessions.digest, sessions.user_id, sessions.created_at AS began_at, sessions.last_seen_at, sessions.expires_at
    FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE sessions.digest = $1";

#[async_trait]
impl<D: Send + Sync> Sessions for SqlStore<D> {
    async fn put_session(&self, session: &SessionRecord, password_hash: &str, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        // Whoever changes the password meanwhile waits, and ends this session as well.
        let select = statement("SELECT id FROM users WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL");
        let select = select.bind(session.user.to_string()).bind(password_hash).locking();
        if transaction.fetch(select).await?.is_none() {
            return Ok(false);
        }
        let insert = statement(
            "INSERT INTO sessions (digest, user_id, created_at, last_seen_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        );
        let insert = insert.bind(session.digest.clone()).bind(session.user.to_string());
        let insert = insert.bind(session.created_at.as_millisecond()).bind(session.last_seen_at.as_millisecond());
        transaction.execute(insert.bind(session.expires_at.as_millisecond())).await?;
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn session_by_digest(&self, digest: &str) -> Result<Option<(SessionRecord, UserRecord)>> {
        let row = self.fetch(statement(WITH_USER).bind(digest)).await?;
        row.map(|row| Ok((session(&row, "began_at")?, users::user(&row)?))).transpose()
    }

    async fn session_seen(&self, digest: &str, now: Timestamp, unless_after: Timestamp) -> Result<()> {
        let update = statement("UPDATE sessions SET last_seen_at = $2 WHERE digest = $1 AND last_seen_at <= $3");
        let update = update.bind(digest).bind(now.as_millisecond()).bind(unless_after.as_millisecond());
        self.execute(update).await?;
        Ok(())
    }

    async fn end_session(&self, digest: &str, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write().await?;
        if transaction.execute(statement("DELETE FROM sessions WHERE digest = $1").bind(digest)).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn end_sessions(&self, user: &UserId, but: Option<&str>, audit: &AuditRecord) -> Result<u64> {
        let mut transaction = self.write().await?;
        let delete = statement("DELETE FROM sessions WHERE user_id = $1").bind(user.to_string());
        let ended = transaction.execute(delete.and("digest <> $?", but.map(str::to_owned))).await?;
        if ended > 0 {
            transaction.execute(audit::insert(audit)).await?;
            transaction.commit().await?;
        }
        Ok(ended)
    }

    async fn sessions_of(&self, user: &UserId) -> Result<Vec<SessionRecord>> {
        let select = statement("SELECT * FROM sessions WHERE user_id = $1 ORDER BY created_at, digest");
        let rows = self.fetch_all(select.bind(user.to_string())).await?;
        rows.iter().map(|row| session(row, "created_at")).collect()
    }

    async fn prune_sessions(&self, expired_at: Timestamp, idle_since: Timestamp) -> Result<u64> {
        let delete = statement("DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2");
        self.execute(delete.bind(expired_at.as_millisecond()).bind(idle_since.as_millisecond())).await
    }
}

fn session(row: &Row, began: &str) -> Result<SessionRecord> {
    let fields = Fields::of("session", row);
    Ok(SessionRecord {
        digest: fields.get("digest")?,
        user: fields.parse("user_id")?,
        created_at: fields.time(began)?,
        last_seen_at: fields.time("last_seen_at")?,
        expires_at: fields.time("expires_at")?,
    })
}
