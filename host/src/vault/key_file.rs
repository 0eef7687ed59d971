//! The file the keys are in: one line a key, `<key id> <key in base64>`, the active one first.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use connector_core::Context;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::key::KeyRing;
use super::{Result, VaultError};
use crate::private_files::{self, FileError};

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
    /// Its name in the data directory.
    pub const NAME: &'static str = "vault.key";

    /// Reads the key file of a data directory, or makes it.
    ///
    /// # Errors
    /// When it is missing and must not be made, when anybody else may read it, when it is a link or belongs to somebody else, and when
    /// it is malformed. The error names the file and what to do, never what is in it.
    pub fn load_or_create(cx: &Context, dir: &Path, if_missing: IfMissing) -> Result<Self> {
        private_files::ensure_dir(dir)?;
        let path = dir.join(Self::NAME);
        if let Some(file) = private_files::open(&path, private_files::Access::Read)? {
            return Ok(Self { ring: read(&path, file)?, path, made: false });
        }
        if if_missing == IfMissing::Refuse {
            return Err(VaultError::KeyFileMissing { path });
        }
        Self::create(cx, dir, path)
    }

    /// The file appears complete or not at all, so a second process that starts at the same time reads the key of the first.
    fn create(cx: &Context, dir: &Path, path: PathBuf) -> Result<Self> {
        let ring = KeyRing::generate(cx)?;
        let io = |source| FileError::Io { doing: "make", path: path.clone(), source };
        let mut draft = NamedTempFile::new_in(dir).map_err(io)?;
        private_files::restrict(draft.as_file()).map_err(io)?;
        draft.write_all(ring.to_text().as_bytes()).map_err(io)?;
        draft.as_file().sync_all().map_err(io)?;
        match draft.persist_noclobber(&path) {
            Ok(_) => private_files::sync_dir(dir).map_err(io)?,
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Self::load_or_create(cx, dir, IfMissing::Refuse);
            }
            Err(error) => return Err(io(error.error).into()),
        }
        Ok(Self { path, ring, made: true })
    }
}

fn read(path: &Path, mut file: File) -> Result<KeyRing> {
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
    KeyRing::parse(text).map_err(|error| malformed(error.line, error.why))
}

/// A thousand keys are more than any rotation makes.
const LONGEST: u64 = 64 * 1024;
