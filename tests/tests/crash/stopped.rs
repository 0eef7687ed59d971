//! Processes that stand still in the middle of a refresh while others go on, and then move again.

use std::path::Path;
use std::time::Duration;

use connector_host::store::GrantState;

use crate::arena::{Arena, Victim};
use crate::line::Deed;
use crate::process::Process;
use crate::tally::{Tally, report};
use crate::{has_kill_points, size, skipped};

const METRICS: &str = "metrics --json --max-age 0";

/// So long after its mark a process sends nothing any more.
const TOO_LONG: Duration = Duration::from_secs(31);

#[test]
fn stopped_processes_bring_late_successes_that_win_and_late_failures_that_change_nothing() {
    if !shows_processes() {
        return;
    }
    let arena = Arena::new();
    let stops = size("STOPS", 6);
    let (early, late) = (arena.connect_many(stops / 2), arena.connect_many(stops / 2));
    for victim in &early {
        answered_while_it_stands_still(&arena, victim);
    }
    for victim in &late {
        asked_when_others_are_done(&arena, victim);
    }
    let all = [&early[..], &late].concat();
    let tally = Tally::of(&arena, &all);
    let (alarms, _) = report("stopped processes", &arena, &tally, &format!("stops {}", all.len()));
    tally.assert(all.len(), 0);
    // One probe of a token that was spent, or one request that was on its way for longer than any may be.
    assert_eq!(alarms, all.len() as u64);
}

/// Whether the system shows that a process stands still.
fn shows_processes() -> bool {
    let shows = Path::new("/proc/self/stat").exists();
    if !shows {
        skipped("proc", "this system has no /proc");
    }
    shows
}

/// The platform answers a process that stands still. Another one finds the token spent and concludes that the answer is lost; then the
/// answer is stored after all.
fn answered_while_it_stands_still(arena: &Arena, victim: &Victim) {
    let before = arena.generation(victim);
    arena.line.order(Deed::HoldAnswer, 1);
    let process = Process::start(arena.cli(METRICS, victim));
    let held = arena.line.held();
    process.signal("STOP");
    process.stopped();
    held.go_on();
    arena.quarantine_is_over([victim]);
    Process::start(arena.cli(METRICS, victim)).end();
    let state = arena.row(victim).state;
    assert!(matches!(&state, GrantState::ReauthRequired { reason } if reason == "refresh_result_lost"), "{state:?}");
    process.signal("CONT");
    process.end();
    assert_eq!((arena.row(victim).state, arena.generation(victim)), (GrantState::Active, before + 1));
}

/// The request of a process that stands still arrives when another one has refreshed. What it is told then is true of a token that nobody
/// has any more.
fn asked_when_others_are_done(arena: &Arena, victim: &Victim) {
    let before = arena.generation(victim);
    arena.line.order(Deed::HoldRequest, 1);
    let process = Process::start(arena.cli(METRICS, victim));
    let held = arena.line.held();
    process.signal("STOP");
    process.stopped();
    arena.quarantine_is_over([victim]);
    Process::start(arena.cli(METRICS, victim)).end().with(0);
    let newer = arena.row(victim).refresh;
    process.signal("CONT");
    held.go_on();
    process.end();
    let row = arena.row(victim);
    assert_eq!((row.state, row.generation, row.refresh), (GrantState::Active, before + 1, newer));
}

#[test]
fn frozen_after_its_mark_a_process_sends_nothing_when_it_wakes_too_late() {
    if !has_kill_points() || !shows_processes() {
        return;
    }
    let arena = Arena::new();
    let victims = arena.connect_many(size("FROZEN", 3));
    let frozen: Vec<_> = victims.iter().map(|victim| freeze(&arena, victim)).collect();
    std::thread::sleep(TOO_LONG);
    for process in frozen {
        process.signal("CONT");
        // It may run out of patience, or go on and refresh what has expired meanwhile.
        process.end();
    }
    let tally = Tally::of(&arena, &victims);
    let counted = report("frozen processes", &arena, &tally, &format!("stops {}", victims.len()));
    tally.assert(victims.len(), 0);
    assert_eq!(counted, (0, 1));
}

/// A process stops with its mark on record, and another one refreshes in its place.
fn freeze(arena: &Arena, victim: &Victim) -> Process {
    let mut command = arena.cli(METRICS, victim);
    command.env("CONNECTOR_STOP_AT", "after_mark");
    let process = Process::start(command);
    process.stopped();
    arena.quarantine_is_over([victim]);
    Process::start(arena.cli(METRICS, victim)).end().with(0);
    process
}
