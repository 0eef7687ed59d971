//! What passes have told, kept for whoever asks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::PlatformId;
use jiff::Timestamp;

use crate::keeper::{Event, Kept};
use crate::store::GrantId;

/// What is known of the passes of this process.
pub(crate) struct Board {
    /// Since when the process works.
    pub(super) started: Timestamp,
    known: Mutex<Known>,
}

/// Refreshes by platform, app and outcome.
pub(super) type Outcomes = BTreeMap<(PlatformId, String, Kept), u64>;

struct Known {
    outcomes: Outcomes,
    /// The grants that are due and not refreshed yet, with since when.
    overdue: HashMap<GrantId, Timestamp>,
    /// Those the pass under way has met.
    met: HashSet<GrantId>,
    passes: u64,
    failed_passes: u64,
    last_pass: Option<Timestamp>,
    beat: Timestamp,
    stopping: bool,
}

impl Board {
    pub(crate) fn new(started: Timestamp) -> Self {
        let known = Known {
            outcomes: Outcomes::new(),
            overdue: HashMap::new(),
            met: HashSet::new(),
            passes: 0,
            failed_passes: 0,
            last_pass: None,
            beat: started,
            stopping: false,
        };
        Self { started, known: Mutex::new(known) }
    }

    /// Takes down what happens in a pass.
    pub(crate) fn hear(&self, event: &Event<'_>, now: Timestamp) {
        let mut known = self.known();
        known.beat = now;
        match event {
            Event::Began => known.met.clear(),
            Event::Found(_) => {}
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
                known.last_pass = Some(*at);
                if !tally.stopped {
                    known.forget_the_others();
                }
            }
            Event::Ended(_, Err(_)) => known.failed_passes += 1,
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

    /// When something happened last.
    pub(super) fn beat(&self) -> Timestamp {
        self.known().beat
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
    use jiff::SignedDuration;

    use super::*;
    use crate::keeper::Tally;
    use crate::store::DueRefresh;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn due(number: u8, since: i64) -> DueRefresh {
        let grant = format!("018f0000-0000-7000-8000-0000000000{number:02}").parse().unwrap();
        DueRefresh { tenant: "default".to_owned(), grant, since: at(since) }
    }

    fn pass(board: &Board, turns: &[(DueRefresh, Kept)]) {
        board.hear(&Event::Began, at(0));
        for (due, kept) in turns {
            board.hear(&Event::Due { due }, at(0));
            board.hear(&Event::Done { due, grant: None, kept: *kept, error: None }, at(0));
        }
        board.hear(&Event::Ended(at(9), Ok(&Tally::default())), at(9));
    }

    #[test]
    fn the_longest_due_grant_is_known_until_it_is_seen_to() {
        let board = Board::new(at(0));
        board.hear(&Event::Due { due: &due(1, 5) }, at(7));
        assert_eq!((board.longest_due(), board.beat()), (Some(at(5)), at(7)), "also while it waits for its turn");
        pass(&board, &[(due(1, 5), Kept::InDoubt), (due(2, 6), Kept::Resting), (due(3, 1), Kept::Refreshed)]);
        assert_eq!(board.longest_due(), Some(at(5)));
        pass(&board, &[(due(1, 5), Kept::NeedsPerson), (due(2, 6), Kept::Resting)]);
        assert_eq!(board.longest_due(), Some(at(6)));
        pass(&board, &[]);
        assert_eq!(board.longest_due(), None, "another process has refreshed it");
        assert_eq!((board.passes(), board.last_pass()), ((3, 0), Some(at(9))));
    }
}
