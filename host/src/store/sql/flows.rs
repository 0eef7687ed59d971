//! Flows in SQL.

use async_trait::async_trait;
use connector_core::PlatformId;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, statement};
use crate::store::{FlowFilter, FlowRecord, Flows, Result};

#[async_trait]
impl<D: Send + Sync> Flows for SqlStore<D> {
    async fn put_flow(&self, flow: &FlowRecord) -> Result<()> {
        let insert = statement(
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
        let mut transaction = self.write_ours().await?;
        transaction.execute(insert).await?;
        transaction.commit().await
    }

    async fn take_flow(&self, state_digest: &str, filter: &FlowFilter) -> Result<Option<FlowRecord>> {
        let take = statement("DELETE FROM flows WHERE state_digest = $1")
            .bind(state_digest)
            .and("tenant = $?", filter.tenant.clone())
            .and("platform = $?", filter.platform.as_ref().map(PlatformId::to_string))
            .and("app = $?", filter.app.clone())
            .then(" RETURNING *");
        let mut transaction = self.write_ours().await?;
        let row = transaction.fetch(take).await?;
        transaction.commit().await?;
        row.as_ref().map(flow).transpose()
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        self.execute(statement("DELETE FROM flows WHERE expires_at <= $1").bind(now.as_millisecond())).await
    }
}

fn flow(row: &Row) -> Result<FlowRecord> {
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
