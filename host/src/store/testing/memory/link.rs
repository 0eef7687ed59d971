//! Links the accounts of a grant.

use std::collections::BTreeSet;

use connector_core::PlatformId;
use jiff::Timestamp;
use serde_json::json;

use super::State;
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionRecord, GrantId, GrantRecord, GrantState, Link, Linked, Links,
    NewConnection, Result, StoreError,
};

impl State {
    /// The grant, if accounts can still be linked to it.
    pub(super) fn grant_to_link(&self, tenant: &str, id: &GrantId) -> Result<GrantRecord> {
        let missing = || StoreError::NotFound { what: "grant", id: id.to_string() };
        let grant = &self.of_tenant(tenant, id).ok_or_else(missing)?.grant;
        if grant.state.is_over() {
            return Err(StoreError::Conflict(format!("the grant {id} has been given up")));
        }
        Ok(grant.clone())
    }

    /// Links the accounts for which the grant does not come too late. A grant that comes too late for all is superseded itself.
    pub(super) fn link_all(
        &mut self,
        grant: &GrantRecord,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> Result<Links> {
        let any_account = !accounts.is_empty();
        let mut linked = Vec::with_capacity(accounts.len());
        let mut told = Vec::new();
        for account in accounts {
            let id = account.audit.clone();
            let before = self.under_app_of(grant, &account.account.id)?;
            let Some(done) = self.link(grant, account, now)? else { continue };
            told.extend(NewEvent::linked(grant, &done, before.as_ref(), now));
            self.audit.extend(record(id, grant, &done, now));
            linked.push(done);
        }
        let late = any_account && linked.is_empty();
        let superseded = self.supersede(grant, &linked, late, now);
        self.record(told);
        Ok(Links { linked, superseded })
    }

    fn link(&mut self, grant: &GrantRecord, new: NewConnection, now: Timestamp) -> Result<Option<Linked>> {
        let Some(connected) = self.under_app_of(grant, &new.account.id)? else {
            return Ok(Some(self.add(grant, new, now)));
        };
        let late = is_late(grant, &connected);
        Ok((!late).then(|| self.renew(grant, connected.connection, new, now)))
    }

    /// The connection of an account under a grant's app.
    pub(super) fn under_app_of(&self, grant: &GrantRecord, account_id: &str) -> Result<Option<Connected>> {
        self.of_account(&grant.tenant, &grant.platform, &grant.app, account_id)
    }

    /// The connection of an account under an app.
    pub(super) fn of_account(
        &self,
        tenant: &str,
        platform: &PlatformId,
        app: &str,
        account_id: &str,
    ) -> Result<Option<Connected>> {
        let same = |connection: &&ConnectionRecord| {
            connection.tenant == tenant
                && connection.platform == *platform
                && connection.app == app
                && connection.account_id == account_id
        };
        self.connections.iter().find(same).cloned().map(|connection| self.with_grant(connection)).transpose()
    }

    pub(super) fn renew(
        &mut self,
        grant: &GrantRecord,
        connection: ConnectionRecord,
        new: NewConnection,
        now: Timestamp,
    ) -> Linked {
        let linked = renewed(grant, connection, new, now);
        for connection in self.connections.iter_mut().filter(|connection| connection.id == linked.connection.id) {
            connection.clone_from(&linked.connection);
        }
        linked
    }

    pub(super) fn add(&mut self, grant: &GrantRecord, new: NewConnection, now: Timestamp) -> Linked {
        let connection = ConnectionRecord {
            id: new.id_if_new,
            tenant: grant.tenant.clone(),
            reference: new.reference,
            platform: grant.platform.clone(),
            app: grant.app.clone(),
            grant_id: grant.id.clone(),
            account_id: new.account.id,
            profile: new.account.profile,
            created_at: now,
            updated_at: now,
            disconnected_at: None,
        };
        let number = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX);
        self.numbers.insert(connection.id.clone(), number);
        self.connections.push(connection.clone());
        Linked { connection, link: Link::New, previous_grant: None }
    }

    /// Ends what the new grant takes the place of: grants that have just lost their last connection, and older ones of the same subject
    /// that never got one. One that came too late goes itself.
    pub(super) fn supersede(
        &mut self,
        grant: &GrantRecord,
        linked: &[Linked],
        late: bool,
        now: Timestamp,
    ) -> Vec<GrantId> {
        let mut candidates: BTreeSet<GrantId> =
            linked.iter().filter_map(|linked| linked.previous_grant.clone()).collect();
        candidates.extend(self.older_of_subject(grant));
        candidates.extend(late.then(|| grant.id.clone()));
        let mut superseded = Vec::new();
        for id in candidates {
            let old = self.of_tenant(&grant.tenant, &id).map(|row| row.grant.clone());
            let deleted = old.is_some_and(|old| self.give_up(&old, None));
            if deleted || self.end_without_connection(&grant.tenant, &id, now) {
                superseded.push(id);
            }
        }
        superseded
    }

    fn older_of_subject(&self, grant: &GrantRecord) -> Vec<GrantId> {
        let older = |other: &&GrantRecord| {
            other.tenant == grant.tenant
                && other.platform == grant.platform
                && other.app == grant.app
                && other.subject.is_some()
                && other.subject == grant.subject
                && other.id != grant.id
                && other.created_at <= grant.created_at
        };
        self.grants.values().map(|row| &row.grant).filter(older).map(|other| other.id.clone()).collect()
    }
}

/// What goes on record about a link.
fn record(id: AuditId, grant: &GrantRecord, done: &Linked, now: Timestamp) -> Option<AuditRecord> {
    let event = match done.link {
        Link::New => "connected",
        Link::Reconnected => "reconnected",
        Link::Kept => return None,
    };
    let previous = done.previous_grant.as_ref().map(ToString::to_string);
    let record = AuditRecord::with_id(id, now, &grant.tenant, event).of_connection(&done.connection.id);
    Some(record.of_grant(&grant.id).with(&json!({ "previous_grant": previous })))
}

/// Whether the connection was given up after the grant was made, or works by one that was made later.
fn is_late(grant: &GrantRecord, Connected { connection, grant: current }: &Connected) -> bool {
    match connection.disconnected_at {
        Some(given_up) => grant.created_at < given_up,
        None => grant.id != current.id && current.state == GrantState::Active && grant.created_at < current.created_at,
    }
}

fn renewed(grant: &GrantRecord, mut connection: ConnectionRecord, new: NewConnection, now: Timestamp) -> Linked {
    let previous = std::mem::replace(&mut connection.grant_id, grant.id.clone());
    let was_live = connection.disconnected_at.take().is_none();
    connection.profile.update(new.account.profile);
    connection.reference = new.reference.or(connection.reference);
    connection.updated_at = now;
    let previous_grant = (previous != grant.id).then_some(previous);
    let link = if was_live && previous_grant.is_none() { Link::Kept } else { Link::Reconnected };
    Linked { connection, link, previous_grant }
}
