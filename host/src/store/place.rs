//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a store is, as an error tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file or a directory.
    File(PathBuf),
    /// A database on a server: its URL without user, password and parameters.
    Server(String),
}

impl Place {
    /// What to choose when this place is another's.
    pub(super) fn another(&self) -> &'static str {
        match self {
            Self::File(_) => "another data directory",
            Self::Server(_) => "another database, an empty one",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => f.write_str(url),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}
