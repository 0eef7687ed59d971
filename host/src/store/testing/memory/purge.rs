//! Purges in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::store::{
    AuditRecord, ConnectLinkOutcome, ConnectLinkRecord, Connected, ConnectionId, PURGED, Purge, Purged, Purges, Result,
    RevocationRecord, StoreError,
};

#[async_trait]
impl Purges for MemoryStore {
    async fn purge_connection(&self, purge: &Purge) -> Result<Purged> {
        let mut state = self.lock();
        state.check_ours()?;
        let connected = state.connected(&purge.tenant, &purge.connection)?;
        if connected.connection.disconnected_at.is_none() {
            return Err(StoreError::Conflict(format!("the connection {} is not disconnected", purge.connection)));
        }
        let to_be_revoked = state.revocations.values().any(|revocation| is_of_person(revocation, &connected));
        if to_be_revoked && !purge.leave_access {
            return Ok(Purged::AccessLeft);
        }
        state.erase(&connected);
        state.audit.push(purge.audit.clone());
        Ok(Purged::Done)
    }

    async fn purge_records(&self) -> Result<Vec<AuditRecord>> {
        let mut found: Vec<_> = self.lock().audit.iter().filter(|record| record.event == PURGED).cloned().collect();
        found.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(found)
    }

    /// It has no files.
    async fn shred(&self) -> Result<bool> {
        Ok(false)
    }
}

impl State {
    fn erase(&mut self, connected: &Connected) {
        let id = &connected.connection.id;
        self.samples.remove(id);
        self.readings.remove(id);
        self.erase_events(id);
        self.connections.retain(|connection| connection.id != *id);
        self.flows.retain(|_, flow| flow.reconnects.as_ref() != Some(id));
        self.connect_links.retain(|link| link.reconnects.as_ref() != Some(id) && !became(link, id));
        self.revocations.retain(|_, revocation| !is_of_person(revocation, connected));
        self.give_up(&connected.grant, None);
    }
}

/// Whether the connection came of a link.
fn became(link: &ConnectLinkRecord, id: &ConnectionId) -> bool {
    matches!(&link.outcome, Some(ConnectLinkOutcome::Connected { connections }) if connections.contains(id))
}

/// Whoever allowed it is known by the grant's subject; where a platform has one account a person, by the account as well.
fn is_of_person(revocation: &RevocationRecord, Connected { connection, grant }: &Connected) -> bool {
    let same_app = revocation.tenant == connection.tenant
        && revocation.platform == connection.platform
        && revocation.app == connection.app;
    let same_person = |subject: &String| Some(subject) == grant.subject.as_ref() || *subject == connection.account_id;
    revocation.grant_id == grant.id || (same_app && revocation.subject.as_ref().is_some_and(same_person))
}
