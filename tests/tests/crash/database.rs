//! Several processes on a server behind a pooler, while connections, backends and the pooler itself come and go.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use connector_host::store::testing::{self, Pooler, Server};
use connector_tests::rig::Place;

use crate::arena::{Arena, Victim, earlier};
use crate::line::Held;
use crate::many::storm;
use crate::process::Process;
use crate::support::Leaks;
use crate::tally::{Tally, Truth, report};
use crate::{say, size};

const PROCESSES: usize = 3;
const GRANTS: usize = 50;

/// Refreshes that are under way when the pooler goes.
const TOGETHER: usize = 10;

/// How often a backend is ended.
const PEACE: Duration = Duration::from_millis(100);
/// After so many backends it is the pooler.
const BACKENDS: usize = 8;

/// A database, a pooler before it, and grants in it.
struct Base {
    server: &'static Server,
    pooler: Pooler,
    url: String,
    arena: Arena,
    /// Where processes find it.
    place: Place,
    victims: Vec<Victim>,
}

impl Base {
    fn new(grants: usize) -> Option<Self> {
        let server = testing::postgres()?;
        let pooler = server.pooler()?;
        let url = server.fresh_database();
        let arena = Arena::on(Some(url.clone()));
        let place = Place { database: Some(pooler.before(&url)), ..arena.place.clone() };
        let victims = arena.connect_many(grants);
        Some(Self { server, pooler, url, arena, place, victims })
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').find_map(|part| part.split_once("?host=")).map_or("", |(name, _)| name)
    }

    /// Ends one backend, whatever it is at.
    fn end_a_backend(&self) {
        let any = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
        self.server.run(self.name(), any);
    }

    /// The connections of the test itself may be among those that were ended.
    fn look_again(&mut self) {
        self.arena.rig = self.arena.stage.web.wait(self.arena.place.open()).unwrap();
    }
}

#[test]
fn processes_behind_a_pooler_lose_nothing_when_backends_and_the_pooler_are_killed() {
    let Some(mut base) = Base::new(GRANTS) else { return };
    let begun = Truth::of(&base.arena).rotations;
    base.arena.take_time(10);
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| base.arena.refresher(&base.place)).collect();
    storm(&mut processes, &base.victims);
    let (mut backends, mut restarts) = (0, 0);
    while Truth::of(&base.arena).rotations < begun + size("ROTATIONS", 200) as u64 || restarts == 0 {
        std::thread::sleep(PEACE);
        base.end_a_backend();
        backends += 1;
        if backends % BACKENDS == 0 {
            base.pooler.stop();
            std::thread::sleep(PEACE);
            base.pooler.start_again();
            restarts += 1;
        }
    }
    processes.iter_mut().for_each(Process::no_more);
    for process in processes {
        say(&format!("  {}", process.end().with(0).said.replace('\n', ", ")));
    }
    base.look_again();
    let doubts = Tally::of(&base.arena, &base.victims).in_doubt;
    settle(&base);
    let tally = Tally::of(&base.arena, &base.victims);
    let more = format!(
        "processes {PROCESSES}, grants {GRANTS}, backends ended {backends}, pooler restarts {restarts}, in doubt meanwhile {doubts}"
    );
    let counted = report("processes behind a pooler", &base.arena, &tally, &more);
    tally.assert(GRANTS, 0);
    assert_eq!(counted, (0, 1));
}

/// Time passes, and a process comes that asks for every grant.
fn settle(base: &Base) {
    base.server.run(base.name(), &earlier(&base.victims));
    let mut process = base.arena.refresher(&base.place);
    for victim in &base.victims {
        process.order(format_args!("ask {victim}"));
        process.line("ok");
    }
    process.end().with(0);
}

#[test]
fn database_that_goes_between_answer_and_commit_loses_nothing() {
    let Some(mut base) = Base::new(TOGETHER) else { return };
    let cuts = i64::try_from(size("CUTS", 2)).unwrap();
    let before: Vec<_> = base.victims.iter().map(|victim| base.arena.generation(victim)).collect();
    for cut in 1..=cuts {
        let mut process = base.arena.refresher(&base.place);
        let held = base.arena.hold_answers(&mut process, &base.victims);
        base.pooler.stop();
        held.into_iter().for_each(Held::go_on);
        process.lines_of(&base.victims, "ok");
        assert_eq!(rotated(&base, &before), [cut - 1; TOGETHER], "nothing can have been stored yet");
        if cut % 2 == 0 {
            process.kill();
            base.pooler.start_again();
            base.arena.refresher(&base.place).end().with(0);
        } else {
            base.pooler.start_again();
            process.end().with(0);
        }
        base.look_again();
        assert_eq!(rotated(&base, &before), [cut; TOGETHER]);
    }
    let tally = Tally::of(&base.arena, &base.victims);
    let counted =
        report("database that goes", &base.arena, &tally, &format!("cuts {cuts}, each with {TOGETHER} answers"));
    tally.assert(TOGETHER, 0);
    assert_eq!(counted, (0, 1));
}

/// How often each grant has been refreshed since.
fn rotated(base: &Base, before: &[i64]) -> Vec<i64> {
    base.victims.iter().zip(before).map(|(victim, before)| base.arena.generation(victim) - before).collect()
}

#[test]
fn no_file_of_a_server_holds_a_token() {
    let Some(base) = Base::new(1) else { return };
    let victim = &base.victims[0];
    let mut process = base.arena.refresher(&base.place);
    for _ in 0..3 {
        process.order(format_args!("ask {victim}"));
        process.line("ok");
    }
    process.end().with(0);
    base.server.run("postgres", "CHECKPOINT");
    let dir = base.server.run("postgres", "SHOW data_directory");
    let id = [("grant".to_owned(), victim.grant.to_string())];
    assert!(!found_under(&dir, &Leaks::of(&id)).is_empty(), "what is there is found");
    let issued = base.arena.stage.tiktok.issued();
    assert!(issued.len() > 8, "{}", issued.len());
    assert_eq!(found_under(&dir, &Leaks::of(&issued)), "");
}

/// The files of the server, which are many and large, that hold any of this.
fn found_under(dir: &str, leaks: &Leaks) -> String {
    let mut grep = Command::new("grep");
    grep.args(["-rlaF", "-f", "-", dir]).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut grep = grep.spawn().unwrap();
    let lines = leaks.needles.iter().map(|(_, needle)| needle.as_slice()).collect::<Vec<_>>().join(&b'\n');
    grep.stdin.take().unwrap().write_all(&lines).unwrap();
    String::from_utf8(grep.wait_with_output().unwrap().stdout).unwrap()
}
