//! A place for an answer that the store does not take.
//!
//! A slot is a file whose blocks are there before they are needed, so that a disk that has become full since still takes an entry. The
//! process that reserved it holds a lock on it, which the system ends with the process: what an ended process left behind is then found by
//! the next one. On file systems that never write a block in place (Btrfs, ZFS) a full disk may refuse all the same.
//!
//! Entries are sealed by whoever writes them: nothing here can be read without the key.
//!
//! All of it blocks: call it where a thread may wait for a disk. [`Spool::reuse`] only looks at the name of a file.

mod entry;
mod leftover;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use self::leftover::{Leftover, Leftovers, Waiting};
use crate::private_files::{self, FileError};
use crate::vault::{KeyId, Sealed};

/// The bytes of a slot, its header included.
const SIZE: usize = 128 * 1024;

/// What went wrong with a spool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// A file or directory that must be private is not, or cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The entry is larger than a slot.
    #[error("an entry of {bytes} bytes is too large for the spool: it takes {most} bytes at most")]
    TooLarge {
        /// Of the entry.
        bytes: usize,
        /// What a slot takes.
        most: usize,
    },
}

type Result<T, E = SpoolError> = std::result::Result<T, E>;

/// A directory of slots. Clones are one spool; several spools, of one process or of many, may share a directory.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Reserved and unused.
    free: Mutex<Vec<Arc<Reserved>>>,
}

impl Spool {
    /// The spool in this directory, which is made if it is missing.
    ///
    /// # Errors
    /// When the directory is open to others, or cannot be made.
    pub fn open(dir: &Path) -> Result<Self> {
        let is_new = !dir.exists();
        private_files::ensure_dir(dir)?;
        if let Some(parent) = dir.parent().filter(|_| is_new) {
            private_files::sync_dir(parent).map_err(failed("sync", parent))?;
        }
        Ok(Self(Arc::new(Shared { dir: dir.to_owned(), free: Mutex::default() })))
    }

    /// A place for one entry. It is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk has no room for it.
    pub(crate) fn reserve(&self) -> Result<Slot> {
        match self.reuse()? {
            Some(slot) => Ok(slot),
            None => Ok(self.slot(Arc::new(Reserved::make(&self.0.dir)?))),
        }
    }

    /// The same where a place that was reserved before is free again, which only takes a look at the name of its file.
    ///
    /// # Errors
    /// When the system refuses that.
    pub(crate) fn reuse(&self) -> Result<Option<Slot>> {
        Ok(self.unused()?.map(|reserved| self.slot(reserved)))
    }

    fn slot(&self, reserved: Arc<Reserved>) -> Slot {
        Slot { spool: Arc::clone(&self.0), reserved, used: 0 }
    }

    /// What processes that have ended left behind, this one included where it dropped a slot with an entry. Each entry is given to one
    /// caller alone, as long as that holds it. What was reserved and never used is removed.
    ///
    /// # Errors
    /// When the directory cannot be read. A file that cannot be is among the damaged ones and keeps no other one back.
    pub(crate) fn leftovers(&self) -> Result<Leftovers> {
        leftover::collect(&self.0.dir)
    }

    /// How many entries are sealed with this key, those that living processes hold included: as long as there are any, the key is needed.
    ///
    /// # Errors
    /// When the directory or a file in it cannot be read.
    pub fn count_sealed_with(&self, key: KeyId) -> Result<usize> {
        let entries = leftover::entries(&self.0.dir)?.into_iter();
        Ok(entries.filter(|sealed| Sealed::from_stored(sealed.clone()).key_id() == Some(key)).count())
    }

    /// What lies in the spool of a directory, which needs not be there. Nothing is changed.
    ///
    /// # Errors
    /// When the directory or a file in it cannot be read.
    pub(crate) fn waiting(dir: &Path) -> Result<Waiting> {
        leftover::waiting(dir)
    }

    /// A slot that came back, unless somebody has removed its file.
    fn unused(&self) -> Result<Option<Arc<Reserved>>> {
        loop {
            let Some(reserved) = self.0.lock_free().pop() else { return Ok(None) };
            if reserved.is_there()? {
                return Ok(Some(reserved));
            }
        }
    }
}

