//! Locks that end with their process: the system keeps them on an open file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::private_files;
use crate::store::{Result, StoreError};

/// Waits for the lock under which the schema is brought up to date.
pub(super) async fn migration(dir: &Path) -> Result<File> {
    wait(dir.join("migration.lock"), File::lock).await
}

/// The lock that everybody holds who has the store open. Waits for whoever puts another database in its place.
pub(super) async fn in_use(dir: &Path) -> Result<File> {
    wait(in_use_path(dir), File::lock_shared).await
}

/// The same lock for whoever puts another database in place. `None` when somebody has the store open.
pub(super) fn alone(dir: &Path) -> Result<Option<File>> {
    let path = in_use_path(dir);
    let file = private_files::lock_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(unlockable(&path, source)),
    }
}

fn in_use_path(dir: &Path) -> PathBuf {
    dir.join("store.lock")
}

async fn wait(path: PathBuf, how: fn(&File) -> io::Result<()>) -> Result<File> {
    spawn_blocking(move || lock(&path, how)).await.map_err(StoreError::database)?
}

fn lock(path: &Path, how: fn(&File) -> io::Result<()>) -> Result<File> {
    let file = private_files::lock_file(path)?;
    loop {
        match how(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(unlockable(path, source)),
        }
    }
}

fn unlockable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { doing: "lock", path: path.to_owned(), source }
}
