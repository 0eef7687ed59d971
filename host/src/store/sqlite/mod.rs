//! The store in one `SQLite` file: nothing else to install or to run.
//!
//! The file is in WAL mode with `synchronous = FULL`: what a call reports as written survives a power loss. All writes of a process go
//! through one connection, in turn, and those of one statement, of connects and of refreshes share commits; between processes `SQLite` itself waits.
//! Statements run on threads that may wait for the disk.

mod backup;
mod connection;
mod error;
mod files;
mod group;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod killed_tests;
mod lock;
mod migrate;
mod network;
mod open;
mod pool;
mod pools;
mod query;
mod replace;
mod row;
#[cfg(test)]
mod tests;
mod transacted;

use std::path::{Path, PathBuf};

use super::sql::SqlStore;

pub(super) use self::pools::Pools;
pub use self::replace::Replacement;
pub(super) use self::row::{InSqlite, SqliteRow};
pub(super) use self::transacted::Transacted;

/// The store in one `SQLite` file.
pub type SqliteStore = SqlStore<SqliteFile>;

/// What only a store in a file has.
#[derive(Debug)]
pub struct SqliteFile {
    path: PathBuf,
}

impl SqliteStore {
    /// The database file.
    pub fn path(&self) -> &Path {
        &self.own.path
    }
}
