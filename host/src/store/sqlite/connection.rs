//! One connection to the file, as durable as it says.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, OpenFlags};

use super::error::failed;
use crate::store::{Result, StoreError};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More than there are statements here, so that each is read by `SQLite` once.
const STATEMENTS: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads of single rows, for which nobody waits.
    Looking,
    Reading,
    Writing,
}

/// A connection to a file that is in WAL mode.
pub(super) fn connect(path: &Path, purpose: Purpose) -> Result<Connection> {
    let connection = open(path).map_err(failed)?;
    let setting = match purpose {
        // A walk over a large store fills the cache for nobody: what is read again is in the system's memory.
        Purpose::Looking | Purpose::Reading => "PRAGMA query_only = ON; PRAGMA cache_size = -512",
        Purpose::Writing => "PRAGMA secure_delete = ON",
    };
    connection.execute_batch(setting).map_err(failed)?;
    verify(&connection)?;
    if purpose == Purpose::Looking {
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    }
    Ok(connection)
}

/// A connection to a file, whatever it holds.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let existing = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, existing)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL")?;
    Ok(connection)
}

/// Reads back what durability and consistency rest on: `SQLite` takes a setting it cannot follow without a word.
pub(super) fn verify(connection: &Connection) -> Result<()> {
    let settings = [
        ("journal_mode = WAL", "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
        ("synchronous = FULL", "SELECT synchronous = 2 FROM pragma_synchronous"),
        ("foreign_keys = ON", "SELECT foreign_keys = 1 FROM pragma_foreign_keys"),
    ];
    for (setting, holds) in settings {
        if !connection.query_row(holds, [], |row| row.get::<_, bool>(0)).map_err(failed)? {
            return Err(StoreError::database(format!("SQLite does not take `{setting}` here")));
        }
    }
    Ok(())
}
