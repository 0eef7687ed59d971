//! Requests under keys in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::store::{Idempotency, KeyedRequest, KeyedRequestId, Result};
use crate::vault::Sealed;

#[async_trait]
impl Idempotency for MemoryStore {
    async fn begin_request(&self, request: &KeyedRequest, now: Timestamp) -> Result<Option<KeyedRequest>> {
        let mut state = self.lock();
        state.check_ours()?;
        let key = (request.tenant.clone(), request.key_digest.clone());
        if let Some(known) = state.requests.get(&key).filter(|known| known.counts(now)) {
            return Ok(Some(known.clone()));
        }
        state.requests.insert(key, request.clone());
        Ok(None)
    }

    async fn answer_request(&self, id: &KeyedRequestId, answer: &Sealed) -> Result<bool> {
        let mut state = self.lock();
        let begun = state.requests.values_mut().find(|request| request.id == *id && request.answer.is_none());
        Ok(begun.map(|request| request.answer = Some(answer.clone())).is_some())
    }

    async fn forget_request(&self, id: &KeyedRequestId) -> Result<()> {
        self.lock().requests.retain(|_, request| request.id != *id || request.answer.is_some());
        Ok(())
    }

    async fn prune_requests(&self, now: Timestamp) -> Result<u64> {
        let mut state = self.lock();
        let before = state.requests.len();
        state.requests.retain(|_, request| request.expires_at > now);
        Ok(u64::try_from(before - state.requests.len()).unwrap_or(u64::MAX))
    }
}
