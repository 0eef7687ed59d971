//! Samples: the counts of accounts, with their history.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::{ConnectionId, Result};

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

/// Keeps samples. They are added and never changed: a metric of a connection has one value at one time, the first one given.
#[async_trait]
pub trait Samples {
    /// Adds the values of a reading to the history, and keeps the reading if there is no later one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when there is no such connection.
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()>;

    /// The latest reading, with what was missing from it.
    async fn latest_reading(&self, connection: &ConnectionId) -> Result<Option<Reading>>;

    /// The latest value of each metric that ever had one.
    async fn last_values(&self, connection: &ConnectionId) -> Result<BTreeMap<MetricName, Sample>>;

    /// The values of a metric from one time to another, both included, oldest first.
    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>>;
}
