//! What a refresh does to its token decides when the token may be sent again.

use connector_core::oauth::RefreshClass;
use jiff::{SignedDuration, Timestamp};

#[cfg(feature = "web")]
use crate::store::RefreshMark;
use crate::store::RefreshTerms;

/// How long a refresh token that may be spent is left alone, where a second use of it would be the end of the grant. It is longer than a
/// token request may take, so that the request before is over whatever became of its process.
pub(crate) const QUARANTINE: SignedDuration = SignedDuration::from_mins(2);
/// How many requests with one token may end in doubt after the first one.
const PROBES: u32 = 2;
/// How long others wait for a process that may have died at its request, where a second use does no harm.
const COURTESY: SignedDuration = SignedDuration::from_secs(15);
/// A moment of grace is not used to its end: the platform counts it by a clock of its own.
const GRACE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// Nor beyond this, so that a request which was repeated at its end is over before the quarantine of the first one is.
const LONGEST_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// The terms of a class.
pub(super) fn terms(class: RefreshClass) -> RefreshTerms {
    match class {
        RefreshClass::RotatingStrict => strict(SignedDuration::ZERO),
        RefreshClass::RotatingGrace { grace } => strict(grace.saturating_sub(GRACE_MARGIN).min(LONGEST_GRACE)),
        RefreshClass::NonRotating | RefreshClass::Extension { .. } | RefreshClass::None => {
            RefreshTerms { quarantine: COURTESY, repeat_within: SignedDuration::MAX, most_unanswered: None }
        }
    }
}

/// Whether a request may spend its token, so that a lost answer is a lost token.
pub(super) fn is_spent_by_use(class: RefreshClass) -> bool {
    matches!(class, RefreshClass::RotatingStrict | RefreshClass::RotatingGrace { .. })
}

/// Until when a token that was sent is left alone, by the wall clock.
#[cfg(feature = "web")]
pub(crate) fn rests_until(class: RefreshClass, mark: &RefreshMark) -> Timestamp {
    mark.sent_at.saturating_add(terms(class).quarantine).unwrap_or(mark.sent_at)
}

/// Until when a token is too young to be refreshed, if it is.
pub(super) fn too_young_until(class: RefreshClass, issued_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let RefreshClass::Extension { min_age } = class else { return None };
    issued_at.saturating_add(min_age).ok().filter(|until| now < *until)
}

fn strict(repeat_within: SignedDuration) -> RefreshTerms {
    RefreshTerms { quarantine: QUARANTINE, repeat_within, most_unanswered: Some(PROBES) }
}
