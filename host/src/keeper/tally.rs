//! What came of the grants that were due.

use std::collections::BTreeMap;

use connector_core::ErrorKind;

use crate::error::Error;
use crate::store::GrantRecord;

/// What came of a grant that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kept {
    /// It has new tokens, and this process asked for them.
    Refreshed,
    /// It has new tokens, or is no longer there to be refreshed, and somebody else saw to it.
    Elsewhere,
    /// The request was sent and not answered: the token may be spent. A later pass settles it.
    InDoubt,
    /// Nothing was done, because the token or the app has to rest: a later pass sees to it.
    Resting,
    /// The platform was not reached.
    OutOfReach,
    /// Its person has to connect again.
    NeedsPerson,
    /// The platform refuses the app, or the app is not configured as it was when the grant was made.
    AppRefused,
    /// The store has become another installation's: nothing of it is refreshed here.
    NotOurs,
    /// The vault's keys are not at hand, or are not those of the store.
    KeyTrouble,
    /// Something else went wrong.
    Failed,
    /// Nothing is gained by a refresh: its refresh token stays the same, or there is none.
    NothingToGain,
}

impl Kept {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::Refreshed,
        Self::Elsewhere,
        Self::InDoubt,
        Self::Resting,
        Self::OutOfReach,
        Self::NeedsPerson,
        Self::AppRefused,
        Self::NotOurs,
        Self::KeyTrouble,
        Self::Failed,
        Self::NothingToGain,
    ];

    /// The outcome as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Elsewhere => "elsewhere",
            Self::InDoubt => "in_doubt",
            Self::Resting => "resting",
            Self::OutOfReach => "out_of_reach",
            Self::NeedsPerson => "needs_person",
            Self::AppRefused => "app_refused",
            Self::NotOurs => "not_ours",
            Self::KeyTrouble => "key_trouble",
            Self::Failed => "failed",
            Self::NothingToGain => "nothing_to_gain",
        }
    }

    /// Whether the grant is still due afterwards.
    pub fn is_left(self) -> bool {
        !matches!(self, Self::Refreshed | Self::Elsewhere | Self::NeedsPerson | Self::NothingToGain)
    }

    /// What an error means, with the row from before the refresh and from after it: a platform that does not answer says nothing else.
    pub(super) fn of(error: &Error, before: &GrantRecord, after: Option<&GrantRecord>) -> Self {
        match error.kind() {
            Some(ErrorKind::ReauthRequired { .. }) => Self::NeedsPerson,
            _ if error.is_not_ours() => Self::NotOurs,
            _ if error.is_about_keys() => Self::KeyTrouble,
            Some(ErrorKind::Config | ErrorKind::Unsupported) => Self::AppRefused,
            Some(ErrorKind::RateLimited { .. } | ErrorKind::QuotaExhausted) => Self::Resting,
            Some(ErrorKind::Unavailable) => Self::unanswered(before, after),
            _ => Self::Failed,
        }
    }

    fn unanswered(before: &GrantRecord, after: Option<&GrantRecord>) -> Self {
        match after.and_then(|after| after.refresh_mark.as_ref()) {
            None => Self::OutOfReach,
            Some(mark) if mark.attempt.is_some() => Self::Elsewhere,
            // A rest that begins anew because the clock was set back is no request that went unanswered.
            Some(mark) if before.refresh_mark.as_ref().is_some_and(|before| before.unanswered == mark.unanswered) => {
                Self::Resting
            }
            Some(_) => Self::InDoubt,
        }
    }
}

/// What came of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<Kept, u64>,
    /// How many revocations were tried.
    pub revocations: u64,
    /// How many of them are still pending: a later pass tries them again.
    pub revocations_left: u64,
    /// Whether the pass was told to stop before it was through.
    pub stopped: bool,
}

impl Tally {
    /// How many grants ended so.
    pub fn count(&self, kept: Kept) -> u64 {
        self.counts.get(&kept).copied().unwrap_or_default()
    }

    /// How many grants had their turn.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether any grant ended so.
    pub fn any(&self, kept: Kept) -> bool {
        self.count(kept) > 0
    }

    pub(super) fn add(&mut self, kept: Kept) {
        *self.counts.entry(kept).or_default() += 1;
    }
}
