//! Receivers of events in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{AuditRecord, ReceiverId, ReceiverRecord, Receivers, Result};
use crate::vault::Sealed;

#[async_trait]
impl Receivers for MemoryStore {
    async fn put_receiver(&self, receiver: &ReceiverRecord, audit: &AuditRecord) -> Result<()> {
        let mut state = self.lock();
        state.check_ours()?;
        if state.receivers.iter().any(|other| other.id == receiver.id) {
            return there_already("receiver");
        }
        state.receivers.push(receiver.clone());
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn receivers(&self, tenant: &str) -> Result<Vec<ReceiverRecord>> {
        let mut found = self.lock().receivers.clone();
        found.retain(|receiver| receiver.tenant == tenant);
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(found)
    }

    async fn every_receiver(&self) -> Result<Vec<ReceiverRecord>> {
        Ok(self.lock().receivers.clone())
    }

    async fn rotate_receiver(&self, seen: &Sealed, new: &ReceiverRecord, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let stored = state.receivers.iter_mut().find(|stored| stored.id == new.id && stored.secret == *seen);
        let Some(stored) = stored else { return Ok(false) };
        stored.secret = new.secret.clone();
        (stored.previous_secret, stored.previous_until) = (new.previous_secret.clone(), new.previous_until);
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn disable_receiver(&self, id: &ReceiverId, why: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let stored = state.receivers.iter_mut().find(|stored| stored.id == *id && stored.disabled_at.is_none());
        let Some(stored) = stored else { return Ok(false) };
        (stored.disabled_at, stored.disabled_reason) = (Some(now), Some(why.to_owned()));
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn remove_receiver(&self, tenant: &str, id: &ReceiverId, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let before = state.receivers.len();
        state.receivers.retain(|stored| stored.tenant != tenant || stored.id != *id);
        if state.receivers.len() == before {
            return Ok(false);
        }
        state.deliveries.retain(|(_, receiver), _| receiver != id);
        state.audit.push(audit.clone());
        Ok(true)
    }
}
