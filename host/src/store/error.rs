//! What can go wrong with a store, in sentences for whoever runs the host.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use connector_core::{Error, ErrorKind};

use super::{InstanceName, Place};
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
        "`{place}` was made by a newer version of connector-host (its schema is at step {found}, this version knows {known}): update connector-host; nothing was changed"
    )]
    Newer {
        /// Where it is.
        place: Place,
        /// The last step of its schema.
        found: i64,
        /// The last step this version knows.
        known: i64,
    },
    /// It belongs to another instance, so it is only looked at.
    #[error(
        "this store belongs to the instance `{owner}`, and this start has {}, so it only shows what is stored: nothing is sent and nothing changed. Start it where it belongs, with `--instance {owner}`, or, when the original is gone for good, run `connector-host store adopt --instance {}`",
        named(ours.as_ref()),
        ours.as_ref().map_or("NAME", InstanceName::as_str)
    )]
    NotOurs {
        /// Whose it is.
        owner: InstanceName,
        /// The name of this process, if it has one.
        ours: Option<InstanceName>,
    },
    /// The place is on another machine.
    #[error(
        "`{place}` is on a network file system ({system}), where several machines would write one SQLite file without seeing each other's locks and memory: choose a data directory on a disk of this machine; nothing was changed"
    )]
    Network {
        /// Where.
        place: Place,
        /// The file system.
        system: String,
    },
    /// What was given to be put in place is not fit for it.
    #[error("`{}` {why}; nothing was changed", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The place is read-only.
    #[error("`{place}` cannot be written: {why}")]
    NotWritable {
        /// Where.
        place: Place,
        /// What the system said.
        why: String,
    },
    /// The place is open to others, or not what it should be.
    #[error(transparent)]
    Exposed(FileError),
    /// What is there is no store of this program.
    #[error("`{place}` {why}: choose {another}; nothing was changed", another = .place.another())]
    Foreign {
        /// Where.
        place: Place,
        /// What it is instead.
        why: &'static str,
    },
    /// What should name a database does not.
    #[error("the URL of the database {0}; write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url(String),
    /// The server cannot be reached, refuses us, or went away. Nothing was changed.
    #[error("`{place}` cannot be reached: {why}")]
    Unreachable {
        /// Where it should be.
        place: Place,
        /// What the system or the server said.
        why: String,
    },
    /// The connection ended while a change was being made to last. Nobody knows whether it does: read again before anything else.
    #[error("whether `{place}` kept the last change is not known, for the connection ended before it said so ({why})")]
    Lost {
        /// Where.
        place: Place,
        /// What the system or the server said.
        why: String,
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
    /// Whether no patience mends it: a later try would say the same.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::NotFound { .. })
    }

    /// Something stored that makes no sense.
    pub fn corrupt(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }

    /// A failure of the database underneath. The source must not show what is stored.
    pub fn database(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Database(source.into())
    }
}

fn named(ours: Option<&InstanceName>) -> String {
    ours.map_or_else(|| "no name".to_owned(), |name| format!("the name `{name}`"))
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { path, source, .. } if FileError::is_denial(&source) => {
                Self::NotWritable { place: Place::File(path), why: source.to_string() }
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
            StoreError::Busy
            | StoreError::Conflict(_)
            | StoreError::Database(_)
            | StoreError::Lost { .. }
            | StoreError::Unreachable { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::Config,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
