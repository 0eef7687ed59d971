//! The files of a store, which nobody else may read.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::network;
use crate::private_files::{self, FileError};
use crate::store::Result;

/// The database in its directory.
pub(super) const DATABASE: &str = "store.db";

/// What stands behind its name in those of the files that `SQLite` keeps beside it.
pub(super) const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Makes the directory and an empty database file if they are missing, and refuses what is open to others or cannot be written.
///
/// `SQLite` gives the files it adds, `-wal` and `-shm`, the mode of the database, whatever the mask of the process. None of the three is
/// opened here: to close it again would end the locks that another store of this process holds on it.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf> {
    private_files::ensure_dir(dir)?;
    network::refuse(dir)?;
    let path = dir.join(DATABASE);
    if !private_files::is_there(&path)? {
        create(dir, &path)?;
    }
    for suffix in COMPANIONS {
        private_files::is_there(&dir.join(format!("{DATABASE}{suffix}")))?;
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
    private_files::restrict(draft.as_file()).map_err(io)?;
    match draft.into_temp_path().persist_noclobber(path) {
        Ok(()) => Ok(private_files::sync_dir(dir).map_err(io)?),
        // Another process starts at the same time.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            private_files::is_there(path)?;
            Ok(())
        }
        Err(error) => Err(io(error.error).into()),
    }
}

/// The directory of lock files, which are made when they are first needed and stay.
pub(super) fn prepare_locks(dir: &Path) -> Result<PathBuf> {
    let locks = dir.join("locks");
    private_files::ensure_dir(&locks)?;
    Ok(locks)
}
