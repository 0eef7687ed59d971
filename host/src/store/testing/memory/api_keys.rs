//! API keys in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{ApiKeyId, ApiKeyRecord, ApiKeyState, ApiKeys, AuditRecord, Result};

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn put_api_key(&self, key: &ApiKeyRecord, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let is_active = |other: &ApiKeyRecord| other.state(key.created_at) == ApiKeyState::Active;
        if state.api_keys.iter().any(|other| other.name == key.name && is_active(other)) {
            return Ok(false);
        }
        if state.api_keys.iter().any(|other| other.id == key.id || other.digest == key.digest) {
            return there_already("API key");
        }
        state.api_keys.push(key.clone());
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn api_key_by_digest(&self, digest: &str) -> Result<Option<ApiKeyRecord>> {
        Ok(self.lock().api_keys.iter().find(|key| key.digest == digest).cloned())
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>> {
        let mut keys = self.lock().api_keys.clone();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(keys)
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, now: Timestamp, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let Some(key) = state.api_keys.iter_mut().find(|key| key.id == *id && key.revoked_at.is_none()) else {
            return Ok(false);
        };
        key.revoked_at = Some(now);
        state.audit.push(audit.clone());
        Ok(true)
    }
}
