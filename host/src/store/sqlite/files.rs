//! The files of a store, which nobody else may read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::store::Result;
use crate::vault::private::{self, Access, FileError};

/// The database in its directory.
pub(super) const DATABASE: &str = "store.db";

/// Makes the directory and an empty database file if they are missing, and refuses what is open to others or cannot be written.
///
/// `SQLite` gives the files it adds, `-wal` and `-shm`, the mode of the database, whatever the mask of the process. None of the three is
/// opened here: to close it again would end the locks that another store of this process holds on it.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf> {
    private::ensure_dir(dir)?;
    let path = dir.join(DATABASE);
    if !private::is_there(&path)? {
        create(dir, &path)?;
    }
    for suffix in ["-wal", "-shm"] {
        private::is_there(&dir.join(format!("{DATABASE}{suffix}")))?;
    }
    // SQLite would say no more than that it cannot open the database.
    let io = |source| FileError::Io { doing: "write to", path: dir.to_owned(), source };
    tempfile::tempfile_in(dir).map_err(io)?;
    Ok(path)
}

/// The file gets its name when it is closed: from then on others may lock it.
fn create(dir: &Path, path: &Path) -> Result<()> {
    let io = |source| FileError::Io { doing: "make", path: path.to_owned(), source };
    let draft = NamedTempFile::new_in(dir).map_err(io)?;
    private::restrict(draft.as_file()).map_err(io)?;
    match draft.into_temp_path().persist_noclobber(path) {
        Ok(()) => Ok(private::sync_dir(dir).map_err(io)?),
        // Another process starts at the same time.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            private::is_there(path)?;
            Ok(())
        }
        Err(error) => Err(io(error.error).into()),
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
