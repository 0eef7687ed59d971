//! Revocations in memory.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::tick::Tick;
use super::{MemoryStore, State};
use crate::store::{
    AuditRecord, GrantId, GrantState, LastError, Result, RevocationOutcome, RevocationRecord, RevocationTokens,
    Revocations, StoreError,
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

    async fn claim_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        let now = Tick::of(&self.cx).now;
        let mut state = self.lock();
        state.check_ours()?;
        let Some(job) = state.as_seen(seen) else { return Ok(None) };
        if job.next_try_at > now && job.next_try_at != job.created_at {
            return Ok(None);
        }
        job.next_try_at = after_rest(job, now, rest);
        Ok(Some(job.clone()))
    }

    async fn finish_revocation(
        &self,
        seen: &RevocationRecord,
        outcome: RevocationOutcome,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut state = self.lock();
        if state.as_seen(seen).is_none() {
            return Ok(false);
        }
        let Some(done) = state.revocations.remove(&seen.id) else { return Ok(false) };
        let grant = state.grants.get_mut(&done.grant_id).map(|row| &mut row.grant);
        if let Some(grant) = grant.filter(|grant| grant.state == GrantState::Disconnecting) {
            grant.state = GrantState::Disconnected;
            (grant.state_since, grant.updated_at) = (now, now);
            grant.last_error = done.last_error.filter(|_| outcome == RevocationOutcome::GivenUp);
        }
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn postpone_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
        error: &LastError,
    ) -> Result<bool> {
        let now = Tick::of(&self.cx).now;
        let mut state = self.lock();
        let Some(job) = state.as_seen(seen) else { return Ok(false) };
        job.attempts += 1;
        (job.next_try_at, job.last_error) = (after_rest(job, now, rest), Some(error.clone()));
        Ok(true)
    }

    async fn update_revocation_tokens(
        &self,
        seen: &RevocationRecord,
        tokens: &RevocationTokens,
        expires_at: Timestamp,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        let now = Tick::of(&self.cx).now;
        let mut state = self.lock();
        let Some(job) = state.as_seen(seen) else { return Ok(None) };
        (job.tokens, job.expires_at) = (tokens.clone(), expires_at);
        job.next_try_at = after_rest(job, now, rest);
        Ok(Some(job.clone()))
    }
}

impl State {
    /// The revocation, unless somebody has written to it since the record was read.
    fn as_seen(&mut self, seen: &RevocationRecord) -> Option<&mut RevocationRecord> {
        self.revocations.get_mut(&seen.id).filter(|stored| stored.next_try_at == seen.next_try_at)
    }
}

/// So long from now. Never when it was made, which stands for at once.
fn after_rest(job: &RevocationRecord, now: Timestamp, rest: SignedDuration) -> Timestamp {
    now.max(job.created_at).saturating_add(rest).unwrap_or(Timestamp::MAX)
}
