//! The file of a store as another program has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::Outcome;

/// The file of a `SQLite` store, which another program opens for each thing it does.
#[derive(Clone, Debug)]
pub struct DatabaseFile(PathBuf);

impl DatabaseFile {
    /// The file of this path. Where it is empty, a database begins.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file of the store in a data directory.
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.join("store.db"))
    }

    /// Does statements, one after the other.
    pub async fn run(&self, statements: &str) -> Outcome {
        let mut connection = self.open(TIMEOUT).await?;
        let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await;
        connection.close().await?;
        Ok(done.map(drop)?)
    }

    /// Does one statement with these texts for its parameters.
    pub async fn run_with(&self, statement: &str, parameters: &[&str]) -> Outcome {
        let mut connection = self.open(TIMEOUT).await?;
        let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
        let query = parameters.iter().fold(query, |query, text| query.bind((*text).to_owned()));
        query.execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// The number that a query gives.
    pub async fn number(&self, query: &str) -> Outcome<i64> {
        let mut connection = self.open(TIMEOUT).await?;
        let number = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    }

    /// The texts that a query gives, one a row.
    pub async fn texts(&self, query: &str) -> Outcome<Vec<String>> {
        let mut connection = self.open(TIMEOUT).await?;
        let texts = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(texts)
    }

    /// Begins to write, after this time at most, and does not end.
    pub async fn lock(&self, within: Duration) -> Outcome<WriteLock> {
        let mut connection = self.open(within).await?;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(WriteLock(connection))
    }

    async fn open(&self, timeout: Duration) -> Outcome<SqliteConnection> {
        Ok(SqliteConnectOptions::new().filename(&self.0).busy_timeout(timeout).connect().await?)
    }
}

/// How long somebody waits who wants to write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The right to write to a database, which nobody else has meanwhile.
///
/// Whoever closes a file of the database in this process gives up the locks of the whole process, so nothing may be searched meanwhile.
#[derive(Debug)]
pub struct WriteLock(SqliteConnection);

impl WriteLock {
    /// Gives it up. Nothing was written.
    pub async fn release(self) -> Outcome {
        Ok(self.0.close().await?)
    }
}
