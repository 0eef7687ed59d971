//! Events on their way to receivers, in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::events::fresh;
use super::{MemoryStore, State};
use crate::store::{
    Attempted, AuditRecord, ConnectionId, Deliveries, Delivery, DeliveryOutcome, DeliveryRecord, EventCursor,
    EventRecord, ReceiverId, ReceiverRecord, Resend, Result,
};

#[async_trait]
impl Deliveries for MemoryStore {
    async fn receivers_due(&self) -> Result<Vec<ReceiverRecord>> {
        let state = self.lock();
        let due: BTreeSet<_> = state.due().map(|delivery| delivery.record.receiver).collect();
        let mut found: Vec<_> = state.receivers.iter().filter(|receiver| due.contains(&receiver.id)).cloned().collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    async fn deliveries_due(&self, receiver: &ReceiverId, limit: u32) -> Result<Vec<Delivery>> {
        let state = self.lock();
        let mut found: Vec<_> = state.due().filter(|delivery| delivery.record.receiver == *receiver).collect();
        found.sort_by_key(|delivery| (delivery.record.next_try_at, delivery.event.place));
        found.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn claim_delivery(&self, seen: &Delivery, rest: SignedDuration) -> Result<Option<Delivery>> {
        let mut state = self.lock();
        state.check_ours()?;
        let same = |due: &Delivery| due.event.id == seen.event.id && due.record.receiver == seen.record.receiver;
        let due = state.due().find(same).filter(|due| due.record.next_try_at == seen.record.next_try_at);
        let Some(mut claimed) = due else { return Ok(None) };
        claimed.record.attempts += 1;
        claimed.record.next_try_at = after(state.now, rest);
        state.deliveries.insert(key(&claimed), claimed.record.clone());
        Ok(Some(claimed))
    }

    async fn settle_delivery(&self, claimed: &Delivery, attempted: &Attempted) -> Result<bool> {
        let mut state = self.lock();
        let now = state.now;
        let stored = state.deliveries.get_mut(&key(claimed));
        let own =
            |stored: &&mut DeliveryRecord| stored.next_try_at == claimed.record.next_try_at && stored.outcome.is_none();
        let Some(stored) = stored.filter(own) else { return Ok(false) };
        match attempted.clone() {
            Attempted::Delivered => (stored.outcome, stored.last_error) = (Some(DeliveryOutcome::Delivered), None),
            Attempted::Dead(error) => (stored.outcome, stored.last_error) = (Some(DeliveryOutcome::Dead), Some(error)),
            Attempted::Again(rest, error) => {
                (stored.next_try_at, stored.last_error) = (after(now, rest), Some(error));
            }
            Attempted::Released => {
                stored.next_try_at = now;
                stored.attempts = stored.attempts.saturating_sub(1);
            }
        }
        Ok(true)
    }

    async fn resend_events(&self, tenant: &str, which: &Resend, audit: &AuditRecord) -> Result<u64> {
        let mut state = self.lock();
        state.check_ours()?;
        let again = state.to_resend(tenant, which);
        let now = state.now;
        for (place, receiver) in &again {
            state.deliveries.insert((*place, receiver.clone()), fresh(receiver.clone(), now));
        }
        state.audit.extend((!again.is_empty()).then(|| audit.clone()));
        Ok(u64::try_from(again.len()).unwrap_or_default())
    }
}

impl State {
    /// What may be sent now, of each connection the first.
    fn due(&self) -> impl Iterator<Item = Delivery> {
        let mut waiting: BTreeSet<(&ReceiverId, &ConnectionId)> = BTreeSet::new();
        let mut due = Vec::new();
        for ((place, receiver), record) in self.deliveries.iter().filter(|(_, record)| record.outcome.is_none()) {
            let Some(event) = self.event_at(*place) else { continue };
            let is_first = waiting.insert((receiver, &event.connection));
            if is_first && record.next_try_at <= self.now && self.takes(receiver) {
                due.push(Delivery { event: event.clone(), record: record.clone() });
            }
        }
        due.into_iter()
    }

    fn event_at(&self, place: EventCursor) -> Option<&EventRecord> {
        self.events.binary_search_by_key(&place, |event| event.place).ok().and_then(|index| self.events.get(index))
    }

    fn takes(&self, receiver: &ReceiverId) -> bool {
        self.receivers.iter().any(|stored| stored.id == *receiver && stored.disabled_at.is_none())
    }

    fn to_resend(&self, tenant: &str, which: &Resend) -> Vec<(EventCursor, ReceiverId)> {
        let of_tenant = self.events.iter().filter(|event| event.tenant == tenant);
        let mut again = Vec::new();
        for event in of_tenant {
            for receiver in self.receivers.iter().filter(|receiver| receiver.tenant == tenant) {
                let key = (event.place, receiver.id.clone());
                let outcome = self.deliveries.get(&key).map(|record| record.outcome);
                let wanted = match which {
                    Resend::One(id) => event.id == *id && receiver.wants(event.kind) && outcome != Some(None),
                    Resend::Dead => self.takes(&receiver.id) && outcome == Some(Some(DeliveryOutcome::Dead)),
                };
                again.extend(wanted.then_some(key));
            }
        }
        again
    }
}

fn key(delivery: &Delivery) -> (EventCursor, ReceiverId) {
    (delivery.event.place, delivery.record.receiver.clone())
}

fn after(now: Timestamp, rest: SignedDuration) -> Timestamp {
    now.saturating_add(rest).unwrap_or(now)
}
