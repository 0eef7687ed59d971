//! Requests under keys in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::{Fields, bytes};
use super::{Row, SqlStore, Statement, statement};
use crate::store::{Idempotency, KeyedRequest, KeyedRequestId, Result};
use crate::vault::Sealed;

#[async_trait]
impl<D: Send + Sync> Idempotency for SqlStore<D> {
    async fn begin_request(&self, request: &KeyedRequest, now: Timestamp) -> Result<Option<KeyedRequest>> {
        loop {
            let mut transaction = self.write_ours().await?;
            transaction.execute(make_room(request, now)).await?;
            // Whoever inserts at the same time is waited for, and then there first.
            if transaction.execute(insert(request)).await? == 1 {
                transaction.commit().await?;
                return Ok(None);
            }
            // Whoever was there first may have gone meanwhile, and then there is room.
            if let Some(known) = transaction.fetch(select(request)).await? {
                return record(&known).map(Some);
            }
        }
    }

    async fn answer_request(&self, id: &KeyedRequestId, answer: &Sealed) -> Result<bool> {
        let update = statement("UPDATE requests SET answer = $2 WHERE id = $1 AND answer IS NULL");
        Ok(self.execute(update.bind(id.to_string()).bind(answer.as_bytes().to_vec())).await? == 1)
    }

    async fn forget_request(&self, id: &KeyedRequestId) -> Result<()> {
        self.execute(statement("DELETE FROM requests WHERE id = $1 AND answer IS NULL").bind(id.to_string())).await?;
        Ok(())
    }

    async fn prune_requests(&self, now: Timestamp) -> Result<u64> {
        self.execute(statement("DELETE FROM requests WHERE expires_at <= $1").bind(now.as_millisecond())).await
    }
}

/// Takes away what no longer counts under the key.
fn make_room(request: &KeyedRequest, now: Timestamp) -> Statement {
    statement(
        "DELETE FROM requests
         WHERE tenant = $1 AND key_digest = $2 AND (expires_at <= $3 OR (answer IS NULL AND leased_until <= $3))",
    )
    .bind(request.tenant.clone())
    .bind(request.key_digest.clone())
    .bind(now.as_millisecond())
}

fn insert(request: &KeyedRequest) -> Statement {
    statement(
        "INSERT INTO requests (id, tenant, key_digest, request_digest, answer, leased_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant, key_digest) DO NOTHING",
    )
    .bind(request.id.to_string())
    .bind(request.tenant.clone())
    .bind(request.key_digest.clone())
    .bind(request.request_digest.clone())
    .bind(bytes(request.answer.as_ref()))
    .bind(request.leased_until.as_millisecond())
    .bind(request.expires_at.as_millisecond())
}

fn select(request: &KeyedRequest) -> Statement {
    statement("SELECT * FROM requests WHERE tenant = $1 AND key_digest = $2")
        .bind(request.tenant.clone())
        .bind(request.key_digest.clone())
}

fn record(row: &Row) -> Result<KeyedRequest> {
    let fields = Fields::of("request", row);
    Ok(KeyedRequest {
        id: fields.parse("id")?,
        tenant: fields.get("tenant")?,
        key_digest: fields.get("key_digest")?,
        request_digest: fields.get("request_digest")?,
        answer: fields.sealed_optional("answer")?,
        leased_until: fields.time("leased_until")?,
        expires_at: fields.time("expires_at")?,
    })
}
