//! Requests that never arrive, answers that never come back, and answers that come when nobody waits any more.

use crate::arena::{Arena, Victim};
use crate::line::{Deed, Held};
use crate::process::Process;
use crate::tally::{Tally, report};
use crate::{say, size};

/// Callers that wait at the same time, and how long, in milliseconds: long enough for all to have asked.
const TOGETHER: usize = 25;
const PATIENCE: u32 = 1500;

#[test]
fn requests_and_answers_that_are_lost_or_late_cost_what_the_platform_lost_and_nothing_else() {
    let arena = Arena::new();
    let losses = size("LOSSES", 12);
    let well = arena.connect();
    let mut process = arena.refresher(&arena.place);
    let unsent = ask_all(&arena, &mut process, &well, Deed::LoseRequest, losses);
    let unanswered = ask_all(&arena, &mut process, &well, Deed::LoseAnswer, losses);
    let late = leave_all(&arena, &mut process, losses);
    assert_eq!(Tally::of(&arena, &late).alive, losses, "what comes late is stored");

    let all: Vec<Victim> = [&unsent[..], &unanswered, &late].concat();
    arena.quarantine_is_over(&all);
    for victim in &all {
        ask(&mut process, victim);
    }
    process.end().with(0);
    for (name, victims) in [("lost requests", &unsent), ("lost answers", &unanswered), ("late answers", &late)] {
        say(&format!("  {name}: {}", Tally::of(&arena, victims)));
    }
    Tally::of(&arena, &unsent).assert(losses, 0);
    Tally::of(&arena, &unanswered).assert(0, losses);
    Tally::of(&arena, &late).assert(losses, 0);
    let counted = report("lost and late", &arena, &Tally::of(&arena, &all), &format!("each {losses}"));
    // A spent token is sent once more for each answer that was lost: nobody can know whether it is spent.
    assert_eq!(counted, (losses as u64, 1));
}

/// The same happens to the refresh of each of many grants, one after the other.
fn ask_all(arena: &Arena, process: &mut Process, well: &Victim, deed: Deed, number: usize) -> Vec<Victim> {
    let victims = arena.connect_many(number);
    for victim in &victims {
        arena.line.order(deed, 1);
        ask(process, victim);
        // Three failures in a row would be the platform's.
        ask(process, well);
    }
    assert_eq!(arena.line.left(), 0);
    victims
}

/// Its end, however it ends: a token in its last seconds is handed out even when no new one came.
fn ask(process: &mut Process, victim: &Victim) {
    process.order(format_args!("ask {victim}"));
    process.line("");
}

/// The answers come when whoever asked has gone.
fn leave_all(arena: &Arena, process: &mut Process, number: usize) -> Vec<Victim> {
    let victims = arena.connect_many(number);
    for together in victims.chunks(TOGETHER) {
        let before: Vec<_> = together.iter().map(|victim| arena.generation(victim)).collect();
        arena.line.order(Deed::HoldAnswer, together.len());
        for victim in together {
            process.order(format_args!("leave {victim} {PATIENCE}"));
        }
        let held: Vec<_> = together.iter().map(|_| arena.line.held()).collect();
        process.lines_of(together, "left");
        held.into_iter().for_each(Held::go_on);
        for (victim, before) in together.iter().zip(before) {
            arena.moves_on(victim, before);
        }
    }
    victims
}
