//! The store about itself.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{InstanceId, Meta, Result};
use crate::vault::Sealed;

#[async_trait]
impl Meta for MemoryStore {
    async fn instance_id(&self) -> Result<InstanceId> {
        Ok(self.instance.clone())
    }

    async fn vault_check(&self) -> Result<Option<Sealed>> {
        Ok(self.lock().vault_check.clone())
    }

    async fn set_vault_check(&self, check: &Sealed) -> Result<()> {
        self.lock().vault_check = Some(check.clone());
        Ok(())
    }

    async fn has_sealed_rows(&self) -> Result<bool> {
        let state = self.lock();
        let check = usize::from(state.vault_check.is_some());
        Ok(state.sealed().count() > check)
    }
}
