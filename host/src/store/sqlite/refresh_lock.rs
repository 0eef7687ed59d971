//! The lock of a grant: one of the lock files, which the grants share.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

use super::{SqliteStore, lock};
use crate::store::{GrantId, RefreshGuard, RefreshLocks, Result, StoreError};

/// How many lock files the grants share.
const SHARDS: u8 = 64;

/// The lock files of a store.
#[derive(Debug)]
pub(super) struct FileLocks {
    dir: PathBuf,
    /// Inside the process a task waits its turn here, so that no more than one thread waits for a file.
    turns: Vec<Arc<Mutex<()>>>,
}

/// Holds a lock. The fields are dropped in this order: the file, and with it the lock, first.
#[derive(Debug)]
struct FileGuard {
    _file: File,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl RefreshGuard for FileGuard {}

impl FileLocks {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, turns: (0..SHARDS).map(|_| Arc::default()).collect() }
    }

    /// The turn goes along: whoever stops waiting leaves a thread behind that still waits, and the next one must not add another.
    async fn refresh(&self, grant: &GrantId) -> Result<FileGuard> {
        let shard = shard(grant);
        let turn = match self.turns.get(usize::from(shard)) {
            Some(turn) => Some(Arc::clone(turn).lock_owned().await),
            None => None,
        };
        let path = self.dir.join(format!("refresh-{shard:02}.lock"));
        let waiting = spawn_blocking(move || Ok(FileGuard { _file: lock::lock(&path)?, _turn: turn }));
        waiting.await.map_err(StoreError::database)?
    }
}

#[async_trait]
impl RefreshLocks for SqliteStore {
    async fn lock_refresh(&self, grant: &GrantId) -> Result<Box<dyn RefreshGuard>> {
        Ok(Box::new(self.own.locks.refresh(grant).await?))
    }
}

/// The same for every process and every version.
fn shard(grant: &GrantId) -> u8 {
    Sha256::digest(grant.as_str().as_bytes()).first().map_or(0, |byte| byte % SHARDS)
}
