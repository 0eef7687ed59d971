//! The audit in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::store::{Audit, AuditFilter, AuditRecord, ConnectionId, GrantId, Result};

#[async_trait]
impl Audit for MemoryStore {
    async fn append_audit(&self, record: &AuditRecord) -> Result<()> {
        self.lock().audit.push(record.clone());
        Ok(())
    }

    async fn audit(&self, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        let state = self.lock();
        let grants = filter.connection.as_ref().map(|connection| state.grants_of(connection)).unwrap_or_default();
        let wanted = |record: &&AuditRecord| record.tenant == tenant && passes(record, filter, &grants);
        let mut found: Vec<_> = state.audit.iter().filter(wanted).cloned().collect();
        found.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        found.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        Ok(found)
    }
}

impl State {
    /// The grants a connection works or worked by, as far as that is on record.
    fn grants_of(&self, id: &ConnectionId) -> BTreeSet<GrantId> {
        let recorded = self.audit.iter().filter(|record| record.connection.as_ref() == Some(id));
        let recorded = recorded.filter_map(|record| record.grant.clone());
        let now = self.connections.iter().filter(|connection| connection.id == *id);
        recorded.chain(now.map(|connection| connection.grant_id.clone())).collect()
    }
}

/// `grants` are those of the connection that is asked for.
fn passes(record: &AuditRecord, filter: &AuditFilter, grants: &BTreeSet<GrantId>) -> bool {
    let of_its_grants = || record.grant.as_ref().is_some_and(|grant| grants.contains(grant));
    filter.since.is_none_or(|since| record.at >= since)
        && filter.before.as_ref().is_none_or(|before| record.cursor() < *before)
        && (filter.connection.is_none() || filter.connection == record.connection || of_its_grants())
        && (filter.grant.is_none() || filter.grant == record.grant)
        && filter.event.as_ref().is_none_or(|event| *event == record.event)
}
