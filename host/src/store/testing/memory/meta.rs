//! The store about itself.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State};
use crate::store::owner::compare;
use crate::store::{AuditRecord, InstanceId, InstanceName, Meta, Ownership, Result};
use crate::vault::Sealed;

#[async_trait]
impl Meta for MemoryStore {
    async fn instance_id(&self) -> Result<InstanceId> {
        Ok(self.instance.clone())
    }

    async fn vault_check(&self) -> Result<Option<Sealed>> {
        Ok(self.lock().vault_check.clone())
    }

    async fn set_vault_check(
        &self,
        seen: Option<&Sealed>,
        check: &Sealed,
        audit: Option<&AuditRecord>,
    ) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        if state.vault_check.as_ref() != seen {
            return Ok(false);
        }
        state.vault_check = Some(check.clone());
        state.audit.extend(audit.cloned());
        Ok(true)
    }

    async fn note_alive(&self, _: Timestamp) -> Result<()> {
        self.lock().check_ours()
    }

    async fn has_sealed_rows(&self) -> Result<bool> {
        let state = self.lock();
        let check = usize::from(state.vault_check.is_some());
        Ok(state.sealed().count() > check)
    }
}

/// Whoever uses it has no name, so that it is somebody's only once it has been adopted.
#[async_trait]
impl Ownership for MemoryStore {
    fn name(&self) -> Option<&InstanceName> {
        None
    }

    async fn owner(&self) -> Result<Option<InstanceName>> {
        Ok(self.lock().owner.clone())
    }

    async fn claim_ownership(&self) -> Result<()> {
        Ok(())
    }

    async fn adopt(&self, name: &InstanceName, record: &AuditRecord) -> Result<()> {
        let mut state = self.lock();
        state.owner = Some(name.clone());
        state.audit.push(record.clone());
        Ok(())
    }
}

impl State {
    /// Makes sure that whoever uses it may do more than look.
    pub(super) fn check_ours(&self) -> Result<()> {
        compare(self.owner.clone(), None)
    }
}
