//! Samples in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::MemoryStore;
use crate::store::{ConnectionId, Reading, Result, Sample, Samples, StoreError};

#[async_trait]
impl Samples for MemoryStore {
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()> {
        let mut state = self.lock();
        if !state.connections.iter().any(|known| known.id == *connection) {
            return Err(StoreError::NotFound { what: "connection", id: connection.to_string() });
        }
        let samples = state.samples.entry(connection.clone()).or_default();
        for (metric, value) in &reading.values {
            samples.entry((metric.clone(), reading.observed_at)).or_insert(*value);
        }
        let latest = state.readings.entry(connection.clone()).or_insert_with(|| reading.clone());
        if reading.observed_at >= latest.observed_at {
            latest.clone_from(reading);
        }
        Ok(())
    }

    async fn latest_reading(&self, connection: &ConnectionId) -> Result<Option<Reading>> {
        Ok(self.lock().readings.get(connection).cloned())
    }

    async fn last_values(&self, connection: &ConnectionId) -> Result<BTreeMap<MetricName, Sample>> {
        let state = self.lock();
        // They are in the order of their times, so that the last one of a metric stays.
        let all = state.samples.get(connection).into_iter().flatten();
        Ok(all.map(|((metric, observed_at), value)| (metric.clone(), sample(*observed_at, *value))).collect())
    }

    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>> {
        let state = self.lock();
        let all = state.samples.get(connection).into_iter().flatten();
        let wanted = all.filter(|((name, at), _)| name == metric && (from..=to).contains(at));
        Ok(wanted.map(|((_, at), value)| sample(*at, *value)).collect())
    }
}

fn sample(observed_at: Timestamp, value: i64) -> Sample {
    Sample { observed_at, value }
}
