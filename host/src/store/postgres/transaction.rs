//! A transaction on the server.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr, Transaction};

use super::error::{failed, uncommitted};
use crate::store::sql::{Argument, Statement, statement};
use crate::store::{Place, Result, StoreError};

/// The locks of tenants among the advisory locks of a database: "Conn".
const TENANTS: i32 = 0x436f_6e6e;

/// The server's clock, also within a transaction.
const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// A transaction under way.
pub(in crate::store) struct Transacted {
    open: Transaction<'static, Postgres>,
    place: Arc<Place>,
    /// A server answers the COMMIT of a transaction in which a statement failed with a rollback that looks like success.
    failed: bool,
}

impl Transacted {
    pub(super) fn new(open: Transaction<'static, Postgres>, place: Arc<Place>) -> Self {
        Self { open, place, failed: false }
    }

    /// The key is the tenant's hash: two of them that share it only wait for each other.
    pub(in crate::store) async fn lock_tenant(&mut self, tenant: &str) -> Result<()> {
        let lock = statement("SELECT pg_advisory_xact_lock($1::integer, hashtext($2))");
        self.execute(lock.bind(TENANTS).bind(tenant)).await?;
        Ok(())
    }

    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let done = query(statement).execute(&mut *self.open).await;
        Ok(self.checked(done)?.rows_affected())
    }

    pub(in crate::store) async fn fetch(&mut self, statement: Statement) -> Result<Option<PgRow>> {
        let row = query(statement).fetch_optional(&mut *self.open).await;
        self.checked(row)
    }

    pub(in crate::store) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        let rows = query(statement).fetch_all(&mut *self.open).await;
        self.checked(rows)
    }

    /// Runs a script: any number of statements, without arguments.
    pub(super) async fn run(&mut self, script: SqlStr) -> Result<()> {
        let done = sqlx::raw_sql(script).execute(&mut *self.open).await;
        self.checked(done)?;
        Ok(())
    }

    pub(in crate::store) async fn commit(self) -> Result<()> {
        if self.failed {
            return Err(StoreError::database("a transaction in which a statement failed cannot be kept"));
        }
        self.open.commit().await.map_err(|error| uncommitted(&self.place, error))
    }

    fn checked<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T> {
        self.failed |= outcome.is_err();
        outcome.map_err(|error| failed(&self.place, error))
    }
}

/// The statement as the driver takes it.
fn query(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(text(&statement)).persistent(false);
    statement.arguments.into_iter().fold(query, |query, argument| match argument {
        Argument::Bytes(bytes) => query.bind(bytes),
        Argument::Integer(integer) => query.bind(integer),
        Argument::Text(text) => query.bind(text),
    })
}

/// The lock is the one that an update takes: who only refers to the row does not wait.
fn text(statement: &Statement) -> SqlStr {
    let lock = if statement.locking { " FOR NO KEY UPDATE" } else { "" };
    AssertSqlSafe(format!("{}{lock}", statement.text(CLOCK))).into_sql_str()
}
