//! What passes have told, kept for whoever asks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::{Context, PlatformId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::keeper::{Event, Kept};
use crate::moment::Moment;
use crate::store::GrantId;

/// What is known of the passes of this process.
pub(crate) struct Board {
    /// Since when the process works.
    pub(super) started: Timestamp,
    known: Mutex<Known>,
}

/// Refreshes by platform, app and outcome.
pub(super) type Outcomes = BTreeMap<(PlatformId, String, Kept), u64>;

/// A pass that could not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failed {
    at: Timestamp,
    error: String,
}

struct Known {
    outcomes: Outcomes,
    /// The grants that are due and not refreshed yet, with since when.
    overdue: HashMap<GrantId, Timestamp>,
    /// Those the pass under way has met.
    met: HashSet<GrantId>,
    passes: u64,
    failed_passes: u64,
    last_pass: Option<Timestamp>,
    /// What kept the last pass from going on, if something did.
    failed: Option<Failed>,
    /// When a piece of work was done last.
    beat: Moment,
    stopping: bool,
}

impl Board {
    pub(crate) fn new(cx: &Context) -> Self {
        let known = Known {
            outcomes: Outcomes::new(),
            overdue: HashMap::new(),
            met: HashSet::new(),
            passes: 0,
            failed_passes: 0,
            last_pass: None,
            failed: None,
            beat: Moment::now(cx),
            stopping: false,
        };
        Self { started: cx.now(), known: Mutex::new(known) }
    }

    /// Takes down what happens in a pass.
    pub(crate) fn hear(&self, event: &Event<'_>, cx: &Context) {
        let mut known = self.known();
        if is_progress(event) {
            known.beat = Moment::now(cx);
        }
        match event {
            Event::Began => known.met.clear(),
            Event::Found(_) | Event::Revoked { .. } => {}
            Event::Due { due } => {
                known.met.insert(due.grant.clone());
                known.overdue.insert(due.grant.clone(), due.since);
            }
            Event::Done { due, grant, kept, .. } => {
                if !kept.is_left() {
                    known.overdue.remove(&due.grant);
                }
                if let Some(grant) = grant {
                    *known.outcomes.entry((grant.platform.clone(), grant.app.clone(), *kept)).or_default() += 1;
                }
            }
            Event::Ended(at, Ok(tally)) => {
                known.passes += 1;
                (known.last_pass, known.failed) = (Some(*at), None);
                if !tally.stopped {
                    known.forget_the_others();
                }
            }
            Event::Ended(at, Err(error)) => {
                known.failed_passes += 1;
                known.failed = Some(Failed { at: *at, error: error.to_string() });
            }
        }
    }

    /// The host is about to end.
    pub(crate) fn stopping(&self) {
        self.known().stopping = true;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.known().stopping
    }

    pub(super) fn outcomes(&self) -> Outcomes {
        self.known().outcomes.clone()
    }

    /// Since when the grant is due that is due longest.
    pub(super) fn longest_due(&self) -> Option<Timestamp> {
        self.known().overdue.values().min().copied()
    }

    /// How many passes ended, and how many could not go on.
    pub(super) fn passes(&self) -> (u64, u64) {
        let known = self.known();
        (known.passes, known.failed_passes)
    }

    /// When the last pass ended that was through.
    pub(super) fn last_pass(&self) -> Option<Timestamp> {
        self.known().last_pass
    }

    /// What kept the last pass from going on, if something did.
    pub(super) fn failed_pass(&self) -> Option<Failed> {
        self.known().failed.clone()
    }

    /// How long ago a piece of work was done last. `None` if nobody knows, because the only clock there is was set back.
    pub(super) fn idle(&self, cx: &Context) -> Option<SignedDuration> {
        self.known().beat.elapsed(cx)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event shows that work is done. That a pass begins, or that it could not go on, does not.
fn is_progress(event: &Event<'_>) -> bool {
    match event {
        Event::Due { .. } | Event::Done { .. } | Event::Revoked { .. } | Event::Ended(_, Ok(_)) => true,
        Event::Began | Event::Found(_) | Event::Ended(_, Err(_)) => false,
    }
}

impl Known {
    /// What a whole pass did not meet is due no more: somebody else has seen to it.
    fn forget_the_others(&mut self) {
        let met = std::mem::take(&mut self.met);
        self.overdue.retain(|grant, _| met.contains(grant));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};

    use super::*;
    use crate::error::Error;
    use crate::keeper::Tally;
    use crate::store::DueRefresh;

    fn context() -> (Context, FakeClock) {
        let clock = FakeClock::at(at(0));
        let random = Arc::new(CountingRandom::default());
        (Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), random), clock)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn due(number: u8, since: i64) -> DueRefresh {
        let grant = format!("018f0000-0000-7000-8000-0000000000{number:02}").parse().unwrap();
        DueRefresh { tenant: "default".to_owned(), grant, since: at(since) }
    }

    fn pass(board: &Board, cx: &Context, turns: &[(DueRefresh, Kept)]) {
        board.hear(&Event::Began, cx);
        for (due, kept) in turns {
            board.hear(&Event::Due { due }, cx);
            board.hear(&Event::Done { due, grant: None, kept: *kept, error: None }, cx);
        }
        board.hear(&Event::Ended(at(9), Ok(&Tally::default())), cx);
    }

    #[test]
    fn the_longest_due_grant_is_known_until_it_is_seen_to() {
        let (cx, _) = context();
        let board = Board::new(&cx);
        board.hear(&Event::Due { due: &due(1, 5) }, &cx);
        assert_eq!(board.longest_due(), Some(at(5)), "also while it waits for its turn");
        pass(&board, &cx, &[(due(1, 5), Kept::InDoubt), (due(2, 6), Kept::Resting), (due(3, 1), Kept::Refreshed)]);
        assert_eq!(board.longest_due(), Some(at(5)));
        pass(&board, &cx, &[(due(1, 5), Kept::NeedsPerson), (due(2, 6), Kept::Resting)]);
        assert_eq!(board.longest_due(), Some(at(6)));
        pass(&board, &cx, &[]);
        assert_eq!(board.longest_due(), None, "another process has refreshed it");
        assert_eq!((board.passes(), board.last_pass()), ((3, 0), Some(at(9))));
    }

    #[test]
    fn only_work_that_is_done_counts_as_work() {
        let (cx, clock) = context();
        let board = Board::new(&cx);
        let idle = |event: &Event<'_>| {
            clock.advance(SignedDuration::from_secs(1));
            board.hear(event, &cx);
            board.idle(&cx).unwrap().as_secs()
        };
        let (due, tally, error) = (due(1, 5), Tally::default(), Error::Machine("the disk is gone".to_owned()));
        assert_eq!(idle(&Event::Began), 1);
        assert_eq!(idle(&Event::Found(7)), 2);
        assert_eq!(idle(&Event::Ended(at(3), Err(&error))), 3, "a pass that could not go on did nothing");
        assert_eq!(board.failed_pass(), Some(Failed { at: at(3), error: "the disk is gone".to_owned() }));
        for event in [
            Event::Due { due: &due },
            Event::Done { due: &due, grant: None, kept: Kept::Refreshed, error: None },
            Event::Revoked { left: true },
            Event::Ended(at(8), Ok(&tally)),
        ] {
            assert_eq!(idle(&event), 0, "{event:?}");
        }
        assert_eq!(board.failed_pass(), None, "the last pass was through");
        clock.jump(SignedDuration::from_hours(-26));
        clock.advance(SignedDuration::from_secs(7));
        assert_eq!(board.idle(&cx), Some(SignedDuration::from_secs(7)), "whatever the clock is set to");
    }
}
