//! Samples in SQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, connections, events, feed, json, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    ConnectionId, ConnectionRecord, LastValues, Page, Reading, Result, Sample, SampleCursor, SamplePage, Samples, span,
};

#[async_trait]
impl<D: Send + Sync> Samples for SqlStore<D> {
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()> {
        let mut transaction = self.write().await?;
        let (number, connection) = numbered(&mut transaction, connection).await?;
        keep_latest(&mut transaction, number, reading).await?;
        feed::append(&mut transaction, number, connection.tenant.clone(), reading).await?;
        events::record(&mut transaction, NewEvent::counted(&connection, reading).into_iter().collect()).await?;
        transaction.commit().await
    }

    async fn latest_readings(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, Reading>> {
        let rows = self.of_each(connections, latest_readings).await?;
        rows.iter().map(|row| Ok((owner(row)?, reading(row)?))).collect()
    }

    async fn all_last_values(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, LastValues>> {
        let mut all = BTreeMap::<_, LastValues>::new();
        for row in &self.of_each(connections, last_values).await? {
            let metric = Fields::of("sample", row).parse("metric")?;
            all.entry(owner(row)?).or_default().insert(metric, sample(row)?);
        }
        Ok(all)
    }

    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Page<Sample, Timestamp>> {
        let found = self.fetch_all(history(connection, metric, from, to, limit)).await?;
        Ok(Page::of(found.iter().map(sample).collect::<Result<_>>()?, limit, |_, first| first.observed_at))
    }

    async fn trends(
        &self,
        connections: &[ConnectionId],
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        spans: u32,
    ) -> Result<BTreeMap<ConnectionId, Vec<Sample>>> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for row in &self.of_each(connections, |ids| trends(ids, metric, from, to, spans)).await? {
            if Fields::of("sample", row).time_optional("observed_at")?.is_some() {
                all.entry(owner(row)?).or_default().push(sample(row)?);
            }
        }
        Ok(all)
    }

    async fn samples_after(&self, tenant: &str, cursor: Option<SampleCursor>, limit: u32) -> Result<SamplePage> {
        let cursor = cursor.unwrap_or_default();
        let found = self.fetch_all(feed::after(tenant, cursor, limit)).await?;
        Ok(SamplePage::of(found.iter().map(feed::stored).collect::<Result<_>>()?, cursor))
    }
}

impl<D> SqlStore<D> {
    /// The rows of some connections. Of none there are none.
    async fn of_each(
        &self,
        ids: &[ConnectionId],
        select: impl FnOnce(&[ConnectionId]) -> Statement,
    ) -> Result<Vec<Row>> {
        if ids.is_empty() { Ok(Vec::new()) } else { self.fetch_all(select(ids)).await }
    }
}

/// The values of a metric, and the one that the next page begins with.
pub(super) fn history(
    connection: &ConnectionId,
    metric: &MetricName,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Statement {
    statement(
        "SELECT observed_at, value FROM samples
         WHERE connection = (SELECT number FROM connections WHERE id = $1) AND metric = $2
           AND observed_at BETWEEN $3 AND $4
         ORDER BY observed_at",
    )
    .bind(connection.to_string())
    .bind(metric.to_string())
    .bind(from.as_millisecond())
    .bind(to.as_millisecond())
    .limit(i64::from(limit.max(1)) + 1)
}

fn latest_readings(connections: &[ConnectionId]) -> Statement {
    statement(
        "SELECT owners.id AS owner, readings.* FROM readings JOIN connections AS owners ON owners.number = readings.connection
         WHERE owners.id IN ",
    )
    .list(connections.iter().map(ConnectionId::as_str))
}

/// Jumps from metric to metric in the index, so that years of history cost nothing here.
pub(super) fn last_values(connections: &[ConnectionId]) -> Statement {
    statement(
        "WITH RECURSIVE names (number, owner, metric) AS (
            SELECT number, id, (SELECT min(metric) FROM samples WHERE connection = owners.number)
            FROM connections AS owners WHERE id IN ",
    )
    .list(connections.iter().map(ConnectionId::as_str))
    .then(
        "   UNION ALL
            SELECT number, owner, (SELECT min(metric) FROM samples
                                   WHERE connection = names.number AND metric > names.metric)
            FROM names WHERE metric IS NOT NULL
         )
         SELECT owner, metric,
                (SELECT observed_at FROM samples WHERE connection = names.number AND metric = names.metric
                 ORDER BY observed_at DESC LIMIT 1) AS observed_at,
                (SELECT value FROM samples WHERE connection = names.number AND metric = names.metric
                 ORDER BY observed_at DESC LIMIT 1) AS value
         FROM names WHERE metric IS NOT NULL",
    )
}

/// Looks into the index for each span of each connection, and gives nulls where there is nothing. As a join it would be left to the databases,
/// which went through all samples of a connection for each span, or through all samples there are.
pub(super) fn trends(
    connections: &[ConnectionId],
    metric: &MetricName,
    from: Timestamp,
    to: Timestamp,
    spans: u32,
) -> Statement {
    statement(
        "WITH RECURSIVE spans (till) AS (
            SELECT CAST($2 AS BIGINT) + CAST($4 AS BIGINT)
            UNION ALL
            SELECT till + CAST($4 AS BIGINT) FROM spans WHERE till < CAST($3 AS BIGINT)
         )
         SELECT owners.id AS owner,
                (SELECT observed_at FROM samples WHERE connection = owners.number AND metric = $1
                 AND observed_at > till - CAST($4 AS BIGINT) AND observed_at <= till AND observed_at <= $3
                 ORDER BY observed_at DESC LIMIT 1) AS observed_at,
                (SELECT value FROM samples WHERE connection = owners.number AND metric = $1
                 AND observed_at > till - CAST($4 AS BIGINT) AND observed_at <= till AND observed_at <= $3
                 ORDER BY observed_at DESC LIMIT 1) AS value
         FROM connections AS owners CROSS JOIN spans WHERE owners.id IN ",
    )
    .bind(metric.to_string())
    .bind(from.as_millisecond())
    .bind(to.as_millisecond())
    .bind(span(from, to, spans))
    .list(connections.iter().map(ConnectionId::as_str))
    .then(" ORDER BY till")
}