impl Shared {
    fn lock_free(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Reserved>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    /// A clean end leaves no empty files behind. One that stays is removed by a later process.
    fn drop(&mut self) {
        for reserved in mem::take(&mut *self.lock_free()) {
            if let Err(error) = fs::remove_file(&reserved.path) {
                tracing::debug!(path = %reserved.path.display(), %error, "an unused spool file stays");
            }
        }
    }
}

/// A place for one entry.
///
/// Dropped without an entry it can be reserved again. Dropped with one, the entry is a leftover.
#[derive(Debug)]
pub(crate) struct Slot {
    spool: Arc<Shared>,
    reserved: Arc<Reserved>,
    /// How many bytes from the start may be other than zero.
    used: usize,
}

impl Slot {
    /// Puts a sealed entry in. When this returns it is on the disk; before, it is whole or recognisably not. Another one takes its place.
    ///
    /// # Errors
    /// When it is too large, or the disk fails.
    pub(crate) fn write(&mut self, sealed: &[u8]) -> Result<()> {
        let bytes = entry::encode(sealed)?;
        if !self.reserved.is_there()? {
            return Err(failed("write to", &self.reserved.path)(io::ErrorKind::NotFound.into()));
        }
        self.used = self.used.max(bytes.len());
        self.reserved.write(&bytes)
    }

    /// Whether something was written to it, be it not a whole entry.
    pub(crate) fn is_used(&self) -> bool {
        self.used > 0
    }

    /// Takes the entry out again: the store has it.
    ///
    /// # Errors
    /// When the disk fails. The entry may then be found again.
    pub(crate) fn clear(&mut self) -> Result<()> {
        if self.used > 0 {
            // In this order: at no time does it look like an entry that was damaged.
            self.reserved.write(&entry::CLEARED)?;
            self.reserved.write(&vec![0; self.used])?;
            self.used = 0;
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.used == 0 {
            self.spool.lock_free().push(Arc::clone(&self.reserved));
        }
    }
}

/// A file of a spool that this process holds the lock on.
#[derive(Debug)]
struct Reserved {
    path: PathBuf,
    file: File,
}

impl Reserved {
    /// A new file in the directory, full of zeros.
    fn make(dir: &Path) -> Result<Self> {
        for number in 0_u32.. {
            let path = dir.join(format!("{}{number:04}", leftover::PREFIX));
            let file = match private_files::create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(failed("make", &path))?,
            };
            // Another process may have found it before it was locked, and may be removing it.
            if let Some(reserved) = Self::lock(path, file)? {
                reserved.fill(dir)?;
                return Ok(reserved);
            }
        }
        Err(failed("make another file in", dir)(io::ErrorKind::AlreadyExists.into()))
    }

    /// The file, unless another process holds it, or the path names it no more.
    fn lock(path: PathBuf, file: File) -> Result<Option<Self>> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
            Ok(()) => {}
        }
        let reserved = Self { path, file };
        Ok(reserved.is_there()?.then_some(reserved))
    }

    /// Takes its room on the disk, or none.
    fn fill(&self, dir: &Path) -> Result<()> {
        let filled = self.write(&vec![0; SIZE]);
        let filled = filled.and_then(|()| private_files::sync_dir(dir).map_err(failed("sync", dir)));
        if filled.is_err() {
            fs::remove_file(&self.path).map_err(failed("remove", &self.path))?;
        }
        filled
    }

    fn is_there(&self) -> Result<bool> {
        Ok(private_files::is_named(&self.path, &self.file)?)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut file = &self.file;
        let written = file.rewind().and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
        written.map_err(failed("write to", &self.path))
    }

    fn read(&self) -> Result<Vec<u8>> {
        read(&self.path, &self.file)
    }

    /// Its lock ends after its name does, so that nobody takes it for a leftover in between.
    fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(failed("remove", &self.path))?;
        match self.path.parent() {
            Some(dir) => private_files::sync_dir(dir).map_err(failed("sync", dir)),
            None => Ok(()),
        }
    }
}

/// All of a slot, and what it has beyond its size, up to one byte.
fn read(path: &Path, mut file: &File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.take(SIZE as u64 + 1).read_to_end(&mut bytes));
    read.map_err(failed("read", path))?;
    Ok(bytes)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }.into()
}
