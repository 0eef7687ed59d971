//! Revocations in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::store::{
    AuditRecord, GrantId, GrantState, LastError, Result, RevocationId, RevocationOutcome, RevocationRecord,
    RevocationTokens, Revocations, StoreError,
};

#[async_trait]
impl Revocations for MemoryStore {
    async fn revocations_due(&self, now: Timestamp) -> Result<Vec<RevocationRecord>> {
        let state = self.lock();
        let due = |revocation: &&RevocationRecord| revocation.next_try_at <= now || revocation.expires_at <= now;
        let mut found: Vec<_> = state.revocations.values().filter(due).cloned().collect();
        found.sort_by(|a, b| (a.next_try_at, &a.id).cmp(&(b.next_try_at, &b.id)));
        Ok(found)
    }

    async fn revocation_of(&self, grant: &GrantId) -> Result<Option<RevocationRecord>> {
        Ok(self.lock().revocations.values().find(|revocation| revocation.grant_id == *grant).cloned())
    }

    async fn put_revocation(&self, revocation: &RevocationRecord) -> Result<()> {
        let mut state = self.lock();
        if state.grants.get(&revocation.grant_id).is_some_and(|row| !row.grant.state.is_over()) {
            return Err(StoreError::Conflict(format!("the grant {} is not over", revocation.grant_id)));
        }
        state.check_only_revocation(revocation)?;
        state.revocations.insert(revocation.id.clone(), revocation.clone());
        if let Some(row) = state.grants.get_mut(&revocation.grant_id) {
            row.grant.state = GrantState::Disconnecting;
        }
        Ok(())
    }

    async fn claim_revocation(&self, seen: &RevocationRecord, until: Timestamp) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let unclaimed = state.revocations.get_mut(&seen.id).filter(|stored| stored.next_try_at == seen.next_try_at);
        Ok(unclaimed.map(|revocation| revocation.next_try_at = until).is_some())
    }

    async fn finish_revocation(
        &self,
        id: &RevocationId,
        outcome: RevocationOutcome,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut state = self.lock();
        let Some(done) = state.revocations.remove(id) else { return Ok(false) };
        let grant = state.grants.get_mut(&done.grant_id).map(|row| &mut row.grant);
        if let Some(grant) = grant.filter(|grant| grant.state == GrantState::Disconnecting) {
            grant.state = GrantState::Disconnected;
            (grant.state_since, grant.updated_at) = (now, now);
            grant.last_error = done.last_error.filter(|_| outcome == RevocationOutcome::GivenUp);
        }
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn postpone_revocation(&self, id: &RevocationId, next_try_at: Timestamp, error: &LastError) -> Result<bool> {
        let mut state = self.lock();
        let Some(revocation) = state.revocations.get_mut(id) else { return Ok(false) };
        revocation.attempts += 1;
        (revocation.next_try_at, revocation.last_error) = (next_try_at, Some(error.clone()));
        Ok(true)
    }

    async fn update_revocation_tokens(
        &self,
        id: &RevocationId,
        tokens: &RevocationTokens,
        next_try_at: Timestamp,
    ) -> Result<bool> {
        let mut state = self.lock();
        let Some(revocation) = state.revocations.get_mut(id) else { return Ok(false) };
        (revocation.tokens, revocation.next_try_at) = (tokens.clone(), next_try_at);
        Ok(true)
    }
}
