//! The store about itself.

use async_trait::async_trait;

use super::fields::Fields;
use super::{SqlStore, statement};
use crate::store::{InstanceId, Meta, Result, StoreError};
use crate::vault::Sealed;

pub(in crate::store) const INSTANCE: &str = "instance";
const VAULT_CHECK: &str = "vault_check";

#[async_trait]
impl<D: Send + Sync> Meta for SqlStore<D> {
    async fn instance_id(&self) -> Result<InstanceId> {
        let bytes = self.meta(INSTANCE).await?.ok_or_else(|| StoreError::corrupt("instance id", "it is missing"))?;
        let text = String::from_utf8(bytes).map_err(|error| StoreError::corrupt("instance id", error))?;
        Ok(InstanceId::new(text))
    }

    async fn vault_check(&self) -> Result<Option<Sealed>> {
        Ok(self.meta(VAULT_CHECK).await?.map(Sealed::from_stored))
    }

    async fn set_vault_check(&self, check: &Sealed) -> Result<()> {
        let set = statement(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        );
        self.execute(set.bind(VAULT_CHECK).bind(check.as_bytes().to_vec())).await?;
        Ok(())
    }

    async fn has_sealed_rows(&self) -> Result<bool> {
        let row = statement(
            "SELECT EXISTS (SELECT 1 FROM flows)
                 OR EXISTS (SELECT 1 FROM grants WHERE access IS NOT NULL OR refresh IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM revocations WHERE access IS NOT NULL OR refresh IS NOT NULL)
                 AS any_row",
        );
        self.fetch(row).await?.map_or(Ok(false), |row| Fields::of("store", &row).get("any_row"))
    }
}

impl<D: Send + Sync> SqlStore<D> {
    async fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>> {
        let row = self.fetch(statement("SELECT value FROM meta WHERE key = $1").bind(key)).await?;
        row.map(|row| Fields::of("store", &row).get("value")).transpose()
    }
}
