//! The connections to the file, and what is asked through them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use connector_core::Context;

use super::connection::Purpose;
use super::group::Group;
use super::pool::Pool;
use super::transacted::Thread;
use super::{SqliteRow, Transacted};
use crate::store::sql::{Row, Statement, Transaction, Work, statement};
use crate::store::{Result, StoreError};

const READERS: u32 = 4;

/// One connection that writes, and some that read.
#[derive(Clone, Debug)]
pub(in crate::store) struct Pools {
    writer: Arc<Pool>,
    readers: Arc<Pool>,
    /// What shares commits.
    writes: Arc<Group>,
    /// What shares reads of single rows. What reads many has a transaction of its own, and keeps nobody waiting.
    reads: Arc<Group>,
    /// The clock of a store in a file is the machine's.
    cx: Context,
    path: PathBuf,
}

impl Pools {
    pub(super) fn new(cx: &Context, path: &Path) -> Self {
        let (writer, readers) = (Pool::new(path, Purpose::Writing, 1), Pool::new(path, Purpose::Reading, READERS));
        Self {
            writes: Group::new(&writer, cx),
            reads: Group::new(&readers, cx),
            writer,
            readers,
            cx: cx.clone(),
            path: path.to_owned(),
        }
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Deleted content is overwritten in the pages that held it; this brings those pages into the file and empties the log, which holds
    /// older ones. False when others read for longer than is waited for.
    pub(in crate::store) async fn shred(&self) -> Result<bool> {
        let mut alone = Transacted::alone(&self.cx, &self.writer).await?;
        let checkpoint = alone.fetch(statement("PRAGMA wal_checkpoint(TRUNCATE)")).await?;
        let busy = checkpoint.map(|row| row.get::<i64>("busy")).transpose().map_err(StoreError::database)?;
        Ok(busy == Some(0))
    }

    pub(in crate::store) async fn write(&self) -> Result<Transacted> {
        Transacted::begin(&self.cx, &self.writer, Thread::Blocking).await
    }

    pub(in crate::store) async fn read(&self) -> Result<Transacted> {
        Transacted::begin(&self.cx, &self.readers, Thread::Blocking).await
    }

    pub(in crate::store) async fn share<W: Work>(&self, work: W) -> Result<W::Output> {
        self.writes.share(work).await
    }

    pub(in crate::store) async fn execute(&self, statement: Statement) -> Result<u64> {
        self.share(Execute(statement)).await
    }

    pub(in crate::store) async fn fetch(&self, statement: Statement) -> Result<Option<SqliteRow>> {
        self.reads.share(Fetch(statement)).await
    }

    pub(in crate::store) async fn fetch_all(&self, statement: Statement) -> Result<Vec<SqliteRow>> {
        Transacted::alone(&self.cx, &self.readers).await?.fetch_all(statement).await
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

/// One statement of which the first row is wanted.
struct Fetch(Statement);

#[async_trait]
impl Work for Fetch {
    type Output = Option<SqliteRow>;

    async fn run(&self, transaction: &mut Transaction) -> Result<Option<SqliteRow>> {
        Ok(match transaction.fetch(self.0.clone()).await? {
            Some(Row::Sqlite(row)) => Some(row),
            _ => None,
        })
    }
}
