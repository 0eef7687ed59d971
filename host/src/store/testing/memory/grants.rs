//! Grants in memory.

use async_trait::async_trait;
use connector_core::{PlatformId, ScopeSet};

use super::{MemoryStore, Row, State, there_already};
use crate::store::{
    AuditRecord, GrantId, GrantRecord, GrantState, Grants, LastError, NewRevocation, Result, RevocationRecord,
    StateChange, StoreError,
};

#[async_trait]
impl Grants for MemoryStore {
    async fn put_grant(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<()> {
        let mut state = self.lock();
        if state.grants.contains_key(&grant.id) {
            return there_already("grant");
        }
        let created_at = state.next(&grant.tenant, grant.created_at);
        let stored = GrantRecord { created_at, ..grant.clone() };
        state.grants.insert(grant.id.clone(), Row { grant: stored, sent: None });
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        Ok(self.lock().of_tenant(tenant, id).map(|row| row.grant.clone()))
    }

    async fn own_grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        let state = self.lock();
        state.check_ours()?;
        Ok(state.of_tenant(tenant, id).map(|row| row.grant.clone()))
    }

    async fn unlinked_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        let mut unlinked = self.lock().unlinked(tenant);
        unlinked.retain(|grant| grant.state == GrantState::Active);
        Ok(unlinked)
    }

    async fn waiting_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        let mut waiting = self.lock().unlinked(tenant);
        waiting.retain(|grant| matches!(grant.state, GrantState::Active | GrantState::ReauthRequired { .. }));
        Ok(waiting)
    }

    async fn grants_needing(&self, reason: &str) -> Result<Vec<GrantRecord>> {
        let state = self.lock();
        let needing = |grant: &&GrantRecord| match &grant.state {
            GrantState::ReauthRequired { reason: why } => why == reason && grant.access.is_some(),
            _ => false,
        };
        Ok(state.grants.values().map(|row| &row.grant).filter(needing).cloned().collect())
    }

    async fn give_up_grant(
        &self,
        tenant: &str,
        id: &GrantId,
        revocation: Option<NewRevocation>,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut state = self.lock();
        let Some(grant) = state.of_tenant(tenant, id).map(|row| row.grant.clone()) else { return Ok(false) };
        if let Some(revocation) = &revocation {
            revocation.check_origin([&grant])?;
            state.check_only_revocation(&revocation.record)?;
        }
        let given_up = state.give_up(&grant, revocation.map(|new| new.record));
        state.audit.extend(given_up.then(|| audit.clone()));
        Ok(given_up)
    }

    async fn last_requested(&self, platform: &PlatformId, app: &str, client_id: &str) -> Result<Option<ScopeSet>> {
        let state = self.lock();
        let said = |grant: &&GrantRecord| {
            (&grant.platform, grant.app.as_str(), grant.client_id.as_str()) == (platform, app, client_id)
                && !grant.scopes.requested.is_empty()
        };
        let all = state.grants.values().map(|row| &row.grant).filter(said);
        Ok(all.max_by_key(|grant| (grant.created_at, &grant.id)).map(|grant| grant.scopes.requested.clone()))
    }

    async fn set_grant_state(&self, change: &StateChange) -> Result<bool> {
        if change.state.is_over() {
            return Err(StoreError::Conflict("a grant ends with its last connection".to_owned()));
        }
        let mut state = self.lock();
        state.check_ours()?;
        let held = matches!(change.state, GrantState::Held { .. });
        let may_move = |grant: &&mut GrantRecord| {
            grant.generation == change.generation
                && grant.state == change.seen
                && !grant.state.is_over()
                && !(held && grant.refresh_mark.is_some())
        };
        let grant = state.grants.get_mut(&change.grant).map(|row| &mut row.grant);
        let Some(grant) = grant.filter(may_move) else { return Ok(false) };
        let before = grant.clone();
        grant.state = change.state.clone();
        (grant.state_since, grant.updated_at) = (change.since, change.since);
        state.audit.push(change.audit.clone());
        state.record_change(&before, change.since);
        Ok(true)
    }

    async fn is_shared(
        &self,
        id: &GrantId,
        platform: &PlatformId,
        client_id: &str,
        subject: Option<&str>,
    ) -> Result<bool> {
        let state = self.lock();
        let persons = state.persons(id, subject);
        let same = |grant: &GrantRecord| {
            grant.id != *id
                && grant.platform == *platform
                && grant.client_id == client_id
                && (persons.is_empty() || state.is_of_any(grant, &persons))
        };
        let counts = |grant: &GrantRecord| match &grant.state {
            GrantState::Active | GrantState::Held { .. } => true,
            GrantState::ReauthRequired { .. } => state.has_live_connection(&grant.id),
            GrantState::Disconnecting | GrantState::Disconnected => false,
        };
        Ok(state.grants.values().any(|row| same(&row.grant) && counts(&row.grant)))
    }

    async fn note_grant_error(&self, id: &GrantId, error: Option<LastError>) -> Result<()> {
        if let Some(row) = self.lock().grants.get_mut(id) {
            row.grant.last_error = error;
        }
        Ok(())
    }
}

impl State {
    /// A tenant's grants whose accounts have not been linked, oldest first.
    pub(super) fn unlinked(&self, tenant: &str) -> Vec<GrantRecord> {
        let all = self.grants.values().map(|row| &row.grant);
        let mut unlinked: Vec<_> =
            all.filter(|grant| grant.tenant == tenant && grant.unlinked.is_some()).cloned().collect();
        unlinked.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        unlinked
    }

    /// Puts a grant of the same or a later generation in place of a stored one that is not over. Whose it is, its subject and what is to
    /// become of its accounts stay.
    pub(super) fn replace_grant(&mut self, new: &GrantRecord) -> bool {
        let Some(row) = self.grants.get_mut(&new.id) else { return false };
        let old = &mut row.grant;
        if old.state.is_over() || old.generation > new.generation {
            return false;
        }
        let new = GrantRecord {
            tenant: old.tenant.clone(),
            platform: old.platform.clone(),
            app: old.app.clone(),
            subject: old.subject.clone(),
            unlinked: old.unlinked.clone(),
            created_at: old.created_at,
            ..new.clone()
        };
        (*old, row.sent) = (new, None);
        true
    }

    /// What is known of whose a grant is or was.
    fn persons(&self, id: &GrantId, subject: Option<&str>) -> Vec<String> {
        let mut persons: Vec<String> = subject.map(str::to_owned).into_iter().collect();
        if self.grants.get(id).is_some_and(|row| row.grant.subject.is_none()) {
            let own = self.connections.iter().filter(|connection| connection.grant_id == *id);
            persons.extend(own.map(|connection| connection.account_id.clone()));
        }
        persons
    }

    /// Whether one of these allowed it, or works by it.
    fn is_of_any(&self, grant: &GrantRecord, persons: &[String]) -> bool {
        let mut live = self.connections.iter().filter(|connection| connection.disconnected_at.is_none());
        grant.subject.as_ref().is_some_and(|subject| persons.contains(subject))
            || live.any(|connection| connection.grant_id == grant.id && persons.contains(&connection.account_id))
    }

    /// Deletes a grant that no connection works by. Its revocation, if there is one, outlives it.
    pub(super) fn give_up(&mut self, grant: &GrantRecord, revocation: Option<RevocationRecord>) -> bool {
        let unused = !self.has_connection(&grant.id);
        if unused {
            self.grants.remove(&grant.id);
            self.revocations.extend(revocation.map(|revocation| (revocation.id.clone(), revocation)));
        }
        unused
    }
}