/// A connection with its short name.
async fn numbered(transaction: &mut Transaction, id: &ConnectionId) -> Result<(i64, ConnectionRecord)> {
    let select = statement("SELECT * FROM connections WHERE id = $1").bind(id.to_string());
    let row = transaction.fetch(select).await?.ok_or_else(|| connections::missing(id))?;
    Ok((Fields::of("connection", &row).get("number")?, connections::connection(&row)?))
}

async fn keep_latest(transaction: &mut Transaction, number: i64, reading: &Reading) -> Result<()> {
    let upsert = statement(
        "INSERT INTO readings (connection, observed_at, cells, log_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (connection) DO UPDATE
         SET observed_at = excluded.observed_at, cells = excluded.cells, log_id = excluded.log_id
         WHERE excluded.observed_at >= readings.observed_at",
    )
    .bind(number)
    .bind(reading.observed_at.as_millisecond())
    .bind(json::to_text(&json::cells(&reading.values, &reading.missing))?)
    .bind(reading.log_id.clone());
    transaction.execute(upsert).await?;
    Ok(())
}

/// Which of several connections a row is of.
fn owner(row: &Row) -> Result<ConnectionId> {
    Fields::of("sample", row).parse("owner")
}

fn sample(row: &Row) -> Result<Sample> {
    let fields = Fields::of("sample", row);
    Ok(Sample { observed_at: fields.time("observed_at")?, value: fields.get("value")? })
}

fn reading(row: &Row) -> Result<Reading> {
    let fields = Fields::of("reading", row);
    let (mut values, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for (name, cell) in fields.json::<json::Cells>("cells")? {
        let name: MetricName = name.parse().map_err(|error| fields.damaged("cells", error))?;
        match cell {
            json::Cell::Value(value) => _ = values.insert(name, value),
            json::Cell::Missing(why) => _ = missing.insert(name, why),
        }
    }
    Ok(Reading { observed_at: fields.time("observed_at")?, values, missing, log_id: fields.get("log_id")? })
}
