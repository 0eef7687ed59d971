//! What an attempt to deliver means, and when the next one is.

use connector_core::http::{RawAnswer, Sent};
use connector_core::{Error as CoreError, ErrorKind};
use jiff::{SignedDuration, Timestamp};

use crate::store::{Attempted, LastError};

/// For how long an event is tried.
pub(super) const TRIED_FOR: SignedDuration = SignedDuration::from_hours(72);
/// How long after the first attempt the second is; each further one doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// The longest time between two attempts, but for what a receiver asks for.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// What came of an attempt.
pub(super) enum Verdict {
    /// It was received.
    Received,
    /// The receiver wants nothing more.
    Gone,
    /// It was not received. The receiver may ask for time.
    Failed { why: String, asked: SignedDuration },
}

impl Verdict {
    pub(super) fn of(sent: Sent) -> Self {
        match sent {
            // The status says that it was taken, however much of the rest came.
            Sent::CutOff(answer, _) if answer.is_success() => Self::Received,
            Sent::Answered(answer) => Self::of_answer(&answer),
            Sent::CutOff(_, error) | Sent::Failed(error) => {
                Self::Failed { why: error.message, asked: SignedDuration::ZERO }
            }
        }
    }

    fn of_answer(answer: &RawAnswer) -> Self {
        match answer.status {
            200..=299 => Self::Received,
            410 => Self::Gone,
            status @ (429 | 503) => {
                let asked = answer.retry_at().map(|at| at.duration_since(answer.sent_at)).unwrap_or_default();
                Self::Failed { why: said(status), asked }
            }
            status => Self::Failed { why: said(status), asked: SignedDuration::ZERO },
        }
    }
}

fn said(status: u16) -> String {
    format!("the receiver answered HTTP {status}")
}

/// What becomes of a delivery that failed for the `attempts`th time, of an event that has been tried since then, both by one clock. `chance` is
/// from 0 to 1.
pub(super) fn after_failure(
    why: &str,
    asked: SignedDuration,
    (since, attempts): (Timestamp, u32),
    now: Timestamp,
    chance: f64,
) -> Attempted {
    let error = LastError::new(&CoreError::new(ErrorKind::Unavailable, why), now);
    let left = TRIED_FOR.saturating_sub(now.duration_since(since));
    if !left.is_positive() {
        return Attempted::Dead(error);
    }
    // The last attempt is made when the time is over.
    Attempted::Again(backoff(attempts, chance).max(asked).min(left), error)
}

/// A quarter more or less by chance, so that what failed together is not tried together.
fn backoff(attempts: u32, chance: f64) -> SignedDuration {
    let doubled = 2_i32.checked_pow(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let wait = FIRST_WAIT.checked_mul(doubled).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    wait.mul_f64(0.75 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn wait(attempts: u32, age: i64, asked: Option<i64>) -> Option<i64> {
        match after_failure("no", SignedDuration::from_secs(asked.unwrap_or_default()), (at(0), attempts), at(age), 0.5)
        {
            Attempted::Again(rest, _) => Some(rest.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn the_wait_doubles_up_to_an_hour_and_ends_after_three_days() {
        let hours = 3_600;
        assert_eq!([1, 2, 3, 4].map(|attempts| wait(attempts, 0, None)), [5, 10, 20, 40].map(Some));
        assert_eq!([11, 40, u32::MAX].map(|attempts| wait(attempts, 0, None)), [Some(hours); 3]);
        assert_eq!(wait(99, 72 * hours - 10, None), Some(10), "once more at the end");
        assert_eq!(wait(99, 72 * hours, None), None);
        assert_eq!(wait(1, 72 * hours, None), None);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_and_not_for_less() {
        assert_eq!(wait(1, 0, Some(7_200)), Some(7_200));
        assert_eq!(wait(1, 0, Some(1)), Some(5));
        assert_eq!(wait(1, 0, Some(-9)), Some(5));
    }
}
