//! The audit in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{Audit, AuditFilter, AuditRecord, Result};

#[async_trait]
impl Audit for MemoryStore {
    async fn append_audit(&self, record: &AuditRecord) -> Result<()> {
        self.lock().audit.push(record.clone());
        Ok(())
    }

    async fn audit(&self, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        let state = self.lock();
        let wanted = |record: &&AuditRecord| record.tenant == tenant && passes(record, filter);
        let mut found: Vec<_> = state.audit.iter().filter(wanted).cloned().collect();
        found.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        found.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        Ok(found)
    }
}

fn passes(record: &AuditRecord, filter: &AuditFilter) -> bool {
    filter.since.is_none_or(|since| record.at >= since)
        && (filter.connection.is_none() || filter.connection == record.connection)
        && (filter.grant.is_none() || filter.grant == record.grant)
        && filter.event.as_ref().is_none_or(|event| *event == record.event)
}
