//! The samples and the events of a tenant in the order in which they were stored.
//!
//! Each tenant has a row that says the last position. Whoever stores some takes the next positions from it and has the row to itself
//! until its transaction ends, so that a tenant's positions are given in the order of the commits: what has a lower position than one
//! that can be seen was committed before it, and can be seen as well. A sequence would not do, for the lower of two of its numbers may be
//! committed last, when the higher one was read already. Nothing is kept in a session, so a pooler in transaction mode may stand between.
//!
//! A position is at least the microseconds since 1970: a store that is put back from a backup gives none again that was read before, and
//! whoever goes on from an old cursor gets what is stored from then on. Within one store the order rests on the row alone, whatever the
//! clock says.

use super::fields::Fields;
use super::{Row, Statement, Transaction, statement};
use crate::store::{Reading, Result, SampleCursor, StoreError, StoredSample};

/// Takes the next positions of a tenant. The number of a feed is made in vain where there is one, and there are enough of them.
const TAKE: &str = "
    INSERT INTO sample_feeds (tenant, last) VALUES ($1, {now} * 1000 + $2)
    ON CONFLICT (tenant) DO UPDATE
    SET last = CASE WHEN excluded.last > sample_feeds.last + $2 THEN excluded.last ELSE sample_feeds.last + $2 END
    RETURNING number, last";

/// Adds the values of a reading. This comes last in its transaction: from here on all others who store samples of the tenant wait.
pub(in crate::store) async fn append(
    transaction: &mut Transaction,
    connection: i64,
    tenant: String,
    reading: &Reading,
) -> Result<()> {
    let count = i64::try_from(reading.values.len()).map_err(StoreError::database)?;
    if count == 0 {
        return Ok(());
    }
    let (feed, last) = take(transaction, tenant, count).await?;
    for ((metric, value), position) in reading.values.iter().zip(last - count + 1..) {
        let insert = statement(
            "INSERT INTO samples (connection, metric, observed_at, value, feed, position) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (connection, metric, observed_at) DO NOTHING",
        );
        let insert = insert.bind(connection).bind(metric.to_string()).bind(reading.observed_at.as_millisecond());
        transaction.execute(insert.bind(*value).bind(feed).bind(position)).await?;
    }
    Ok(())
}

/// Takes so many positions of a tenant's feed. Gives the feed's number and the last of the positions.
pub(super) async fn take(transaction: &mut Transaction, tenant: String, count: i64) -> Result<(i64, i64)> {
    let row = transaction.fetch(statement(TAKE).bind(tenant).bind(count)).await?;
    let row = row.ok_or_else(|| StoreError::database("no position was given"))?;
    let fields = Fields::of("feed", &row);
    Ok((fields.get("number")?, fields.get("last")?))
}

/// The next samples of a tenant.
pub(super) fn after(tenant: &str, cursor: SampleCursor, limit: u32) -> Statement {
    statement(
        "SELECT s.position, c.id, c.platform, c.app, c.reference, s.metric, s.observed_at, s.value
         FROM samples s JOIN connections c ON c.number = s.connection
         WHERE s.feed = (SELECT number FROM sample_feeds WHERE tenant = $1) AND s.position > $2
         ORDER BY s.position",
    )
    .bind(tenant)
    .bind(cursor.position())
    .limit(i64::from(limit.max(1)))
}

pub(super) fn stored(row: &Row) -> Result<StoredSample> {
    let fields = Fields::of("sample", row);
    Ok(StoredSample {
        position: SampleCursor::new(fields.get("position")?),
        connection: fields.parse("id")?,
        platform: fields.parse("platform")?,
        app: fields.get("app")?,
        reference: fields.get("reference")?,
        metric: fields.parse("metric")?,
        observed_at: fields.time("observed_at")?,
        value: fields.get("value")?,
    })
}
