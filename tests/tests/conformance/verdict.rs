//! How a check ends.

use std::fmt::Display;

use crate::subject::Subject;

/// A check and its name, which completes the sentence "a connector …".
pub(crate) type Check = (&'static str, fn(&Subject) -> Verdict);

/// Passed, or why not.
pub(crate) type Verdict = Result<(), Stop>;

/// Why a check did not pass.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It does not apply to this connector, because…
    Skipped(&'static str),
    /// It failed.
    Failed(String),
}

impl<M: Display> From<M> for Stop {
    fn from(message: M) -> Self {
        Self::Failed(message.to_string())
    }
}

/// Runs a check that waits.
pub(crate) fn wait(check: impl Future<Output = Verdict>) -> Verdict {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(check)
}

/// What a connector has, or the reason why the check does not apply.
pub(crate) fn offered<T>(part: Option<T>, reason: &'static str) -> Result<T, Stop> {
    part.ok_or(Stop::Skipped(reason))
}
