//! Disconnects: what cannot be undone, checked as a whole before anything changes.

use jiff::Timestamp;
use serde_json::json;

use super::State;
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditRecord, Connected, ConnectionId, Disconnect, Disconnection, GrantId, GrantRecord, GrantState, NewRevocation,
    Result, RevocationRecord, StoreError,
};

impl State {
    pub(super) fn disconnect(&mut self, disconnect: &Disconnect) -> Result<Disconnection> {
        let Disconnect { tenant, connection: id, revocations, audit, by, now } = disconnect;
        let connected = self.connected(tenant, id)?;
        if connected.connection.disconnected_at.is_some() {
            return Ok(Disconnection::Already);
        }
        let mut waiting = self.unlinked(tenant);
        waiting.retain(|grant| grant.would_link(&connected));
        let (own, others): (Vec<_>, Vec<_>) =
            revocations.iter().partition(|revocation| revocation.record.grant_id == connected.grant.id);
        let goes_on = self.live_connections(&connected.grant.id) > 1;
        self.check_revocations(&connected.grant, own.first().copied().filter(|_| !goes_on), &waiting, &others)?;
        let now = self.next(tenant, *now);
        for connection in self.connections.iter_mut().filter(|connection| connection.id == *id) {
            (connection.disconnected_at, connection.updated_at) = (Some(now), now);
        }
        for grant in &waiting {
            let own = others.iter().find(|revocation| revocation.record.grant_id == grant.id);
            self.give_up(grant, own.map(|own| own.record.clone()));
        }
        if !goes_on {
            self.end_grant(&connected.grant.id, now, own.first().map(|own| own.record.clone()));
        }
        let detail =
            json!({ "grant": if goes_on { "goes_on" } else { "ended" }, "to_be_revoked": !goes_on && !own.is_empty() });
        let record = AuditRecord::with_id(audit.clone(), now, tenant, "disconnected").of_connection(id);
        self.audit.push(record.of_grant(&connected.grant.id).with(&detail).by(by.as_ref()));
        let after = self.connected(tenant, id)?;
        self.record([NewEvent::disconnected(&connected, &after, now)]);
        Ok(if goes_on { Disconnection::GrantGoesOn } else { Disconnection::GrantEnded })
    }

    fn check_revocations(
        &self,
        grant: &GrantRecord,
        own: Option<&NewRevocation>,
        waiting: &[GrantRecord],
        others: &[&NewRevocation],
    ) -> Result<()> {
        for other in others {
            other.check_origin(waiting)?;
            self.check_only_revocation(&other.record)?;
        }
        own.map_or(Ok(()), |own| own.check_origin([grant]))
    }

    /// A grant has one revocation.
    pub(super) fn check_only_revocation(&self, new: &RevocationRecord) -> Result<()> {
        if self.revocations.values().any(|other| other.grant_id == new.grant_id) {
            return super::there_already("revocation");
        }
        Ok(())
    }

    pub(super) fn live_connections(&self, grant: &GrantId) -> usize {
        let of_grant = self.connections.iter().filter(|connection| connection.grant_id == *grant);
        of_grant.filter(|connection| connection.disconnected_at.is_none()).count()
    }

    /// Ends a grant of which nothing but connections that were given up is left.
    pub(super) fn end_without_connection(&mut self, tenant: &str, id: &GrantId, now: Timestamp) -> bool {
        let over = self.of_tenant(tenant, id).is_none_or(|row| row.grant.state.is_over());
        if over || self.has_live_connection(id) {
            return false;
        }
        self.end_grant(id, now, None);
        true
    }

    fn end_grant(&mut self, id: &GrantId, now: Timestamp, revocation: Option<RevocationRecord>) {
        let Some(row) = self.grants.get_mut(id) else { return };
        let grant = &mut row.grant;
        grant.state = if revocation.is_some() { GrantState::Disconnecting } else { GrantState::Disconnected };
        (grant.state_since, grant.updated_at) = (now, now);
        grant.generation += 1;
        (grant.access, grant.access_expires_at, grant.refresh, grant.refresh_expires_at) = (None, None, None, None);
        (grant.refresh_mark, grant.parked_until, grant.kept_answer) = (None, None, None);
        row.sent = None;
        self.revocations.extend(revocation.map(|revocation| (revocation.id.clone(), revocation)));
    }

    pub(super) fn connected(&self, tenant: &str, id: &ConnectionId) -> Result<Connected> {
        let missing = || StoreError::NotFound { what: "connection", id: id.to_string() };
        let mut all = self.connections.iter();
        let connection = all.find(|connection| connection.tenant == tenant && connection.id == *id);
        self.with_grant(connection.ok_or_else(missing)?.clone())
    }
}
