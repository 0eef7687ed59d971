//! Samples in SQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Row, SqlStore, Statement, Transaction, connections, events, feed, json, statement};
use crate::store::new_event::NewEvent;
use crate::store::{
    ConnectionId, ConnectionRecord, Page, Reading, Result, Sample, SampleCursor, SamplePage, Samples, span,
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

    async fn latest_reading(&self, connection: &ConnectionId) -> Result<Option<Reading>> {
        let select = statement(
            "SELECT readings.* FROM readings JOIN connections ON connections.number = readings.connection
             WHERE connections.id = $1",
        );
        self.fetch(select.bind(connection.to_string())).await?.as_ref().map(reading).transpose()
    }

    /// Jumps from metric to metric in the index, so that years of history cost nothing here.
    async fn last_values(&self, connection: &ConnectionId) -> Result<BTreeMap<MetricName, Sample>> {
        let select = statement(
            "WITH RECURSIVE
                owner (number) AS (SELECT number FROM connections WHERE id = $1),
                names (metric) AS (
                    SELECT min(metric) FROM samples WHERE connection = (SELECT number FROM owner)
                    UNION ALL
                    SELECT (SELECT min(metric) FROM samples
                            WHERE connection = (SELECT number FROM owner) AND metric > names.metric)
                    FROM names WHERE names.metric IS NOT NULL
                )
             SELECT samples.metric, samples.observed_at, samples.value
             FROM names JOIN samples ON samples.connection = (SELECT number FROM owner)
              AND samples.metric = names.metric
              AND samples.observed_at = (SELECT max(latest.observed_at) FROM samples AS latest
                                         WHERE latest.connection = (SELECT number FROM owner)
                                           AND latest.metric = names.metric)",
        );
        let rows = self.fetch_all(select.bind(connection.to_string())).await?;
        rows.iter().map(|row| Ok((Fields::of("sample", row).parse("metric")?, sample(row)?))).collect()
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

    async fn trend(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        spans: u32,
    ) -> Result<Vec<Sample>> {
        let found = self.fetch_all(trend(connection, metric, from, to, spans)).await?;
        found.iter().map(sample).collect()
    }

    async fn samples_after(&self, tenant: &str, cursor: Option<SampleCursor>, limit: u32) -> Result<SamplePage> {
        let cursor = cursor.unwrap_or_default();
        let found = self.fetch_all(feed::after(tenant, cursor, limit)).await?;
        Ok(SamplePage::of(found.iter().map(feed::stored).collect::<Result<_>>()?, cursor))
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

/// Looks once into the index for each span.
fn trend(connection: &ConnectionId, metric: &MetricName, from: Timestamp, to: Timestamp, spans: u32) -> Statement {
    statement(
        "WITH RECURSIVE
            owner (number) AS (SELECT number FROM connections WHERE id = $1),
            spans (till) AS (
                SELECT CAST($3 AS BIGINT) + CAST($5 AS BIGINT)
                UNION ALL
                SELECT till + CAST($5 AS BIGINT) FROM spans WHERE till < CAST($4 AS BIGINT)
            )
         SELECT samples.observed_at, samples.value
         FROM spans JOIN samples ON samples.connection = (SELECT number FROM owner) AND samples.metric = $2
          AND samples.observed_at = (SELECT max(latest.observed_at) FROM samples AS latest
                                     WHERE latest.connection = (SELECT number FROM owner) AND latest.metric = $2
                                       AND latest.observed_at > spans.till - CAST($5 AS BIGINT)
                                       AND latest.observed_at <= spans.till AND latest.observed_at <= $4)
         ORDER BY samples.observed_at",
    )
    .bind(connection.to_string())
    .bind(metric.to_string())
    .bind(from.as_millisecond())
    .bind(to.as_millisecond())
    .bind(span(from, to, spans))
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
