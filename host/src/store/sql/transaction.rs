//! A transaction in a database, whichever it is. One that is dropped has changed nothing.

use async_trait::async_trait;
use connector_core::SinceBoot;

use super::{Row, Statement};
use crate::store::Result;
#[cfg(feature = "postgres")]
use crate::store::postgres;
#[cfg(feature = "sqlite")]
use crate::store::sqlite;

/// Something done in a transaction that others may share. If that comes to nothing it may be done again from the start, so it changes
/// nothing but rows.
#[async_trait]
pub(in crate::store) trait Work: Send + Sync + 'static {
    /// What came of it.
    type Output: Send;

    /// Does it. What it has changed when it fails is undone.
    async fn run(&self, transaction: &mut Transaction) -> Result<Self::Output>;
}

/// A transaction under way.
pub(in crate::store) enum Transaction {
    #[cfg(feature = "postgres")]
    Postgres(postgres::Transacted),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Transacted),
}

impl Transaction {
    /// The clock that no setting of the time moves. All processes that use a file share a machine; a server's clock is its own.
    pub(super) fn since_boot(&self) -> Option<SinceBoot> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => transaction.since_boot(),
        }
    }

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
