//! Several processes on one file.

use crate::arena::{Arena, Victim};
use crate::process::Process;
use crate::tally::{Tally, Truth, report};
use crate::{say, size};

const PROCESSES: usize = 4;
const GRANTS: usize = 50;

/// Commands that come and go beside the processes that stay.
const COMMANDS: usize = 8;

#[test]
fn processes_on_one_file_never_ask_twice_at_a_time_and_spend_no_token_twice() {
    let arena = Arena::new();
    let victims = arena.connect_many(GRANTS);
    let begun = Truth::of(&arena).rotations;
    arena.take_time(10);
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| arena.refresher(&arena.place)).collect();
    storm(&mut processes, &victims);
    let commands = victims.iter().take(COMMANDS).map(|victim| arena.cli("metrics --json --max-age 0", victim));
    let commands: Vec<_> = commands.map(Process::start).collect();
    until_rotated(&arena, begun + size("ROTATIONS", 200) as u64);
    for command in commands {
        command.end().with(0);
    }
    processes.iter_mut().for_each(Process::no_more);
    for process in processes {
        let said = process.end().with(0).said;
        say(&format!("  {}", said.replace('\n', ", ")));
        assert!(said.ends_with("failed 0"), "{said}");
    }
    let tally = Tally::of(&arena, &victims);
    let counted = report("processes on one file", &arena, &tally, &format!("processes {PROCESSES}, grants {GRANTS}"));
    tally.assert(GRANTS, 0);
    assert_eq!(counted, (0, 1));
}

/// All of them ask for all of these, as fast as they can.
pub(crate) fn storm(processes: &mut [Process], victims: &[Victim]) {
    for process in processes {
        for victim in victims {
            process.order(format_args!("take {victim}"));
        }
        process.order("storm 8 1");
    }
}

/// Waits until the platform has rotated so many tokens.
pub(crate) fn until_rotated(arena: &Arena, rotations: u64) {
    while Truth::of(arena).rotations < rotations {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
