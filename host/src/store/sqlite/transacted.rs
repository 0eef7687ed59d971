//! A transaction in the file.

use connector_core::{Context, SinceBoot};
use rusqlite::Connection;

use super::connection::Purpose;
use super::error::failed;
use super::pool::{Lease, on_blocking_thread};
use super::{SqliteRow, query};
use crate::store::sql::{Statement, statement};
use crate::store::{Result, StoreError};

/// Which thread does what a transaction consists of. It may have to wait for the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thread {
    /// The one that asks.
    This,
    /// One that is there to wait, for each statement.
    Blocking,
}

/// A transaction under way. One that is dropped before it is committed has changed nothing.
#[derive(Debug)]
pub(in crate::store) struct Transacted {
    /// Away while a statement runs: whoever stops waiting for it gives the transaction up.
    lease: Option<Box<Lease>>,
    thread: Thread,
    cx: Context,
}

impl Transacted {
    /// Whoever writes takes the write lock at once: a transaction that read first and then wanted to write would fail at once whenever
    /// another had written in between.
    pub(super) async fn begin(cx: &Context, lease: Lease, thread: Thread) -> Result<Self> {
        let how = match lease.purpose() {
            Purpose::Looking | Purpose::Reading => "BEGIN",
            Purpose::Writing => "BEGIN IMMEDIATE",
        };
        let mut begun = Self { lease: Some(Box::new(lease)), thread, cx: cx.clone() };
        begun.execute(statement(how)).await?;
        Ok(begun)
    }

    pub(in crate::store) fn since_boot(&self) -> Option<SinceBoot> {
        self.cx.since_boot()
    }

    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.run(move |connection, cx| query::execute(connection, cx, &statement)).await
    }

    pub(in crate::store) async fn fetch(&mut self, statement: Statement) -> Result<Option<SqliteRow>> {
        let mut first = self.run(move |connection, cx| query::fetch(connection, cx, &statement, 1)).await?;
        Ok(first.pop())
    }

    pub(in crate::store) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<SqliteRow>> {
        self.run(move |connection, cx| query::fetch(connection, cx, &statement, usize::MAX)).await
    }

    pub(in crate::store) async fn commit(mut self) -> Result<()> {
        self.execute(statement("COMMIT")).await.map(drop)
    }

    async fn run<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&Connection, &Context) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let given_up = || StoreError::database("the transaction was given up; nothing was changed");
        let (mut lease, cx) = (self.lease.take().ok_or_else(given_up)?, self.cx.clone());
        let done = move || {
            let done = job(lease.connection()?, &cx).map_err(failed);
            Ok((lease, done))
        };
        let (lease, done) = match self.thread {
            Thread::This => done()?,
            Thread::Blocking => on_blocking_thread(done).await?,
        };
        self.lease = Some(lease);
        done
    }
}
