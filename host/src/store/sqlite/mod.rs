//! The store in one `SQLite` file: nothing else to install or to run.
//!
//! The file is in WAL mode with `synchronous = FULL`: what a call reports as written survives a power loss. All writes of a process go
//! through one connection, in turn, and those of refreshes share commits; between processes `SQLite` itself waits.

mod error;
mod files;
mod group;
#[cfg(test)]
mod group_tests;
mod lock;
mod migrate;
mod open;
mod pools;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::sql::SqlStore;

pub(super) use self::pools::{Pools, Transacted};

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
