//! A copy of a store while others use it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::error::failed;
use super::files::{COMPANIONS, DATABASE};
use super::pool::on_blocking_thread;
use super::{SqliteStore, connection};
use crate::private_files;
use crate::store::{Result, StoreError};

/// How a copy begins that is not complete yet.
const DRAFT: &str = ".connector-host-backup-";

impl SqliteStore {
    /// Copies the store as it is at one moment into a new file that nobody else may read, while others go on using it. The file has its
    /// name once it is complete and survives a power loss. The key file is not in it.
    ///
    /// # Errors
    /// When there is something of that name, the name is one of the store's own, or the file cannot be written.
    pub async fn back_up(&self, file: &Path) -> Result<()> {
        let dir = parent(file);
        let io = |doing| move |source| StoreError::Io { doing, path: file.to_owned(), source };
        let name = file.file_name().ok_or_else(|| unfit(file, "names no file"))?;
        let place = dir.canonicalize().map_err(io("find the directory of"))?.join(name);
        if self.is_own(&place)? {
            return Err(unfit(file, "is a name of the store itself: choose another one for the copy"));
        }
        if place.symlink_metadata().is_ok() {
            return Err(unfit(file, "is there already: choose another name for the copy, or move that file away"));
        }
        clear_drafts(&dir).map_err(io("make room for"))?;
        let draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(&dir).map_err(io("make"))?;
        private_files::restrict(draft.as_file()).map_err(io("make"))?;
        // As long as it is held, the draft is somebody's.
        let (held, draft) = draft.into_parts();
        held.lock().map_err(io("lock"))?;
        if !draft.exists() {
            return Err(unfit(file, "was begun while another backup was tidying up: try again"));
        }
        let (_held, draft) = self.copy_into(held, draft).await?;
        File::options().write(true).open(&draft).and_then(|file| file.sync_all()).map_err(io("write"))?;
        draft.persist_noclobber(&place).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => unfit(file, "was made by somebody else just now: choose another name"),
            _ => io("make")(error.error),
        })?;
        private_files::sync_dir(&dir).map_err(io("write"))
    }

    /// Reads one state of the database, which keeps nobody from writing to it. The draft stays with whoever writes it: no other file takes
    /// its name meanwhile.
    async fn copy_into(&self, held: File, draft: TempPath) -> Result<(File, TempPath)> {
        let name = draft.to_str().ok_or_else(|| unfit(&draft, "has a name that is no text"))?.to_owned();
        let path = self.path().to_owned();
        let copy = move || {
            connection::open(&path).and_then(|file| file.execute("VACUUM INTO ?1", [name])).map_err(failed)?;
            Ok((held, draft))
        };
        on_blocking_thread(copy).await
    }

    /// Whether a place is one of the files that the database consists of.
    fn is_own(&self, place: &Path) -> Result<bool> {
        let path = self.path();
        let io = |source| StoreError::Io { doing: "find", path: path.to_owned(), source };
        let own = path.canonicalize().map_err(io)?;
        let names = ["", "-journal"].into_iter().chain(COMPANIONS).map(|suffix| format!("{DATABASE}{suffix}"));
        Ok(names.map(|name| own.with_file_name(name)).any(|own| own == place))
    }
}

/// Removes what backups left that did not come to their end: nobody holds it any more.
fn clear_drafts(dir: &Path) -> io::Result<()> {
    for entry in dir.read_dir()? {
        let left = entry?;
        let name = left.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(DRAFT));
        if !random.is_some_and(|random| random.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            continue;
        }
        // Whoever made it may give it its name, or remove it, at this moment.
        let Ok(file) = File::open(left.path()) else { continue };
        if file.try_lock().is_ok() {
            match std::fs::remove_file(left.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn parent(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn unfit(path: &Path, why: &str) -> StoreError {
    StoreError::Unfit { path: path.to_owned(), why: why.to_owned() }
}
