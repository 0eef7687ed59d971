//! The audit in SQL.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, statement};
use crate::store::{Audit, AuditFilter, AuditRecord, Result};

#[async_trait]
impl<D: Send + Sync> Audit for SqlStore<D> {
    async fn append_audit(&self, record: &AuditRecord) -> Result<()> {
        self.execute(insert(record)).await?;
        Ok(())
    }

    async fn audit(&self, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        let select = statement(
            "SELECT * FROM audit
             WHERE tenant = $1 AND at >= $2 AND ($4 IS NULL OR grant_id = $4) AND ($5 IS NULL OR event = $5)
               AND ($3 IS NULL OR connection_id = $3 OR grant_id IN (
                   SELECT grant_id FROM audit WHERE connection_id = $3
                   UNION SELECT grant_id FROM connections WHERE id = $3))
             ORDER BY at DESC, id DESC LIMIT $6",
        )
        .bind(tenant.to_owned())
        .bind(filter.since.unwrap_or(Timestamp::MIN).as_millisecond())
        .bind(filter.connection.as_ref().map(ToString::to_string))
        .bind(filter.grant.as_ref().map(ToString::to_string))
        .bind(filter.event.clone())
        .bind(filter.limit.map_or(i64::MAX, i64::from));
        self.fetch_all(select).await?.iter().map(record).collect()
    }
}

pub(super) fn insert(record: &AuditRecord) -> Statement {
    statement(
        "INSERT INTO audit (id, at, tenant, event, connection_id, grant_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(record.id.to_string())
    .bind(record.at.as_millisecond())
    .bind(record.tenant.clone())
    .bind(record.event.clone())
    .bind(record.connection.as_ref().map(ToString::to_string))
    .bind(record.grant.as_ref().map(ToString::to_string))
    .bind(record.detail.clone())
}

pub(super) fn record(row: &Row) -> Result<AuditRecord> {
    let fields = Fields::of("audit record", row);
    Ok(AuditRecord {
        id: fields.parse("id")?,
        at: fields.time("at")?,
        tenant: fields.get("tenant")?,
        event: fields.get("event")?,
        connection: fields.parse_optional("connection_id")?,
        grant: fields.parse_optional("grant_id")?,
        detail: fields.get("detail")?,
    })
}
