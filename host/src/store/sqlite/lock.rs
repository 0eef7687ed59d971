//! A lock that ends with its process: the system keeps it on an open file.

use std::fs::File;
use std::io;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::private_files;
use crate::store::{Result, StoreError};

/// Waits for the lock under which the schema is brought up to date.
pub(super) async fn migration(dir: &Path) -> Result<File> {
    let path = dir.join("migration.lock");
    spawn_blocking(move || lock(&path)).await.map_err(StoreError::database)?
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
