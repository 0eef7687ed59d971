//! The lock of a grant, among the tasks of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Table, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::PostgresStore;
use crate::store::{GrantId, RefreshGuard, RefreshLocks, Result};

/// One lock for each grant that was ever asked for.
#[derive(Debug, Default)]
pub(super) struct ProcessLocks(Table<HashMap<GrantId, Arc<Mutex<()>>>>);

#[derive(Debug)]
struct Held(#[expect(dead_code, reason = "it is held, not read")] OwnedMutexGuard<()>);

impl RefreshGuard for Held {}

#[async_trait]
impl RefreshLocks for PostgresStore {
    async fn lock_refresh(&self, grant: &GrantId) -> Result<Box<dyn RefreshGuard>> {
        let lock = {
            let mut table = self.own.locks.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(table.entry(grant.clone()).or_default())
        };
        Ok(Box::new(Held(lock.lock_owned().await)))
    }
}
