//! What became of a flow, as it is kept with its link.

use connector_core::ErrorKind;

use crate::error::{Error, Result};
use crate::flow::{Asking, Completed};
use crate::store::ConnectLinkOutcome;

/// The word of a request that the platform refused because of a scope.
pub(crate) const SCOPE_REFUSED: &str = "scope_refused";

/// The word of what is not told to anybody but the operator.
pub(crate) const INTERNAL: &str = "internal";

/// The word of an account that is another one than was to be renewed, or that was given up meanwhile.
pub(crate) const NOT_LINKED: &str = "not_linked";

impl ConnectLinkOutcome {
    /// What became of a flow that came back.
    pub(super) fn of(completed: &Result<Completed>) -> Self {
        match completed {
            Ok(Completed { finished: Ok(finished), .. }) if finished.linked.is_empty() => failed(NOT_LINKED),
            Ok(Completed { finished: Ok(finished), .. }) => Self::Connected {
                connections: finished.linked.iter().map(|linked| linked.connection.id.clone()).collect(),
            },
            Ok(Completed { finished: Err(error), .. }) if is_of_the_account(error) => failed(word(error)),
            Ok(Completed { finished: Err(_), .. }) => Self::Waiting,
            Err(Error::ScopeRefused(refused)) => {
                let instead = match refused.instead.as_ref().map(|request| &request.asking) {
                    Some(Asking::Less(scopes)) => scopes.clone(),
                    _ => Vec::new(),
                };
                Self::Failed { error: SCOPE_REFUSED.to_owned(), instead }
            }
            Err(error) => failed(word(error)),
        }
    }
}

fn failed(word: &str) -> ConnectLinkOutcome {
    ConnectLinkOutcome::Failed { error: word.to_owned(), instead: Vec::new() }
}

/// What no later try changes.
fn is_of_the_account(error: &Error) -> bool {
    matches!(error, Error::NotLinked(_))
}

/// What went wrong, as one stable word.
pub(crate) fn word(error: &Error) -> &str {
    match error {
        Error::NotLinked(_) => NOT_LINKED,
        _ => error.kind().map_or(INTERNAL, ErrorKind::as_str),
    }
}
