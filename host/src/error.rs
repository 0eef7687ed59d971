//! What can go wrong in the host, each with a sentence for a person.

use std::error::Error as StdError;
use std::sync::Arc;

use connector_core::ErrorKind;
use connector_core::config::{Problem, Problems};

use crate::flow::ScopeRefused;
use crate::private_files::FileError;
use crate::spool::SpoolError;
use crate::store::StoreError;
use crate::vault::VaultError;

/// What every fallible call of the host returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A connector, its platform or the configuration says so.
    #[error(transparent)]
    Connector(#[from] connector_core::Error),
    /// The configuration is wrong: a line for each thing.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The store says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or directory that must be private is not, or cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The spool says so.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The platform refused to ask a person because of a scope, and may take a request for less.
    #[error("{0}")]
    ScopeRefused(Box<ScopeRefused>),
    /// Access was allowed and the account is not linked by it: it is another one than was to be renewed, or was given up meanwhile.
    #[error("{0}")]
    NotLinked(String),
    /// A tenant has as many connect links that have not ended as it may have.
    #[error(
        "the tenant has {0} connect links that have not ended, and may have no more: take back those that nobody needs, or wait until some end"
    )]
    TooManyLinks(u32),
    /// What was asked for does not exist or is not clear.
    #[error("{0}")]
    Request(String),
    /// This machine does not play along: a file, a port, a terminal.
    #[error("{0}")]
    Machine(String),
    /// A host that runs would be within reach of others with nothing to protect what it says.
    #[error("{0}")]
    Exposed(String),
    /// A refresh that several callers waited for failed once, for all of them.
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Config(Problems(vec![problem]))
    }
}

/// What does not open means the same wherever it is opened.
impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        Self::Connector(error.into())
    }
}

impl Error {
    /// What the caller should do, where that is known.
    pub fn kind(&self) -> Option<&ErrorKind> {
        match self {
            Self::Store(StoreError::NotOurs { .. } | StoreError::Network { .. } | StoreError::Unfit { .. }) => {
                Some(&ErrorKind::Config)
            }
            Self::Shared(error) => error.kind(),
            _ => self.connector().map(connector_core::Error::kind),
        }
    }

    /// Whether the store is another instance's.
    pub(crate) fn is_not_ours(&self) -> bool {
        match self {
            Self::Store(StoreError::NotOurs { .. }) => true,
            Self::Shared(error) => error.is_not_ours(),
            _ => false,
        }
    }

    /// Whether it is the vault's keys that are wrong, whoever came upon it.
    pub(crate) fn is_about_keys(&self) -> bool {
        let source = self.connector().and_then(StdError::source).and_then(<dyn StdError>::downcast_ref::<VaultError>);
        source.is_some_and(|error| !matches!(error, VaultError::NoRandomness(_) | VaultError::TooLong))
    }

    /// The connector's error behind this one.
    pub fn connector(&self) -> Option<&connector_core::Error> {
        match self {
            Self::Connector(error) => Some(error),
            Self::ScopeRefused(refused) => Some(&refused.error),
            Self::Shared(error) => error.connector(),
            _ => None,
        }
    }
}
