//! The connections to the file, and what is asked through them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::{Context, SinceBoot};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite, Transaction};

use super::error::failed;
use super::group::Group;
use crate::store::Result;
use crate::store::sql::{Argument, NOW, Statement};

/// One connection that writes, and some that read.
#[derive(Clone, Debug)]
pub(in crate::store) struct Pools {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// What shares commits.
    pub(super) group: Arc<Group>,
    /// The clock of a store in a file is the machine's.
    pub(super) cx: Context,
    pub(super) path: PathBuf,
}

impl Pools {
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
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        let row = checkpoint.fetch_one(&self.writer).await.map_err(failed)?;
        let busy: i64 = row.try_get(0).map_err(failed)?;
        Ok(busy == 0)
    }

    /// Takes the write lock at once: a transaction that read first and then wanted to write would fail at once whenever another had
    /// written in between.
    pub(in crate::store) async fn write(&self) -> Result<Transacted> {
        let open = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        Ok(Transacted { open, cx: self.cx.clone() })
    }

    pub(in crate::store) async fn read(&self) -> Result<Transacted> {
        Ok(Transacted { open: self.readers.begin().await.map_err(failed)?, cx: self.cx.clone() })
    }

    pub(in crate::store) async fn execute(&self, statement: Statement) -> Result<u64> {
        let done = query(&self.cx, statement).execute(&self.writer).await;
        Ok(done.map_err(failed)?.rows_affected())
    }

    pub(in crate::store) async fn fetch(&self, statement: Statement) -> Result<Option<SqliteRow>> {
        query(&self.cx, statement).fetch_optional(&self.readers).await.map_err(failed)
    }

    pub(in crate::store) async fn fetch_all(&self, statement: Statement) -> Result<Vec<SqliteRow>> {
        query(&self.cx, statement).fetch_all(&self.readers).await.map_err(failed)
    }
}

/// A transaction under way.
pub(in crate::store) struct Transacted {
    open: Transaction<'static, Sqlite>,
    cx: Context,
}

impl Transacted {
    pub(in crate::store) fn since_boot(&self) -> Option<SinceBoot> {
        self.cx.since_boot()
    }

    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        let done = query(&self.cx, statement).execute(&mut *self.open).await;
        Ok(done.map_err(failed)?.rows_affected())
    }

    pub(in crate::store) async fn fetch(&mut self, statement: Statement) -> Result<Option<SqliteRow>> {
        query(&self.cx, statement).fetch_optional(&mut *self.open).await.map_err(failed)
    }

    pub(in crate::store) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<SqliteRow>> {
        query(&self.cx, statement).fetch_all(&mut *self.open).await.map_err(failed)
    }

    pub(in crate::store) async fn commit(self) -> Result<()> {
        self.open.commit().await.map_err(failed)
    }
}

/// The statement as the driver takes it, the time among its arguments.
fn query(cx: &Context, statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    let text = statement.text(&format!("${}", statement.arguments.len() + 1));
    let now = statement.sql.contains(NOW).then(|| cx.now().as_millisecond().into());
    statement.arguments.into_iter().chain(now).fold(sqlx::query(text), |query, argument| match argument {
        Argument::Bytes(bytes) => query.bind(bytes),
        Argument::Integer(integer) => query.bind(integer),
        Argument::Text(text) => query.bind(text),
    })
}
