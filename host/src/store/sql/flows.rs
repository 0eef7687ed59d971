//! Flows in SQL.

use async_trait::async_trait;
use connector_core::PlatformId;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, Work, meta, statement};
use crate::store::{FlowFilter, FlowRecord, Flows, InstanceName, Result};

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
        self.share(Put { insert, now: flow.created_at, name: self.name.clone() }).await
    }

    async fn take_flow(&self, state_digest: &str, filter: &FlowFilter) -> Result<Option<FlowRecord>> {
        let take = statement("DELETE FROM flows WHERE state_digest = $1")
            .bind(state_digest)
            .and("tenant = $?", filter.tenant.clone())
            .and("platform = $?", filter.platform.as_ref().map(PlatformId::to_string))
            .and("app = $?", filter.app.clone())
            .then(" RETURNING *");
        // It is gone by then, also one that cannot be read.
        self.share(Take { take, name: self.name.clone() }).await?.as_ref().map(flow).transpose()
    }

    async fn prune_flows(&self, now: Timestamp) -> Result<u64> {
        self.execute(expired(now)).await
    }
}

/// A flow is stored by a process of this name.
struct Put {
    insert: Statement,
    now: Timestamp,
    name: Option<InstanceName>,
}

#[async_trait]
impl Work for Put {
    type Output = ();

    async fn run(&self, transaction: &mut Transaction) -> Result<()> {
        meta::check_ours(transaction, self.name.as_ref()).await?;
        transaction.execute(expired(self.now)).await?;
        transaction.execute(self.insert.clone()).await.map(drop)
    }
}

/// A flow is taken out by a process of this name.
struct Take {
    take: Statement,
    name: Option<InstanceName>,
}

#[async_trait]
impl Work for Take {
    type Output = Option<Row>;

    async fn run(&self, transaction: &mut Transaction) -> Result<Option<Row>> {
        meta::check_ours(transaction, self.name.as_ref()).await?;
        transaction.fetch(self.take.clone()).await
    }
}

fn expired(now: Timestamp) -> Statement {
    statement("DELETE FROM flows WHERE expires_at <= $1").bind(now.as_millisecond())
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
