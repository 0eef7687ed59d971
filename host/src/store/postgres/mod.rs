//! The store in a `PostgreSQL` database, for a host of several processes on several machines.
//!
//! A pooler in transaction mode may stand between: every statement is in an explicit transaction, and nothing is kept in a session. No
//! statement has a name, for a name would outlive its transaction on whichever server connection it met.
//!
//! Changes are at READ COMMITTED. One that needs one row compares and sets it in one statement, or locks it first; one that needs several
//! takes the lock of their tenant first, a transaction-level advisory lock, and so waits for no other one while it holds a row. The order
//! of all locks is: tenant, grants and connections, revocations, readings, feeds of samples, samples. What the server ends nevertheless, to break a deadlock, has
//! changed nothing and is [`StoreError::Busy`](super::StoreError::Busy).

mod begin;
mod error;
#[cfg(test)]
#[cfg(unix)]
mod feed_tests;
mod inspect;
mod migrate;
mod open;
mod pool;
#[cfg(test)]
#[cfg(unix)]
mod promises_tests;
#[cfg(test)]
#[cfg(unix)]
mod schema_tests;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod transaction;
mod url;

use super::sql::SqlStore;

pub(super) use self::pool::Pool;
pub(super) use self::transaction::Transacted;

/// The store in a `PostgreSQL` database.
pub type PostgresStore = SqlStore<PostgresServer>;

/// What only a store on a server has.
#[derive(Debug)]
pub struct PostgresServer;
