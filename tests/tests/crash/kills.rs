//! Processes that are killed at each point of a refresh.

use crate::arena::{Arena, Victim};
use crate::line::Deed;
use crate::process::Process;
use crate::tally::{Fate, Tally, Truth, report};
use crate::{has_kill_points, say, size};

/// A point, the environment's word for it where it has one, and whether the platform has rotated by then.
const POINTS: [(&str, Option<&str>, bool); 8] = [
    ("K1", Some("before_mark"), false),
    ("K2", Some("inside_mark"), false),
    ("K3", Some("after_mark"), false),
    ("K4", None, false),
    ("K5", None, true),
    ("K6", Some("answer_read"), true),
    ("K7", Some("inside_commit"), true),
    ("K8", Some("after_commit"), false),
];

/// Others who refresh beside the killed ones all the time.
const BYSTANDERS: usize = 4;

const METRICS: &str = "metrics --json --max-age 0";

#[test]
fn kills_at_each_point_lose_what_the_platform_gave_and_nobody_stored_and_nothing_else() {
    if has_kill_points() {
        kill(&POINTS, size("KILLS", 24));
    }
}

/// The same without a special build, where a proxy knows the point.
#[test]
fn kills_while_a_request_or_an_answer_is_on_its_way() {
    kill(&[POINTS[3], POINTS[4]], size("KILLS", 8));
}

fn kill(points: &[(&str, Option<&str>, bool)], kills: usize) {
    let arena = Arena::new();
    let bystanders = arena.connect_many(BYSTANDERS);
    let mut beside = arena.refresher(&arena.place);
    for bystander in &bystanders {
        beside.order(format_args!("take {bystander}"));
    }
    beside.order("storm 2 100");
    let mut all = Tally::default();
    for &(name, word, rotated) in points {
        let mut tally = Tally::default();
        let mut victim = arena.connect();
        for _ in 0..kills / points.len() {
            let before = arena.generation(&victim);
            kill_once(&arena, &victim, word, rotated);
            let settled = settle(&arena, &victim);
            tally.add(settled);
            all.add(settled);
            let moved = arena.generation(&victim) > before;
            assert_eq!((settled, moved), if rotated { (Fate::Lost, false) } else { (Fate::Alive, true) }, "{name}");
            if settled == Fate::Lost {
                victim = arena.connect();
            }
        }
        say(&format!("  killed at {name}: {tally}"));
    }
    beside.end().with(0);
    let others = Tally::of(&arena, &bystanders);
    others.assert(BYSTANDERS, 0);
    let counted = report("kills", &arena, &all, &format!("kills {}", all.alive + all.lost));
    // A spent token is sent once more for each answer that was lost: nobody can know whether it is spent.
    assert_eq!(counted, (all.lost as u64, 1));
}

/// A command dies in the middle of its refresh.
fn kill_once(arena: &Arena, victim: &Victim, word: Option<&str>, rotated: bool) {
    let mut command = arena.cli(METRICS, victim);
    if let Some(word) = word {
        let process = Process::start({
            command.env("CONNECTOR_KILL_AT", word);
            command
        });
        return process.end().by_a_signal();
    }
    let token = arena.rig.refresh_token(&arena.row(victim)).unwrap().unwrap();
    arena.line.order_for(&token, if rotated { Deed::HoldAnswer } else { Deed::HoldRequest });
    let process = Process::start(command);
    let held = arena.line.held();
    process.kill();
    drop(held);
}

/// Time passes, and another command comes.
fn settle(arena: &Arena, victim: &Victim) -> Fate {
    arena.quarantine_is_over([victim]);
    Process::start(arena.cli(METRICS, victim)).end();
    Truth::of(arena).fate(arena, victim)
}
