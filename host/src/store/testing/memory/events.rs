//! Events in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State};
use crate::store::new_event::NewEvent;
use crate::store::{
    Connected, ConnectionId, DeliveryOutcome, DeliveryRecord, EventCursor, EventFilter, EventId, EventRecord, Events,
    GrantRecord, ListedEvent, Page, Result,
};

#[async_trait]
impl Events for MemoryStore {
    async fn events_page(
        &self,
        filter: &EventFilter,
        from: Option<EventCursor>,
        limit: u32,
    ) -> Result<Page<ListedEvent, EventCursor>> {
        let state = self.lock();
        let mut found: Vec<_> = state.events.iter().map(|event| state.listed(event)).collect();
        found.retain(|listed| passes(listed, filter, from));
        if filter.latest_first {
            found.reverse();
        }
        Ok(Page::of(found, limit, |last, _| last.event.place))
    }

    async fn keep_event_body(&self, event: &EventRecord, body: &str) -> Result<Option<String>> {
        let mut state = self.lock();
        let stored = state.events.iter_mut().find(|stored| stored.id == event.id);
        let stored = stored.filter(|stored| stored.facts.is_some() || event.facts.is_none());
        Ok(stored.map(|stored| stored.body.get_or_insert_with(|| body.to_owned()).clone()))
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.lock();
        state.check_ours()?;
        let live: BTreeSet<_> =
            state.receivers.iter().filter(|one| one.disabled_at.is_none()).map(|one| one.id.clone()).collect();
        let is_tried = |way: &DeliveryRecord| way.outcome.is_none() && live.contains(&way.receiver);
        state.deliveries.retain(|_, way| way.since >= before || is_tried(way));
        let State { events, deliveries, .. } = &mut *state;
        let (stays, count) =
            (|event: &EventRecord| deliveries.keys().any(|(place, _)| *place == event.place), events.len());
        events.retain(|event| event.at >= before || stays(event));
        Ok(u64::try_from(count - events.len()).unwrap_or_default())
    }
}

impl State {
    /// Stores events, and puts them on their way.
    pub(super) fn record(&mut self, events: impl IntoIterator<Item = NewEvent>) {
        for NewEvent { tenant, connection, kind, at, facts } in events {
            self.positions += 1;
            let place = EventCursor::new(self.positions);
            let id = EventId::of(&tenant, place);
            for receiver in self.receivers.iter().filter(|receiver| receiver.tenant == tenant && receiver.wants(kind)) {
                self.deliveries.insert((place, receiver.id.clone()), fresh(receiver.id.clone(), self.now));
            }
            self.events.push(EventRecord { id, place, tenant, connection, kind, at, facts: Some(facts), body: None });
        }
    }

    /// Tells of the live connections of a grant that stands otherwise than before.
    pub(super) fn record_change(&mut self, before: &GrantRecord, at: Timestamp) {
        let Some(after) = self.grants.get(&before.id).map(|row| row.grant.clone()) else { return };
        let live = self.connections.iter().filter(|connection| connection.grant_id == before.id);
        let live = live.filter(|connection| connection.disconnected_at.is_none()).cloned();
        let changed = live.filter_map(|connection| {
            let before = Connected { connection: connection.clone(), grant: before.clone() };
            NewEvent::changed(&before, &Connected { connection, grant: after.clone() }, at)
        });
        let changed: Vec<_> = changed.collect();
        self.record(changed);
    }

    /// Erases what the events of a connection know.
    pub(super) fn erase_events(&mut self, connection: &ConnectionId) {
        for event in self.events.iter_mut().filter(|event| event.connection == *connection) {
            (event.facts, event.body) = (None, None);
        }
    }

    fn listed(&self, event: &EventRecord) -> ListedEvent {
        let own = self.deliveries.iter().filter(|((place, _), _)| *place == event.place);
        ListedEvent { event: event.clone(), deliveries: own.map(|(_, delivery)| delivery.clone()).collect() }
    }
}

/// A delivery that has just begun.
pub(super) fn fresh(receiver: crate::store::ReceiverId, now: Timestamp) -> DeliveryRecord {
    DeliveryRecord { receiver, since: now, attempts: 0, next_try_at: now, outcome: None, last_error: None }
}

fn passes(ListedEvent { event, deliveries }: &ListedEvent, filter: &EventFilter, from: Option<EventCursor>) -> bool {
    let dead = || deliveries.iter().any(|delivery| delivery.outcome == Some(DeliveryOutcome::Dead));
    event.tenant == filter.tenant
        && from.is_none_or(|from| if filter.latest_first { event.place < from } else { event.place > from })
        && filter.connection.as_ref().is_none_or(|connection| *connection == event.connection)
        && filter.id.as_ref().is_none_or(|id| *id == event.id)
        && (!filter.dead || dead())
}
