//! The store in one `SQLite` file: nothing else to install or to run.
//!
//! The file is in WAL mode with `synchronous = FULL`: what a call reports as written survives a power loss. All writes of a process go
//! through one connection, in turn; between processes `SQLite` itself waits.

mod audit;
mod connections;
mod disconnect;
mod error;
mod fields;
mod files;
mod flows;
mod grants;
mod json;
mod link;
mod lock;
mod meta;
mod migrate;
mod open;
mod reseal;
mod revocations;
mod samples;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Sqlite, Transaction};

use self::error::failed;
use self::lock::FileLocks;
use super::Result;

/// The store in one `SQLite` file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    locks: FileLocks,
}

type Statement = Query<'static, Sqlite, SqliteArguments>;
type Transacted = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for what is being written and closes the file. A store that is dropped instead loses nothing.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that writes. It takes the write lock at once: one that read first and then wanted to write would fail at once
    /// whenever another had written in between.
    async fn write(&self) -> Result<Transacted> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }

    /// A transaction in which every read sees the same state.
    async fn read(&self) -> Result<Transacted> {
        self.readers.begin().await.map_err(failed)
    }

    /// Runs one statement that writes, and says how many rows it wrote.
    async fn execute(&self, statement: Statement) -> Result<u64> {
        Ok(statement.execute(&self.writer).await.map_err(failed)?.rows_affected())
    }

    async fn fetch(&self, statement: Statement) -> Result<Option<SqliteRow>> {
        statement.fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn fetch_all(&self, statement: Statement) -> Result<Vec<SqliteRow>> {
        statement.fetch_all(&self.readers).await.map_err(failed)
    }
}

async fn execute(connection: &mut SqliteConnection, statement: Statement) -> Result<u64> {
    Ok(statement.execute(connection).await.map_err(failed)?.rows_affected())
}

async fn fetch(connection: &mut SqliteConnection, statement: Statement) -> Result<Option<SqliteRow>> {
    statement.fetch_optional(connection).await.map_err(failed)
}

async fn fetch_all(connection: &mut SqliteConnection, statement: Statement) -> Result<Vec<SqliteRow>> {
    statement.fetch_all(connection).await.map_err(failed)
}

async fn commit(transaction: Transacted) -> Result<()> {
    transaction.commit().await.map_err(failed)
}
