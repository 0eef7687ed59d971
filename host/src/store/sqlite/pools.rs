//! The connections to the file, and what is asked through them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use connector_core::Context;
use rusqlite::Connection;

use super::connection::Purpose;
use super::error::failed;
use super::group::Group;
use super::pool::{Pool, on_blocking_thread};
use super::transacted::Thread;
use super::{SqliteRow, Transacted, query};
use crate::store::sql::{Row, Statement, Transaction, Work};
use crate::store::{Result, StoreError};

/// Connections for what takes long: reads of many rows, and transactions.
const READERS: u16 = 3;

/// One connection that writes, and some that read.
#[derive(Clone, Debug)]
pub(in crate::store) struct Pools {
    writer: Arc<Pool>,
    readers: Arc<Pool>,
    /// For reads of single rows, which nothing that takes longer keeps waiting.
    row_reader: Arc<Pool>,
    /// What shares commits.
    writes: Arc<Group>,
    /// The clock of a store in a file is the machine's.
    cx: Context,
    path: PathBuf,
}

impl Pools {
    pub(super) fn new(cx: &Context, path: &Path, in_use: File) -> Self {
        let in_use = Arc::new(in_use);
        let pool = |purpose, most| Pool::new(path, &in_use, purpose, most);
        let writer = pool(Purpose::Writing, 1);
        Self {
            writes: Group::new(&writer, cx),
            writer,
            readers: pool(Purpose::Reading, READERS),
            row_reader: pool(Purpose::Looking, 1),
            cx: cx.clone(),
            path: path.to_owned(),
        }
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) async fn close(&self) {
        self.row_reader.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Deleted content is overwritten in the pages that held it; this brings those pages into the file and empties the log, which holds
    /// older ones. False when others read for longer than is waited for.
    pub(in crate::store) async fn shred(&self) -> Result<bool> {
        let checkpoint =
            |writer: &Connection| writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        let busy: i64 = self.writer.run(checkpoint).await?;
        Ok(busy == 0)
    }

    pub(in crate::store) async fn write(&self) -> Result<Transacted> {
        Transacted::begin(&self.cx, self.writer.lease().await?, Thread::Blocking).await
    }

    pub(in crate::store) async fn read(&self) -> Result<Transacted> {
        Transacted::begin(&self.cx, self.readers.lease().await?, Thread::Blocking).await
    }

    pub(in crate::store) async fn share<W: Work>(&self, work: W) -> Result<W::Output> {
        self.writes.share(work).await
    }

    pub(in crate::store) async fn execute(&self, statement: Statement) -> Result<u64> {
        self.writes.share(Execute(statement)).await
    }

    /// The first row of what a statement selects that finds it by an index. That takes less than to change threads, so it is looked up on
    /// the thread that asks, where nothing waits for anybody: what would have to wait is read like what takes long. The lease lets others
    /// have their turn, also where somebody looks again and again.
    pub(in crate::store) async fn fetch(&self, statement: Statement) -> Result<Option<Row>> {
        let mut lease = self.row_reader.lease().await?;
        if let Some(connection) = lease.opened() {
            match query::fetch(connection, &self.cx, &statement, 1).map_err(failed) {
                Err(StoreError::Busy) => {}
                found => return found.map(first),
            }
        } else {
            lease = on_blocking_thread(move || lease.connection().map(drop).map(|()| lease)).await?;
        }
        drop(lease);
        let cx = self.cx.clone();
        self.readers.run(move |reader| query::fetch(reader, &cx, &statement, 1)).await.map(first)
    }

    pub(in crate::store) async fn fetch_all(&self, statement: Statement) -> Result<Vec<SqliteRow>> {
        let cx = self.cx.clone();
        self.readers.run(move |reader| query::fetch(reader, &cx, &statement, usize::MAX)).await
    }
}

/// One statement that writes.
struct Execute(Statement);

#[async_trait]
impl Work for Execute {
    type Output = u64;

    async fn run(&self, transaction: &mut Transaction) -> Result<u64> {
        transaction.execute(self.0.clone()).await
    }
}

fn first(rows: Vec<SqliteRow>) -> Option<Row> {
    rows.into_iter().next().map(Row::Sqlite)
}
