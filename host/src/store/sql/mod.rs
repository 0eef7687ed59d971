//! The store in an SQL database. What is asked of one is written here once, in SQL that `SQLite` and `PostgreSQL` both take; what is
//! only one database's own is in the module of its name.
//!
//! A statement is text with `$1`, `$2` and so on for its arguments: integers, texts and bytes, each of which may be null. A change that
//! needs more than one statement reads what it decides by with [`Statement::locking`], so that nobody changes it meanwhile; one that
//! needs more than one row of a tenant begins with [`Transaction::lock_tenant`], so that two of them never wait for each other.

mod api_keys;
mod app_health;
mod audit;
mod connect_links;
mod connections;
mod db;
mod deliveries;
mod disconnect;
mod events;
mod facts;
mod feed;
mod fields;
mod flows;
mod grants;
mod idempotency;
mod import;
mod inventory;
mod json;
mod link;
mod meta;
mod order;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod plan_tests;
mod purge;
mod receivers;
mod refresh;
mod reseal;
mod revocations;
mod row;
mod samples;
mod sessions;
mod statement;
mod transaction;
mod users;

use jiff::Timestamp;

use self::fields::Fields;
use super::{AuditRecord, InstanceName, Result};

pub(super) use self::db::Db;
#[cfg(all(test, unix, feature = "postgres"))]
pub(super) use self::feed::append as append_to_feed;
pub(super) use self::meta::INSTANCE;
pub(super) use self::row::Row;
pub(super) use self::statement::{Argument, Statement, statement};
pub(super) use self::transaction::{Transaction, Work};

/// The store in an SQL database, of which `D` holds what is its own.
#[derive(Debug)]
pub struct SqlStore<D> {
    db: Db,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "a server has nothing of its own"))]
    pub(super) own: D,
    name: Option<InstanceName>,
}

impl<D> SqlStore<D> {
    pub(super) fn new(db: Db, own: D) -> Self {
        Self { db, own, name: None }
    }

    /// The same store for a process of this name.
    pub fn under(mut self, name: Option<InstanceName>) -> Self {
        self.name = name;
        self
    }

    /// Waits for what is being written and closes every connection. A store that is dropped instead loses nothing.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// What the clock of the store says, to the millisecond. All processes that use the store go by this one clock: on `PostgreSQL` it is
    /// the server's, on `SQLite` that of the machine.
    pub async fn now(&self) -> Result<Timestamp> {
        let row = self.fetch(statement("SELECT {now} AS now")).await?;
        row.map_or(Ok(Timestamp::default()), |row| Fields::of("clock", &row).time("now"))
    }

    /// A transaction that writes.
    pub(super) async fn write(&self) -> Result<Transaction> {
        self.db.write().await
    }

    /// A transaction that writes what only the owner of the store may write.
    ///
    /// The name is read without a lock. Whoever adopts the store at the same moment finds what this transaction leaves in the rows, as if
    /// it had ended before.
    async fn write_ours(&self) -> Result<Transaction> {
        let mut transaction = self.write().await?;
        meta::check_ours(&mut transaction, self.name.as_ref()).await?;
        Ok(transaction)
    }

    /// Changes a row that only the owner of the store may change, and records it. False when there is no row to change.
    async fn change_one(&self, update: Statement, record: &AuditRecord) -> Result<bool> {
        let mut transaction = self.write_ours().await?;
        if transaction.execute(update).await? != 1 {
            return Ok(false);
        }
        transaction.execute(audit::insert(record)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Does this in a transaction, which others may share.
    pub(super) async fn share<W: Work>(&self, work: W) -> Result<W::Output> {
        self.db.share(work).await
    }

    /// A transaction that writes several rows of a tenant: one after the other for each tenant.
    async fn write_tenant(&self, tenant: &str) -> Result<Transaction> {
        let mut transaction = self.write().await?;
        transaction.lock_tenant(tenant).await?;
        Ok(transaction)
    }

    /// A transaction in which every read sees the same state.
    async fn read(&self) -> Result<Transaction> {
        self.db.read().await
    }

    /// Runs one statement that writes, and says how many rows it wrote.
    async fn execute(&self, statement: Statement) -> Result<u64> {
        self.db.execute(statement).await
    }

    pub(super) async fn fetch(&self, statement: Statement) -> Result<Option<Row>> {
        self.db.fetch(statement).await
    }

    async fn fetch_all(&self, statement: Statement) -> Result<Vec<Row>> {
        self.db.fetch_all(statement).await
    }
}
