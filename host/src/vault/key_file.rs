//! The file the keys are in: one line a key, `<key id> <key in base64>`, the active one first; then `<key id> retired` for each that was
//! taken away.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use connector_core::Context;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::key::KeyRing;
use super::{Result, VaultError};
use crate::private_files::{self, Access, FileError};

/// A key file that has been read.
#[derive(Debug)]
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub ring: KeyRing,
    /// Whether it was made just now: whoever runs this should be told to keep a copy of it, apart from the database.
    pub made: bool,
}

/// What to do when there is no key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Make one: nothing has been sealed yet.
    Create,
    /// Refuse: what is sealed already could not be opened with a new key.
    Refuse,
}

impl KeyFile {
    /// Its name in the data directory, and among the credentials of a service.
    pub const NAME: &'static str = "vault.key";

    /// Reads the key file of a data directory, or makes it.
    ///
    /// # Errors
    /// When it is missing and must not be made, when anybody else may read it, when it is a link or belongs to somebody else, and when
    /// it is malformed. The error names the file and what to do, never what is in it.
    pub fn load_or_create(cx: &Context, dir: &Path, if_missing: IfMissing) -> Result<Self> {
        private_files::ensure_dir(dir)?;
        Self::at(cx, dir.join(Self::NAME), if_missing)
    }

    /// The same for a file of any name.
    pub(super) fn at(cx: &Context, path: PathBuf, if_missing: IfMissing) -> Result<Self> {
        if let Some(ring) = read(&path, Access::Read)? {
            return Ok(Self { ring, path, made: false });
        }
        if if_missing == IfMissing::Refuse {
            return Err(VaultError::KeyFileMissing { path });
        }
        Self::create(cx, path)
    }

    /// The file appears complete or not at all, so a second process that starts at the same time reads the key of the first.
    fn create(cx: &Context, path: PathBuf) -> Result<Self> {
        let ring = KeyRing::generate(cx)?;
        if write_new(&path, &ring.to_text())? {
            return Ok(Self { path, ring, made: true });
        }
        Self::at(cx, path, IfMissing::Refuse)
    }
}

/// What a key file holds; `None` when there is none.
pub(super) fn read(path: &Path, access: Access) -> Result<Option<KeyRing>> {
    let Some(mut file) = private_files::open(path, access)? else { return Ok(None) };
    let io = |source| FileError::Io { doing: "read", path: path.to_owned(), source };
    let length = file.metadata().map_err(io)?.len();
    if length > LONGEST {
        return Err(VaultError::KeyFileMalformed { path: path.to_owned(), line: 1, why: "it is far too long" });
    }
    // With room for all of it no copy of a key is left behind by a buffer that grows.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
    file.read_to_end(&mut text).map_err(io)?;
    let malformed = |line, why| VaultError::KeyFileMalformed { path: path.to_owned(), line, why };
    let text = std::str::from_utf8(&text).map_err(|_| malformed(1, "it is not text"))?;
    KeyRing::parse(text).map(Some).map_err(|error| malformed(error.line, error.why))
}

/// Writes a new file that is for this user alone. False when there is one already; then nothing changes.
pub(super) fn write_new(path: &Path, text: &str) -> Result<bool> {
    let io = |source| FileError::Io { doing: "make", path: path.to_owned(), source };
    match draft(path, text).map_err(io)?.persist_noclobber(path) {
        Ok(_) => private_files::sync_dir(dir_of(path)).map_err(io)?,
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(io(error.error).into()),
    }
    Ok(true)
}

/// Puts a file in the place of the one that is there. At any moment a reader, or a crash, finds the one or the other, whole.
pub(super) fn replace(path: &Path, ring: &KeyRing) -> Result<()> {
    let io = |source| FileError::Io { doing: "replace", path: path.to_owned(), source };
    let draft = draft(path, &ring.to_text()).map_err(io)?;
    draft.persist(path).map_err(|error| io(error.error))?;
    Ok(private_files::sync_dir(dir_of(path)).map_err(io)?)
}

/// Takes a file away that nothing was sealed with.
pub(super) fn remove(path: &Path) -> Result<()> {
    let io = |source| FileError::Io { doing: "remove", path: path.to_owned(), source };
    std::fs::remove_file(path).map_err(io)?;
    Ok(private_files::sync_dir(dir_of(path)).map_err(io)?)
}

/// The lock under which a key file is replaced. Two processes that each add a key would else write over each other's.
///
/// # Errors
/// When somebody else holds it: nothing waits here.
pub(super) fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private_files::lock_file(Path::new(&name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(VaultError::KeysBusy { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(FileError::Io { doing: "lock", path: PathBuf::from(name), source }.into())
        }
    }
}

fn draft(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut draft = NamedTempFile::new_in(dir_of(path))?;
    private_files::restrict(draft.as_file())?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

fn dir_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A thousand keys are more than any rotation makes.
const LONGEST: u64 = 64 * 1024;
