//! The file of a store as another program has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params_from_iter};

use super::Outcome;

/// The file of a `SQLite` store, which another program opens for each thing it does.
#[derive(Clone, Debug)]
pub struct DatabaseFile(PathBuf);

impl DatabaseFile {
    /// The file of this path. Where there is none, a database begins.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file of the store in a data directory.
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.join("store.db"))
    }

    /// Does statements, one after the other.
    pub fn run(&self, statements: &str) -> Outcome {
        Ok(self.open(TIMEOUT)?.execute_batch(statements)?)
    }

    /// Does one statement with these texts for its parameters `?1`, `?2` and so on.
    pub fn run_with(&self, statement: &str, parameters: &[&str]) -> Outcome {
        self.open(TIMEOUT)?.execute(statement, params_from_iter(parameters))?;
        Ok(())
    }

    /// The number that a query gives.
    pub fn number(&self, query: &str) -> Outcome<i64> {
        Ok(self.open(TIMEOUT)?.query_row(query, [], |row| row.get(0))?)
    }

    /// The texts that a query gives, one a row.
    pub fn texts(&self, query: &str) -> Outcome<Vec<String>> {
        let connection = self.open(TIMEOUT)?;
        let mut query = connection.prepare(query)?;
        let texts = query.query_map([], |row| row.get(0))?;
        Ok(texts.collect::<Result<_, _>>()?)
    }

    /// Begins to write, after this time at most, and does not end.
    pub fn lock(&self, within: Duration) -> Outcome<WriteLock> {
        let connection = self.open(within)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(WriteLock { _connection: connection })
    }

    fn open(&self, timeout: Duration) -> Outcome<Connection> {
        let connection = Connection::open(&self.0)?;
        connection.busy_timeout(timeout)?;
        Ok(connection)
    }
}

/// How long somebody waits who wants to write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The right to write to a database, which nobody else has as long as this lives. Nothing is written.
///
/// Whoever closes a file of the database in this process gives up the locks of the whole process, so nothing may be searched meanwhile.
#[derive(Debug)]
pub struct WriteLock {
    _connection: Connection,
}
