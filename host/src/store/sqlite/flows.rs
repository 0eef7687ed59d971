//! Flows in `SQLite`.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::fields::Fields;
use super::{SqliteStore, commit, fetch};
use crate::store::{FlowRecord, Flows, Result};

#[async_trait]
impl Flows for SqliteStore {
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO flows (state_digest, id, tenant, platform, app, reference, reconnects, initiator_digest, sealed,
                                created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(flow.state_digest.clone())
        .bind(flow.id.to_string())
        .bind(flow.tenant.clone())
        .bind(flow.platform.to_string())
        .bind(flow.app.clone())
        .bind(flow.reference.clone())
        .bind(flow.reconnects.as_ref().map(ToString::to_string))
        .bind(flow.initiator_digest.clone())
        .bind(flow.sealed.as_bytes().to_vec())
        .bind(flow.created_at.as_millisecond())
        .bind(flow.expires_at.as_millisecond());
        self.execute(insert).await?;
        Ok(())
    }

    async fn take_flow(&self, state_digest: &str) -> Result<Option<FlowRecord>> {
        let take = sqlx::query("DELETE FROM flows WHERE state_digest = $1 RETURNING *").bind(state_digest.to_owned());
        let mut transaction = self.write().await?;
        let row = fetch(&mut transaction, take).await?;
        commit(transaction).await?;
        row.as_ref().map(flow).transpose()
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        self.execute(sqlx::query("DELETE FROM flows WHERE expires_at <= $1").bind(now.as_millisecond())).await
    }
}

fn flow(row: &SqliteRow) -> Result<FlowRecord> {
    let fields = Fields::of("flow", row);
    Ok(FlowRecord {
        id: fields.parse("id")?,
        state_digest: fields.get("state_digest")?,
        tenant: fields.get("tenant")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        reference: fields.get("reference")?,
        reconnects: fields.parse_optional("reconnects")?,
        initiator_digest: fields.get("initiator_digest")?,
        sealed: fields.sealed("sealed")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
    })
}
