//! Locks that end with their process: the system keeps them on an open file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::pool::on_blocking_thread;
use crate::private_files;
use crate::store::{Result, StoreError};

/// Waits for the lock under which the schema is brought up to date.
pub(super) fn migration(dir: &Path) -> Result<File> {
    lock(&dir.join("migration.lock"), File::lock)
}

/// The lock that everybody holds who has the store open. Waits for whoever puts another database in its place.
pub(super) async fn in_use(dir: &Path) -> Result<File> {
    let path = in_use_path(dir);
    on_blocking_thread(move || lock(&path, File::lock_shared)).await
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
