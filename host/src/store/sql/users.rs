//! Users in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::{Fields, millis};
use super::{Row, SqlStore, Statement, audit, statement};
use crate::store::{AuditRecord, Result, UserCondition, UserId, UserRecord, Users, WHOLE_STORE, user_name_key};

#[async_trait]
impl<D: Send + Sync> Users for SqlStore<D> {
    async fn put_user(&self, user: &UserRecord, when: UserCondition, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        // One after the other, so that of two users of one name, and of two first admins, the second finds the first.
        transaction.lock_tenant(WHOLE_STORE).await?;
        if transaction.execute(insert(user, when)).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn user(&self, id: &UserId) -> Result<Option<UserRecord>> {
        let select = statement("SELECT * FROM users WHERE id = $1").bind(id.to_string());
        self.fetch(select).await?.as_ref().map(user).transpose()
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>> {
        let select = statement("SELECT * FROM users WHERE name_key = $1").bind(user_name_key(name));
        self.fetch(select).await?.as_ref().map(user).transpose()
    }

    async fn users(&self) -> Result<Vec<UserRecord>> {
        self.fetch_all(statement("SELECT * FROM users ORDER BY created_at, id")).await?.iter().map(user).collect()
    }

    async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let update = statement("UPDATE users SET password_hash = $2, password_changed_at = $3 WHERE id = $1");
        let update = update.bind(id.to_string()).bind(hash).bind(now.as_millisecond());
        self.shut_out(id, update, audit).await
    }

    async fn disable_user(&self, id: &UserId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let update = statement("UPDATE users SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL");
        self.shut_out(id, update.bind(id.to_string()).bind(now.as_millisecond()), audit).await
    }
}

impl<D: Send + Sync> SqlStore<D> {
    /// Changes a user, and ends his sessions: also those that begin meanwhile, because they wait for the user's row.
    async fn shut_out(&self, id: &UserId, update: Statement, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        if transaction.execute(update).await? != 1 {
            return Ok(false);
        }
        transaction.execute(statement("DELETE FROM sessions WHERE user_id = $1").bind(id.to_string())).await?;
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn insert(user: &UserRecord, when: UserCondition) -> Statement {
    let condition = match when {
        UserCondition::Any => "",
        UserCondition::NoAdmin => " AND NOT EXISTS (SELECT 1 FROM users WHERE tenant IS NULL)",
    };
    statement(
        "INSERT INTO users (id, name, name_key, tenant, password_hash, created_at, password_changed_at, disabled_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE name_key = $3)",
    )
    .then(condition)
    .bind(user.id.to_string())
    .bind(user.name.clone())
    .bind(user_name_key(&user.name))
    .bind(user.tenant.clone())
    .bind(user.password_hash.clone())
    .bind(user.created_at.as_millisecond())
    .bind(user.password_changed_at.as_millisecond())
    .bind(millis(user.disabled_at))
}

pub(super) fn user(row: &Row) -> Result<UserRecord> {
    let fields = Fields::of("user", row);
    Ok(UserRecord {
        id: fields.parse("id")?,
        name: fields.get("name")?,
        tenant: fields.get("tenant")?,
        password_hash: fields.get("password_hash")?,
        created_at: fields.time("created_at")?,
        password_changed_at: fields.time("password_changed_at")?,
        disabled_at: fields.time_optional("disabled_at")?,
    })
}
