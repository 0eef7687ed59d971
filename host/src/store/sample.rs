//! Samples: the counts of accounts, with their history.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::{fmt, slice};

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::{ConnectionId, Page, Result};
use crate::cursor::{self, CursorError, Kind};

/// What one reading of an account brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the request left.
    pub observed_at: Timestamp,
    /// The values.
    pub values: BTreeMap<MetricName, i64>,
    /// Why the others have none, in the caller's own words: the store gives back what it got.
    pub missing: BTreeMap<MetricName, String>,
    /// The platform's request id.
    pub log_id: Option<String>,
}

/// One value at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was observed.
    pub observed_at: Timestamp,
    /// The value.
    pub value: i64,
}

/// The latest value of each metric of a connection that ever had one.
pub type LastValues = BTreeMap<MetricName, Sample>;

/// How far the samples of a tenant have been read, in the order in which they were stored: up to the one of this position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleCursor(i64);

impl SampleCursor {
    /// Up to the sample of this position.
    pub fn new(position: i64) -> Self {
        Self(position)
    }

    /// The position.
    pub fn position(self) -> i64 {
        self.0
    }
}

impl fmt::Display for SampleCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cursor::write(Kind::Samples, &self.0.to_be_bytes()))
    }
}

impl FromStr for SampleCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        cursor::read(Kind::Samples, text).map(|position| Self(i64::from_be_bytes(position)))
    }
}

/// A value of a metric with the connection it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSample {
    /// Its place in the order in which the samples of its tenant were stored.
    pub position: SampleCursor,
    /// The connection.
    pub connection: ConnectionId,
    /// The connection's platform.
    pub platform: PlatformId,
    /// The connection's app, by the operator's name.
    pub app: String,
    /// What the product calls the connection now.
    pub reference: Option<String>,
    /// The metric.
    pub metric: MetricName,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// The value.
    pub value: i64,
}

/// The next samples of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplePage {
    /// The samples, in the order in which they were stored.
    pub samples: Vec<StoredSample>,
    /// Where to go on, also when nothing was new.
    pub next: SampleCursor,
}

/// Keeps samples. They are added and never changed: a metric of a connection has one value at one time, the first one given.
#[async_trait]
pub trait Samples {
    /// Adds the values of a reading to the history, and keeps the reading if there is no later one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when there is no such connection.
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()>;

    /// The latest reading of each of these connections that has one, with what was missing from it. They are as many as a page shows.
    async fn latest_readings(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, Reading>>;

    /// The same of one connection.
    async fn latest_reading(&self, connection: &ConnectionId) -> Result<Option<Reading>> {
        Ok(self.latest_readings(slice::from_ref(connection)).await?.remove(connection))
    }

    /// The latest value of each metric that ever had one, of each of these connections that has any.
    async fn all_last_values(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, LastValues>>;

    /// The same of one connection.
    async fn last_values(&self, connection: &ConnectionId) -> Result<LastValues> {
        Ok(self.all_last_values(slice::from_ref(connection)).await?.remove(connection).unwrap_or_default())
    }

    /// The values of a metric from one time to another, both included, oldest first: at most so many, and one at least. The next page begins
    /// with the time that it says.
    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Page<Sample, Timestamp>>;

    /// How a metric of each of these connections went: of each of so many equal spans from one time to another the last value, oldest first.
    /// A span without a value has none here, and a connection without any is not there. What this costs grows with the number of spans and
    /// not with the samples there are.
    async fn trends(
        &self,
        connections: &[ConnectionId],
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        spans: u32,
    ) -> Result<BTreeMap<ConnectionId, Vec<Sample>>>;

    /// The samples of a tenant's connections that were stored after those up to here, in the order in which they were stored: at most so
    /// many, and one at least. Whoever goes on from each page's cursor gets every sample that is there by then exactly once, whenever it was
    /// observed, and however many processes store some at the same time.
    async fn samples_after(&self, tenant: &str, cursor: Option<SampleCursor>, limit: u32) -> Result<SamplePage>;
}

/// The length of each of so many equal spans of a time, in milliseconds: at least one.
#[cfg(any(test, feature = "testing", feature = "postgres", feature = "sqlite"))]
pub(super) fn span(from: Timestamp, to: Timestamp, spans: u32) -> i64 {
    let length = to.as_millisecond().saturating_sub(from.as_millisecond());
    let spans = i64::from(spans.max(1));
    (length / spans + i64::from(length % spans > 0)).max(1)
}

impl SamplePage {
    /// The page of these samples, behind this one.
    pub fn of(samples: Vec<StoredSample>, cursor: SampleCursor) -> Self {
        let next = samples.last().map_or(cursor, |last| last.position);
        Self { samples, next }
    }
}
