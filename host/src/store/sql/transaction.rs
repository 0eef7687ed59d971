//! A transaction in a database, whichever it is. One that is dropped has changed nothing.

use super::{Row, Statement};
use crate::store::Result;
#[cfg(feature = "postgres")]
use crate::store::postgres;
#[cfg(feature = "sqlite")]
use crate::store::sqlite;

/// A transaction under way.
pub(in crate::store) enum Transaction {
    #[cfg(feature = "postgres")]
    Postgres(postgres::Transacted),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Transacted),
}

impl Transaction {
    /// Waits until no other transaction of this kind writes rows of the tenant. In `SQLite` there is never another one.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, unused_variables, reason = "only PostgreSQL waits")
    )]
    pub(super) async fn lock_tenant(&mut self, tenant: &str) -> Result<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.lock_tenant(tenant).await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Runs a statement that writes, and says how many rows it wrote.
    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.execute(statement).await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => transaction.execute(statement).await,
        }
    }

    pub(in crate::store) async fn fetch(&mut self, statement: Statement) -> Result<Option<Row>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => Ok(transaction.fetch(statement).await?.map(Row::Postgres)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => Ok(transaction.fetch(statement).await?.map(Row::Sqlite)),
        }
    }

    pub(super) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => {
                Ok(transaction.fetch_all(statement).await?.into_iter().map(Row::Postgres).collect())
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => {
                Ok(transaction.fetch_all(statement).await?.into_iter().map(Row::Sqlite).collect())
            }
        }
    }

    /// Makes it happen.
    pub(in crate::store) async fn commit(self) -> Result<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.commit().await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => transaction.commit().await,
        }
    }
}
