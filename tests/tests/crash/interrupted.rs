//! Programs that are told to end, and callers that go away, in the middle of a refresh.

use std::time::{Duration, Instant};

use crate::arena::{Arena, Victim};
use crate::line::Deed;
use crate::process::Process;
use crate::size;
use crate::tally::{Tally, Truth, report};

#[test]
fn interrupted_commands_store_every_refresh_that_the_platform_made() {
    let arena = Arena::new();
    let victim = arena.connect();
    let interrupts = size("INTERRUPTS", 10);
    for number in 0..interrupts {
        let before = arena.generation(&victim);
        let held_back = if number % 2 == 0 { Deed::HoldAnswer } else { Deed::HoldRequest };
        arena.line.order(held_back, 1);
        let mut command = Process::start(arena.cli("metrics --json --max-age 0", &victim));
        let held = arena.line.held();
        command.signal("INT");
        command.line("stopping");
        held.go_on();
        command.end().with(130);
        assert_eq!(arena.generation(&victim), before + 1);
    }
    let tally = Tally::of(&arena, [&victim]);
    let counted = report("interrupted commands", &arena, &tally, &format!("interrupts {interrupts}"));
    tally.assert(1, 0);
    assert_eq!(counted, (0, 1));
}

#[test]
fn hosts_that_are_told_to_end_leave_no_refresh_in_doubt() {
    const GRANTS: usize = 8;
    let arena = Arena::new();
    let victims = arena.connect_many(GRANTS);
    arena.take_time(20);
    let (begun, rounds) = (Truth::of(&arena).rotations, size("TERMINATIONS", 20));
    for round in 0..rounds {
        arena.stage.let_tokens_be_due();
        let before = Truth::of(&arena).rotations;
        let host = Process::start(arena.cli("serve --listen 127.0.0.1:0 --every 1s --max-in-flight 3", &victims[0]));
        // Some of what is due has been asked for, each round another part of it.
        busy_beyond(&arena, before + round as u64 % GRANTS as u64);
        host.signal("TERM");
        host.end().with(0);
        Tally::of(&arena, &victims).assert(GRANTS, 0);
    }
    let rotated = Truth::of(&arena).rotations - begun;
    assert!(rotated >= rounds as u64, "{rotated} rotations in {rounds} rounds");
    let tally = Tally::of(&arena, &victims);
    let (alarms, _) = report("hosts told to end", &arena, &tally, &format!("terminations {rounds}"));
    assert_eq!(alarms, 0);
}

/// Waits until the platform has refreshed more than so many, or is about to.
fn busy_beyond(arena: &Arena, rotations: u64) {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let now = Truth::of(arena);
        if now.rotations + now.in_flight > rotations {
            return;
        }
        assert!(Instant::now() < until, "nothing is refreshed");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn callers_that_are_gone_leave_refreshes_that_are_stored() {
    const GRANTS: usize = 10;
    let arena = Arena::new();
    let victims = arena.connect_many(GRANTS);
    arena.take_time(20);
    let (begun, aborts) = (Truth::of(&arena).rotations, size("ABORTS", 100) as u64);
    let mut process = arena.refresher(&arena.place);
    // Those who are gone before they have asked do not count, and in the course of time all stay long enough to ask.
    for round in 0.. {
        if Truth::of(&arena).rotations - begun >= aborts {
            break;
        }
        for victim in &victims {
            process.order(format_args!("leave {victim} {}", round % 20 + round / 20));
        }
        process.lines_of(&victims, "left");
        all_is_quiet(&arena, &victims);
    }
    process.end().with(0);
    let tally = Tally::of(&arena, &victims);
    let counted = report("callers that are gone", &arena, &tally, &format!("aborts {aborts}"));
    tally.assert(GRANTS, 0);
    assert_eq!(counted, (0, 1));
}

/// Waits until the platform has answered, and all that it answered is stored.
fn all_is_quiet(arena: &Arena, victims: &[Victim]) {
    let until = Instant::now() + Duration::from_mins(1);
    while Truth::of(arena).in_flight > 0 || Tally::of(arena, victims).alive < victims.len() {
        assert!(Instant::now() < until, "{}", Tally::of(arena, victims));
        std::thread::sleep(Duration::from_millis(2));
    }
}
