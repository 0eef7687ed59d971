//! API keys in SQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::{Fields, millis};
use super::{Row, SqlStore, Statement, audit, json, statement};
use crate::api_keys::Right;
use crate::store::{ApiKeyId, ApiKeyRecord, ApiKeys, AuditRecord, Result, WHOLE_STORE};

#[async_trait]
impl<D: Send + Sync> ApiKeys for SqlStore<D> {
    async fn put_api_key(&self, key: &ApiKeyRecord, audit: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        // One after the other, so that of two keys of one name the second finds the first.
        transaction.lock_tenant(WHOLE_STORE).await?;
        if transaction.execute(insert(key)?).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(audit)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn api_key_by_digest(&self, digest: &str) -> Result<Option<ApiKeyRecord>> {
        let select = statement("SELECT * FROM api_keys WHERE digest = $1").bind(digest);
        self.fetch(select).await?.as_ref().map(key).transpose()
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>> {
        self.fetch_all(statement("SELECT * FROM api_keys ORDER BY created_at, id")).await?.iter().map(key).collect()
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let update = statement("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL");
        self.change_one(update.bind(id.to_string()).bind(now.as_millisecond()), audit).await
    }
}

fn insert(key: &ApiKeyRecord) -> Result<Statement> {
    let words: Vec<&str> = key.rights.iter().map(|right| right.as_str()).collect();
    let insert = statement(
        "INSERT INTO api_keys (id, name, tenant, rights, digest, created_at, expires_at, revoked_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE NOT EXISTS (SELECT 1 FROM api_keys WHERE name = $2 AND revoked_at IS NULL
                                                    AND (expires_at IS NULL OR expires_at > $6))",
    )
    .bind(key.id.to_string())
    .bind(key.name.clone())
    .bind(key.tenant.clone())
    .bind(json::to_text(&words)?)
    .bind(key.digest.clone())
    .bind(key.created_at.as_millisecond())
    .bind(millis(key.expires_at))
    .bind(millis(key.revoked_at));
    Ok(insert)
}

fn key(row: &Row) -> Result<ApiKeyRecord> {
    let fields = Fields::of("API key", row);
    Ok(ApiKeyRecord {
        id: fields.parse("id")?,
        name: fields.get("name")?,
        tenant: fields.get("tenant")?,
        rights: rights(&fields)?,
        digest: fields.get("digest")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time_optional("expires_at")?,
        revoked_at: fields.time_optional("revoked_at")?,
    })
}

fn rights(fields: &Fields<'_>) -> Result<BTreeSet<Right>> {
    let words: Vec<String> = fields.json("rights")?;
    words.iter().map(|word| word.parse().map_err(|why: String| fields.damaged("rights", why))).collect()
}
