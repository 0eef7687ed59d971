//! A lock that ends with its process: the system keeps it on an open file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::private_files;
use crate::store::{Result, StoreError};

/// Waits until no other process brings the schema up to date, and keeps others from it until the file is closed.
pub(super) async fn migration(dir: PathBuf) -> Result<File> {
    let waiting = spawn_blocking(move || lock(&dir.join("migration.lock")));
    waiting.await.map_err(StoreError::database)?
}

fn lock(path: &Path) -> Result<File> {
    let file = private_files::lock_file(path)?;
    loop {
        match file.lock() {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(StoreError::Io { doing: "lock", path: path.to_owned(), source }),
        }
    }
}
