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
        self.fetch_all(select(tenant, filter)).await?.iter().map(record).collect()
    }
}

/// The records of a connection and of its grants. All of them are found before the latest are taken: what befell one connection is little
/// beside what befell its tenant. A join by this name is done in the order it is written in.
const OF_CONNECTION: &str = "
    (SELECT id AS found FROM audit WHERE tenant = $1 AND connection_id = $4
     UNION
     SELECT theirs.id
     FROM (SELECT grant_id FROM audit WHERE tenant = $1 AND connection_id = $4
           UNION SELECT grant_id FROM connections WHERE tenant = $1 AND id = $4) AS its
     CROSS JOIN audit AS theirs
     WHERE theirs.tenant = $1 AND theirs.grant_id = its.grant_id) AS concerned
    CROSS JOIN audit
    WHERE id = found AND ";

pub(super) fn select(tenant: &str, filter: &AuditFilter) -> Statement {
    let which = if filter.connection.is_some() { OF_CONNECTION } else { "audit WHERE " };
    let select = statement(format!("SELECT audit.* FROM {which} tenant = $1 AND at <= $2 AND (at < $2 OR id < $3)"))
        .bind(tenant.to_owned())
        // No time that can be is as late.
        .bind(filter.before.as_ref().map_or(i64::MAX, |before| before.at.as_millisecond()))
        .bind(filter.before.as_ref().map(|before| before.id.to_string()).unwrap_or_default());
    let select = match &filter.connection {
        Some(connection) => select.bind(connection.to_string()),
        None => select,
    };
    select
        .and("grant_id = $?", filter.grant.as_ref().map(ToString::to_string))
        .and("event = $?", filter.event.clone())
        .and("at >= $?", filter.since.map(Timestamp::as_millisecond))
        .then(" ORDER BY at DESC, id DESC")
        .limit(filter.limit.map_or(i64::MAX, i64::from))
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
