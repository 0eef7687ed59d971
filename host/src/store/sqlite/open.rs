//! Opens the file, with every connection as durable as it says.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use connector_core::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Error, Row as _};

use super::{Pools, SqliteFile, SqliteStore, files, lock, migrate};
use crate::store::Result;
use crate::store::sql::Db;

const READERS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl SqliteStore {
    /// Opens the store of a data directory, or makes it.
    ///
    /// # Errors
    /// When the place is open to others or on another machine, cannot be written, or holds something else or something newer. It is
    /// unchanged then.
    pub async fn open(cx: &Context, dir: &Path) -> Result<Self> {
        let path = files::prepare(dir)?;
        let locks = files::prepare_locks(dir)?;
        let in_use = lock::in_use(&locks).await?;
        Self::open_locked(cx, path, &locks, in_use).await
    }

    /// Opens it for whoever holds the lock already.
    pub(super) async fn open_locked(cx: &Context, path: PathBuf, locks: &Path, in_use: File) -> Result<Self> {
        migrate::bring_up_to_date(cx, &path, locks).await?;
        let writer = pool(1, options(&path).pragma("secure_delete", "ON"));
        let readers = pool(READERS, options(&path).pragma("query_only", "ON"));
        let db = Db::Sqlite(Pools { writer, readers, group: Arc::default(), cx: cx.clone(), path: path.clone() });
        Ok(Self::new(db, SqliteFile { path, _in_use: in_use }))
    }
}

/// How any connection is made.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}

/// Connections are made when they are first needed: a command that reads one row starts as fast as it can.
fn pool(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // A transaction that `SQLite` has given up by itself leaves a connection that the driver takes for busy ever after.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .after_connect(|connection, _| Box::pin(verify(connection)))
        .connect_lazy_with(options)
}

/// Reads back what durability and consistency rest on: `SQLite` takes a setting it cannot follow without a word.
pub(super) async fn verify(connection: &mut SqliteConnection) -> Result<(), Error> {
    let row = sqlx::query(
        "SELECT (SELECT journal_mode FROM pragma_journal_mode) = 'wal',
                (SELECT synchronous FROM pragma_synchronous) = 2,
                (SELECT foreign_keys FROM pragma_foreign_keys) = 1",
    )
    .fetch_one(connection)
    .await?;
    for (index, setting) in ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"].into_iter().enumerate() {
        if !row.try_get::<bool, _>(index)? {
            return Err(Error::Configuration(format!("SQLite does not take `{setting}` here").into()));
        }
    }
    Ok(())
}
