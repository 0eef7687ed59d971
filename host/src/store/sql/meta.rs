//! The store about itself.

use async_trait::async_trait;
use jiff::Timestamp;

use super::fields::Fields;
use super::{Argument, Row, SqlStore, Statement, Transaction, audit, statement};
use crate::store::owner::compare;
use crate::store::{AuditRecord, InstanceId, InstanceName, Meta, Ownership, Result, StoreError};
use crate::vault::Sealed;

pub(in crate::store) const INSTANCE: &str = "instance";
const VAULT_CHECK: &str = "vault_check";
const OWNER: &str = "instance_name";
const ALIVE: &str = "alive";

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

    async fn set_vault_check(
        &self,
        seen: Option<&Sealed>,
        check: &Sealed,
        audit: Option<&AuditRecord>,
    ) -> Result<bool> {
        let check = check.as_bytes().to_vec();
        let write = match seen {
            None => set_if_absent(VAULT_CHECK, check),
            Some(seen) => statement("UPDATE meta SET value = $2 WHERE key = $1 AND value = $3")
                .bind(VAULT_CHECK)
                .bind(check)
                .bind(seen.as_bytes().to_vec()),
        };
        let mut transaction = self.write_ours().await?;
        if transaction.execute(write).await? != 1 {
            return Ok(false);
        }
        if let Some(audit) = audit {
            transaction.execute(audit::insert(audit)).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn note_alive(&self, now: Timestamp) -> Result<()> {
        let mut transaction = self.write_ours().await?;
        transaction.execute(set(ALIVE, now.to_string().into_bytes())).await?;
        transaction.commit().await
    }

    async fn has_sealed_rows(&self) -> Result<bool> {
        let row = statement(
            "SELECT EXISTS (SELECT 1 FROM flows)
                 OR EXISTS (SELECT 1 FROM grants WHERE access IS NOT NULL OR refresh IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM revocations WHERE access IS NOT NULL OR refresh IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM event_receivers)
                 AS any_row",
        );
        // It may walk tables, for which whoever wants a single row shall not wait.
        self.fetch_all(row).await?.first().map_or(Ok(false), |row| Fields::of("store", row).get("any_row"))
    }
}

#[async_trait]
impl<D: Send + Sync> Ownership for SqlStore<D> {
    fn name(&self) -> Option<&InstanceName> {
        self.name.as_ref()
    }

    async fn owner(&self) -> Result<Option<InstanceName>> {
        self.meta(OWNER).await?.map(read_owner).transpose()
    }

    async fn claim_ownership(&self) -> Result<()> {
        let Some(name) = &self.name else { return Ok(()) };
        self.execute(set_if_absent(OWNER, name.as_str().as_bytes().to_vec())).await?;
        Ok(())
    }

    async fn adopt(&self, name: &InstanceName, record: &AuditRecord) -> Result<()> {
        let mut transaction = self.write().await?;
        transaction.execute(set(OWNER, name.as_str().as_bytes().to_vec())).await?;
        transaction.execute(audit::insert(record)).await?;
        transaction.commit().await
    }
}

/// Makes sure, within a transaction, that the store is that of this name.
pub(super) async fn check_ours(transaction: &mut Transaction, ours: Option<&InstanceName>) -> Result<()> {
    check_owner(transaction.fetch(get(OWNER)).await?.as_ref().map(value).transpose()?, ours)
}

/// The same for a name that was read already.
pub(super) fn check_owner(owner: Option<Vec<u8>>, ours: Option<&InstanceName>) -> Result<()> {
    compare(owner.map(read_owner).transpose()?, ours)
}

impl<D: Send + Sync> SqlStore<D> {
    async fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>> {
        self.fetch(get(key)).await?.as_ref().map(value).transpose()
    }
}

pub(super) fn get(key: impl Into<Argument>) -> Statement {
    statement("SELECT value FROM meta WHERE key = $1").bind(key)
}

pub(super) fn set(key: impl Into<Argument>, value: Vec<u8>) -> Statement {
    let set = statement(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    set.bind(key).bind(value)
}

fn set_if_absent(key: &'static str, value: Vec<u8>) -> Statement {
    statement("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING").bind(key).bind(value)
}

pub(super) fn value(row: &Row) -> Result<Vec<u8>> {
    Fields::of("store", row).get("value")
}

fn read_owner(name: Vec<u8>) -> Result<InstanceName> {
    let text = String::from_utf8(name).map_err(|error| StoreError::corrupt("instance name", error))?;
    text.parse().map_err(|why| StoreError::corrupt("instance name", why))
}
