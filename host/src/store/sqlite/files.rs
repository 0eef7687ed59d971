//! The files of a store, which nobody else may read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::Result;
use crate::vault::private::{self, Access, FileError};

/// The database in its directory.
pub(super) const DATABASE: &str = "store.db";

/// Makes the directory and an empty database file if they are missing, and refuses what is open to others or cannot be written.
///
/// `SQLite` gives the files it adds, `-wal` and `-shm`, the mode of the database, whatever the mask of the process.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf> {
    private::ensure_dir(dir)?;
    let path = dir.join(DATABASE);
    if private::open(&path, Access::Write)?.is_none() {
        create(dir, &path)?;
    }
    for suffix in ["-wal", "-shm"] {
        private::open(&dir.join(format!("{DATABASE}{suffix}")), Access::Write)?;
    }
    // SQLite would say no more than that it cannot open the database.
    let io = |source| FileError::Io { doing: "write to", path: dir.to_owned(), source };
    tempfile::tempfile_in(dir).map_err(io)?;
    Ok(path)
}

fn create(dir: &Path, path: &Path) -> Result<()> {
    let io = |source| FileError::Io { doing: "make", path: path.to_owned(), source };
    match private::create(path) {
        Ok(_) => Ok(private::sync_dir(dir).map_err(io)?),
        // Another process starts at the same time.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            private::open(path, Access::Write)?;
            Ok(())
        }
        Err(error) => Err(io(error).into()),
    }
}

/// The directory of lock files, which are made when they are first needed and stay.
pub(super) fn prepare_locks(dir: &Path) -> Result<PathBuf> {
    let locks = dir.join("locks");
    private::ensure_dir(&locks)?;
    Ok(locks)
}

/// A file to hold a lock on.
pub(super) fn lock_file(path: &Path) -> Result<fs::File> {
    let io = |source| FileError::Io { doing: "make", path: path.to_owned(), source };
    loop {
        if let Some(file) = private::open(path, Access::Write)? {
            return Ok(file);
        }
        match private::create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok(made.map_err(io)?),
        }
    }
}
