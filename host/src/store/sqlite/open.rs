//! Opens the store of a data directory.

use std::fs::File;
use std::path::{Path, PathBuf};

use connector_core::Context;

use super::{Pools, SqliteFile, SqliteStore, files, lock, migrate};
use crate::private_files;
use crate::store::sql::Db;
use crate::store::{Result, StoreError};

impl SqliteStore {
    /// Opens the store of a data directory, or makes it.
    ///
    /// # Errors
    /// When the place is open to others or on another machine, cannot be written, or holds something else or something newer. It is
    /// unchanged then.
    pub async fn open(cx: &Context, dir: &Path) -> Result<Self> {
        let path = files::prepare(dir)?;
        let locks = files::prepare_locks(dir)?;
        let in_use = lock::in_use(&locks).await?;
        Self::open_locked(cx, path, &locks, in_use).await
    }

    /// Opens the store of a data directory as it is, for a look: nothing is made and nothing migrated. `None` where there is none that is up
    /// to date.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_as_is(cx: &Context, dir: &Path) -> Result<Option<Self>> {
        if !private_files::is_there(&dir.join(files::DATABASE)).map_err(StoreError::from)? {
            return Ok(None);
        }
        let path = files::prepare(dir)?;
        let in_use = lock::in_use(&files::prepare_locks(dir)?).await?;
        let is_current = migrate::is_up_to_date(&path).await?;
        Ok(is_current.then(|| Self::new(Db::Sqlite(Pools::new(cx, &path, in_use)), SqliteFile { path })))
    }

    /// The files of the store of a data directory that nobody else may read.
    pub fn files(dir: &Path) -> Vec<PathBuf> {
        let suffixes = std::iter::once("").chain(files::COMPANIONS);
        suffixes.map(|suffix| dir.join(format!("{}{suffix}", files::DATABASE))).collect()
    }

    /// Opens it for whoever holds the lock already. Connections are made when they are first needed: a command that reads one row starts as
    /// fast as it can.
    pub(super) async fn open_locked(cx: &Context, path: PathBuf, locks: &Path, in_use: File) -> Result<Self> {
        migrate::bring_up_to_date(cx, &path, locks).await?;
        Ok(Self::new(Db::Sqlite(Pools::new(cx, &path, in_use)), SqliteFile { path }))
    }
}
