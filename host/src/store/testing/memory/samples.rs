//! Samples in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::metrics::MetricName;
use jiff::Timestamp;

use super::{Kept, MemoryStore};
use crate::store::new_event::NewEvent;
use crate::store::{
    ConnectionId, ConnectionRecord, LastValues, Page, Reading, Result, Sample, SampleCursor, SamplePage, Samples,
    StoreError, StoredSample, span,
};

#[async_trait]
impl Samples for MemoryStore {
    async fn append_samples(&self, connection: &ConnectionId, reading: &Reading) -> Result<()> {
        let mut state = self.lock();
        let known = state.connections.iter().find(|known| known.id == *connection);
        let known = known.ok_or_else(|| StoreError::NotFound { what: "connection", id: connection.to_string() })?;
        let told = NewEvent::counted(known, reading);
        for (metric, value) in &reading.values {
            state.positions += 1;
            let kept = Kept { value: *value, position: state.positions };
            let samples = state.samples.entry(connection.clone()).or_default();
            samples.entry((metric.clone(), reading.observed_at)).or_insert(kept);
        }
        let latest = state.readings.entry(connection.clone()).or_insert_with(|| reading.clone());
        if reading.observed_at >= latest.observed_at {
            latest.clone_from(reading);
        }
        state.record(told);
        Ok(())
    }

    async fn latest_readings(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, Reading>> {
        let state = self.lock();
        let known = connections.iter().filter_map(|id| Some((id.clone(), state.readings.get(id)?.clone())));
        Ok(known.collect())
    }

    async fn all_last_values(&self, connections: &[ConnectionId]) -> Result<BTreeMap<ConnectionId, LastValues>> {
        let state = self.lock();
        let known = connections.iter().filter_map(|id| Some((id.clone(), last_values(state.samples.get(id)?))));
        Ok(known.collect())
    }

    async fn history(
        &self,
        connection: &ConnectionId,
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Page<Sample, Timestamp>> {
        let state = self.lock();
        let all = state.samples.get(connection).into_iter().flatten();
        let wanted = all.filter(|((name, at), _)| name == metric && (from..=to).contains(at));
        let found = wanted.map(|((_, at), kept)| sample(*at, *kept)).collect();
        Ok(Page::of(found, limit, |_, first: &Sample| first.observed_at))
    }

    async fn trends(
        &self,
        connections: &[ConnectionId],
        metric: &MetricName,
        from: Timestamp,
        to: Timestamp,
        spans: u32,
    ) -> Result<BTreeMap<ConnectionId, Vec<Sample>>> {
        let (from, to, length) = (from.as_millisecond(), to.as_millisecond(), span(from, to, spans));
        let state = self.lock();
        let mut trends = BTreeMap::new();
        for id in connections {
            let mut by_span = BTreeMap::new();
            for ((name, at), kept) in state.samples.get(id).into_iter().flatten() {
                let millis = at.as_millisecond();
                if name == metric && millis > from && millis <= to {
                    by_span.insert((millis - from - 1) / length, sample(*at, *kept));
                }
            }
            if !by_span.is_empty() {
                trends.insert(id.clone(), by_span.into_values().collect());
            }
        }
        Ok(trends)
    }

    async fn samples_after(&self, tenant: &str, cursor: Option<SampleCursor>, limit: u32) -> Result<SamplePage> {
        let (state, cursor) = (self.lock(), cursor.unwrap_or_default());
        let theirs = state.connections.iter().filter(|connection| connection.tenant == tenant);
        let all = theirs.flat_map(|connection| {
            let samples = state.samples.get(&connection.id).into_iter().flatten();
            samples.map(move |((metric, at), kept)| stored(connection, metric, *at, *kept))
        });
        let mut next: Vec<_> = all.filter(|sample| sample.position > cursor).collect();
        next.sort_by_key(|sample| sample.position);
        next.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
        Ok(SamplePage::of(next, cursor))
    }
}

fn stored(connection: &ConnectionRecord, metric: &MetricName, observed_at: Timestamp, kept: Kept) -> StoredSample {
    StoredSample {
        position: SampleCursor::new(kept.position),
        connection: connection.id.clone(),
        platform: connection.platform.clone(),
        app: connection.app.clone(),
        reference: connection.reference.clone(),
        metric: metric.clone(),
        observed_at,
        value: kept.value,
    }
}

/// They are in the order of their times, so that the last one of a metric stays.
fn last_values(samples: &BTreeMap<(MetricName, Timestamp), Kept>) -> LastValues {
    samples.iter().map(|((metric, observed_at), kept)| (metric.clone(), sample(*observed_at, *kept))).collect()
}

fn sample(observed_at: Timestamp, kept: Kept) -> Sample {
    Sample { observed_at, value: kept.value }
}
