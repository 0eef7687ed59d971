//! What can go wrong with a store, in sentences for whoever runs the host.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use connector_core::{Error, ErrorKind};

use crate::private_files::FileError;

/// What every fallible call of a store returns.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What went wrong. No variant holds anything sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Somebody else was faster, or it is there already: read again, then decide.
    #[error("{0}")]
    Conflict(String),
    /// The store was made by a newer version.
    #[error(
        "`{path}` was made by a newer version of connector-host (its schema is at step {found}, this version knows {known}): update connector-host; nothing was changed",
        path = .path.display()
    )]
    Newer {
        /// Where it is.
        path: PathBuf,
        /// The last step of its schema.
        found: i64,
        /// The last step this version knows.
        known: i64,
    },
    /// The place is read-only.
    #[error("`{path}` cannot be written: {why}", path = .path.display())]
    NotWritable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The place is open to others, or not what it should be.
    #[error(transparent)]
    Exposed(FileError),
    /// What is there is no store of this program.
    #[error("`{path}` {why}: choose another data directory; nothing was changed", path = .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// What is stored makes no sense.
    #[error("the stored {what} is damaged: {why}")]
    Corrupt {
        /// Of what.
        what: &'static str,
        /// How.
        why: String,
    },
    /// Others kept the store busy for too long.
    #[error("the database is busy: other processes are writing to it; try again")]
    Busy,
    /// The system failed.
    #[error("cannot {doing} `{path}`: {source}", path = .path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] Box<dyn StdError + Send + Sync>),
}

impl StoreError {
    /// Something stored that makes no sense.
    pub fn corrupt(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }

    /// A failure of the database underneath. The source must not show what is stored.
    pub fn database(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Database(source.into())
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { path, source, .. } if FileError::is_denial(&source) => {
                Self::NotWritable { path, why: source.to_string() }
            }
            FileError::Io { doing, path, source } => Self::Io { doing, path, source },
            unsafe_place => Self::Exposed(unsafe_place),
        }
    }
}

impl From<StoreError> for Error {
    /// A busy or failing database may work again later; everything else wants somebody's hand.
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Busy | StoreError::Conflict(_) | StoreError::Database(_) => ErrorKind::Unavailable,
            _ => ErrorKind::Config,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
