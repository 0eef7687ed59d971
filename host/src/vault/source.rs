//! Where the keys of a vault come from.

use std::fmt;
use std::path::{Path, PathBuf};

use connector_core::{Context, Secret};
use zeroize::Zeroizing;

use super::key::{KeyRing, Malformed};
use super::key_file::{self, IfMissing, KeyFile};
use super::{Result, VaultError};
use crate::private_files::{self, Access, Stamp};

/// Where the keys of a vault come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of this user's own that nobody else may read. It is made if nothing has been sealed yet, read again while a host runs, and
    /// can be rotated.
    File(PathBuf),
    /// The file [`KeyFile::NAME`] in a data directory, which is made if it is missing. The rest is as for a file.
    DataDir(PathBuf),
    /// A file that a service manager hands to the service. It may belong to the super-user, and is read again while a host runs.
    Credential(PathBuf),
    /// The text of a key file, its lines separated by line breaks or `;`.
    Text {
        /// Where the text is from, such as an environment variable, for people.
        name: String,
        /// The text.
        text: Secret,
    },
}

/// Keys that have been read, and what their file looked like just before.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) ring: KeyRing,
    pub(super) stamp: Option<Stamp>,
    /// The file, if it was made just now.
    pub(super) made: Option<PathBuf>,
}

impl KeySource {
    /// The key file of a data directory.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self::DataDir(dir.into())
    }

    /// Reads the keys, or makes their file.
    pub(super) fn load(&self, cx: &Context, if_missing: IfMissing) -> Result<Loaded> {
        let stamp = self.stamp();
        let file = match self {
            Self::File(path) => KeyFile::at(cx, path.clone(), if_missing)?,
            Self::DataDir(dir) => KeyFile::load_or_create(cx, dir, if_missing)?,
            Self::Credential(_) | Self::Text { .. } => return Ok(Loaded { ring: self.read()?, stamp, made: None }),
        };
        let KeyFile { path, ring, made } = file;
        Ok(Loaded { ring, stamp: if made { self.stamp() } else { stamp }, made: made.then_some(path) })
    }

    /// The keys as they are now.
    pub(super) fn read(&self) -> Result<KeyRing> {
        let (path, access) = match self {
            Self::File(path) => (path.clone(), Access::Read),
            Self::DataDir(dir) => (dir.join(KeyFile::NAME), Access::Read),
            Self::Credential(path) => (path.clone(), Access::Handed),
            Self::Text { name, text } => return parse(name, text),
        };
        key_file::read(&path, access)?.ok_or(VaultError::KeyFileMissing { path })
    }

    /// What tells the file as it is now from what it was, at the price of one look. `None` for keys that are in no file, or when there is
    /// none.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::File(path) | Self::Credential(path) => private_files::stamp(path),
            Self::DataDir(dir) => private_files::stamp(&dir.join(KeyFile::NAME)),
            Self::Text { .. } => None,
        }
    }

    /// Whether the keys are in a file that a rotation can replace.
    pub fn is_writable(&self) -> bool {
        matches!(self, Self::File(_) | Self::DataDir(_))
    }

    /// The file that this program may replace.
    ///
    /// # Errors
    /// When the keys are in none, with what to do instead.
    pub(super) fn writable(&self) -> Result<PathBuf> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::DataDir(dir) => Ok(dir.join(KeyFile::NAME)),
            Self::Credential(_) | Self::Text { .. } => Err(VaultError::NotWritable { place: self.to_string() }),
        }
    }
}

/// How people know it.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |f: &mut fmt::Formatter<'_>, path: &Path| write!(f, "{}", path.display());
        match self {
            Self::File(file) => path(f, file),
            Self::DataDir(dir) => path(f, &dir.join(KeyFile::NAME)),
            Self::Credential(file) => write!(f, "the service's credential {}", file.display()),
            Self::Text { name, .. } => f.write_str(name),
        }
    }
}

fn parse(name: &str, text: &Secret) -> Result<KeyRing> {
    let mut lines = Zeroizing::new(String::with_capacity(text.expose().len() + 1));
    for line in text.expose().split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty()) {
        lines.push_str(line);
        lines.push('\n');
    }
    let malformed =
        |error: Malformed| VaultError::KeyTextMalformed { place: name.to_owned(), line: error.line, why: error.why };
    KeyRing::parse(&lines).map_err(malformed)
}
