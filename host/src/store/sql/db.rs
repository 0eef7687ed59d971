//! The connections to a database, whichever it is.

use super::{Row, Statement, Transaction, Work};
#[cfg(feature = "postgres")]
use crate::store::postgres;
#[cfg(feature = "sqlite")]
use crate::store::sqlite;
use crate::store::{Place, Result};

/// The database of a store.
#[derive(Debug)]
pub(in crate::store) enum Db {
    #[cfg(feature = "postgres")]
    Postgres(postgres::Pool),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Pools),
}

impl Db {
    pub(super) async fn close(&self) {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.close().await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.close().await,
        }
    }

    pub(super) fn place(&self) -> Place {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.place().clone(),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => Place::File(pools.path().to_owned()),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// What selects the last step of the schema.
    pub(super) fn schema_step(&self) -> &'static str {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "SELECT max(version) FROM _sqlx_migrations",
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "SELECT user_version FROM pragma_user_version",
        }
    }

    /// Makes what was deleted leave the files. A server keeps its files to itself, and reuses their room in its own time.
    #[cfg_attr(not(feature = "sqlite"), expect(clippy::unused_async, reason = "only a file waits"))]
    pub(super) async fn shred(&self) -> Result<bool> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(false),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.shred().await,
        }
    }

    pub(super) async fn write(&self) -> Result<Transaction> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.write().await.map(Transaction::Postgres),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.write().await.map(Transaction::Sqlite),
        }
    }

    /// Does this in a transaction, which others may share where that saves a wait for the disk. A server sees to that by itself.
    pub(super) async fn share<W: Work>(&self, work: W) -> Result<W::Output> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let mut transaction = Transaction::Postgres(pool.write().await?);
                let done = work.run(&mut transaction).await?;
                transaction.commit().await?;
                Ok(done)
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.share(work).await,
        }
    }

    pub(super) async fn read(&self) -> Result<Transaction> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.read().await.map(Transaction::Postgres),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.read().await.map(Transaction::Sqlite),
        }
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.execute(statement).await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.execute(statement).await,
        }
    }

    pub(super) async fn fetch(&self, statement: Statement) -> Result<Option<Row>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Ok(pool.fetch(statement).await?.map(Row::Postgres)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => pools.fetch(statement).await,
        }
    }

    pub(super) async fn fetch_all(&self, statement: Statement) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Ok(pool.fetch_all(statement).await?.into_iter().map(Row::Postgres).collect()),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pools) => Ok(pools.fetch_all(statement).await?.into_iter().map(Row::Sqlite).collect()),
        }
    }
}
