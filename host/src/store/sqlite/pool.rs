//! Connections to the file: made when they are first needed, each used by one at a time, on threads that may wait for the disk.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::connection::{Purpose, connect};
use super::error::failed;
use crate::store::{Result, StoreError};

/// How long somebody waits for a connection: only a disk that hangs takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many connections for one purpose.
#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    purpose: Purpose,
    most: u16,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Nobody puts another database in its place as long as one of them may be in use.
    _in_use: Arc<File>,
}

impl Pool {
    pub(super) fn new(path: &Path, in_use: &Arc<File>, purpose: Purpose, most: u16) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            purpose,
            most,
            turns: Arc::new(Semaphore::new(most.into())),
            idle: Mutex::default(),
            _in_use: Arc::clone(in_use),
        })
    }

    /// Waits for a connection that nobody else uses.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when others keep all of them for too long; when the pool is closed.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await.map_err(|_| StoreError::Busy)?;
        let turn = turn.map_err(|_| closed())?;
        Ok(Lease { connection: self.idle().pop(), pool: Arc::clone(self), _turn: turn })
    }

    /// Does something with a connection where it may wait for the disk.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut lease = self.lease().await?;
        on_blocking_thread(move || job(lease.connection()?).map_err(failed)).await
    }

    /// Waits until nobody uses any of them, and closes them.
    pub(super) async fn close(&self) {
        let all = self.turns.acquire_many(self.most.into()).await;
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
    pub(super) fn purpose(&self) -> Purpose {
        self.pool.purpose
    }

    /// The connection, if somebody has made it.
    pub(super) fn opened(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

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

/// Does something on a thread that may wait for the disk. It is done to its end even when nobody waits for it any more.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(job).await.map_err(StoreError::database)?
}

fn closed() -> StoreError {
    StoreError::database("the store is closed")
}
