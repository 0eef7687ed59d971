//! Connections to the file: made when they are first needed, each used by one at a time, on threads that may wait for the disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::connection::{Purpose, connect};
use crate::store::{Result, StoreError};

/// So many connections for one purpose.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    purpose: Purpose,
    most: u32,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(path: &Path, purpose: Purpose, most: u32) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(most.try_into().unwrap_or(1)));
        Arc::new(Self { path: path.to_owned(), purpose, most, turns, idle: Mutex::default() })
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Waits for a connection that nobody else uses.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| closed())?;
        let idle = self.idle().pop();
        Ok(Lease { connection: idle, pool: Arc::clone(self), _turn: turn })
    }

    /// Waits until nobody uses any of them, and closes them.
    pub(super) async fn close(&self) {
        let all = self.turns.acquire_many(self.most).await;
        if all.is_ok() {
            self.turns.close();
            let idle = std::mem::take(&mut *self.idle());
            // The last connection that is closed brings the log into the file. One that panics has closed it as well.
            let _ = spawn_blocking(move || drop(idle)).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, for as long as this is held.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _turn: OwnedSemaphorePermit,
}

impl Lease {
    /// The connection. Whoever asks first makes it, which waits for the disk.
    pub(super) fn connection(&mut self) -> Result<&Connection> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.pool.path, self.pool.purpose)?);
        }
        self.connection.as_ref().ok_or_else(closed)
    }
}

impl Drop for Lease {
    /// Ends a transaction that was not committed, as if it had never begun. A connection that cannot do that is given up.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok())
        {
            self.pool.idle().push(connection);
        }
    }
}

/// Does something with a connection on a thread that may wait for the disk. It is done to its end even when nobody waits for it any more.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(job).await.map_err(StoreError::database)?
}

fn closed() -> StoreError {
    StoreError::database("the store is closed")
}
