use std::process::ExitCode;

use connector_core::ErrorKind;

use crate::error::Error;
use crate::store::StoreError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done,
    /// Something failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// A plan says that something would change.
    Changes,
    /// A person has to act.
    Person,
    /// The platform is out of reach.
    Later,
    /// Others would reach the host with no protection.
    Exposed,
    /// Stopped by ctrl-C.
    Interrupted,
}

impl Exit {
    /// Of two ways to end, the one that asks more of whoever reads it.
    pub(super) fn or_worse(self, other: Self) -> Self {
        let weight = |exit| {
            [Self::Done, Self::Later, Self::Failed, Self::Usage, Self::Person].iter().position(|rank| *rank == exit)
        };
        if weight(other) > weight(self) { other } else { self }
    }

    /// How a command that failed with this error ends.
    pub(super) fn of(error: &Error) -> Self {
        match (error.kind(), error) {
            (Some(ErrorKind::Config | ErrorKind::Unsupported), _)
            | (None, Error::Request(_) | Error::NotLinked(_) | Error::Config(_) | Error::Store(StoreError::Url(_))) => {
                Self::Usage
            }
            (
                Some(
                    ErrorKind::Declined
                    | ErrorKind::ReauthRequired { .. }
                    | ErrorKind::MissingScopes { .. }
                    | ErrorKind::AccountRestricted,
                ),
                _,
            ) => Self::Person,
            (_, Error::Exposed(_)) => Self::Exposed,
            (Some(ErrorKind::Unavailable | ErrorKind::RateLimited { .. } | ErrorKind::QuotaExhausted), _) => {
                Self::Later
            }
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage | Exit::Changes => 2,
            Exit::Person => 3,
            Exit::Later => 4,
            // What `sysexits.h` calls EX_CONFIG.
            Exit::Exposed => 78,
            Exit::Interrupted => 130,
        })
    }
}
