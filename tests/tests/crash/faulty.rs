//! A disk that fails at one call of a refresh, or from one call on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use connector_host::testing::DatabaseFile;
use connector_tests::rig::{Place, Rig};

use crate::arena::{Arena, Victim};
use crate::has_strace;
use crate::line::{Deed, Held};
use crate::process::Process;
use crate::tally::{Fate, Tally, Truth, report};

/// Calls by which a process uses a disk, and the errors they may end with. A question mark is for systems that do not have it.
const CALLS: [(&str, &[&str]); 15] = [
    ("openat", &["ENOSPC", "EIO", "EROFS"]),
    ("read", &["EIO"]),
    ("pread64", &["EIO"]),
    ("write", &["ENOSPC", "EIO"]),
    ("pwrite64", &["ENOSPC", "EIO", "EROFS"]),
    ("fsync", &["ENOSPC", "EIO"]),
    ("fdatasync", &["ENOSPC", "EIO"]),
    ("ftruncate", &["ENOSPC", "EIO"]),
    ("fallocate", &["ENOSPC", "EIO"]),
    ("fchmod", &["EIO", "EROFS"]),
    ("fchown", &["EIO", "EROFS"]),
    ("?unlink", &["EIO", "EROFS"]),
    ("?unlinkat", &["EIO", "EROFS"]),
    ("?rename", &["ENOSPC", "EIO"]),
    ("?renameat", &["ENOSPC", "EIO"]),
];

/// Grants beside the one that is refreshed.
const BYSTANDERS: usize = 3;

/// How often a process opens its store, and asks for a token, until it gets there: a failure on one thread is not to hide one on another.
const ATTEMPTS: usize = 3;

/// How often a fault is tried that hits nothing: which thread does what is not the same in each run.
const TRIES: usize = 5;

/// How many writes a mark takes in a new log: a header, and two pages with a header each.
const CALLS_OF_A_MARK: usize = 5;

#[test]
fn disk_that_fails_at_any_single_call_of_a_refresh_costs_no_account() {
    fail(When::Once, 8);
}

#[test]
fn disk_that_fails_from_any_call_of_a_refresh_on_costs_no_account() {
    fail(When::FromThenOn, 3);
}

#[test]
fn spool_that_fails_once_while_the_store_fails_costs_no_account() {
    fail(When::OnceWhileTheStoreFails, 4);
}

/// Where neither the store nor the spool takes an answer, and the process dies, the answer is lost, and that is seen.
#[test]
fn answer_that_no_disk_took_is_lost_with_its_process_alone() {
    if !has_strace() {
        return;
    }
    let mut house = House::new();
    let mut tally = Tally::default();
    for (last, dies) in [("", true), ("..11", false)] {
        let mut process = house.start(&[store_fails(last)], &[&house.log_of_store()]);
        process.line("ready");
        let (arena, victim) = (&house.arena, house.victim.clone());
        arena.line.order(Deed::HoldAnswer, 1);
        // Longer than it takes until the spool is tried.
        process.order(if dies { format!("leave {victim} 3000") } else { format!("ask {victim}") });
        let answer = arena.line.held();
        arena.remove_spool();
        Held::go_on(answer);
        if dies {
            process.line("left");
            process.signal("KILL");
            process.end().by_a_signal();
        } else {
            process.line("ok");
            process.end().with(0);
        }
        tally.add(house.settle());
    }
    house.swap();
    let counted = report("failed disk without a spool", &house.arena, &tally, "deaths 1, recoveries 1");
    tally.assert(1, 1);
    // A spent token is sent once more for the answer that was lost: nobody can know whether it is spent.
    assert_eq!(counted, (1, 1));
}

/// Runs one process for each fault that there may be, or for some of them.
fn fail(when: When, short: usize) {
    if !has_strace() {
        return;
    }
    let mut house = House::new();
    let all = house.faults(when);
    let runs = match std::env::var("FAULTS").as_deref() {
        Ok("all") => all.len(),
        Ok(number) => all.len().min(number.parse().unwrap()),
        Err(_) => short,
    };
    let mut counted = Counted::default();
    let mut tally = Tally::default();
    for run in 0..runs {
        let fault = &all[run * all.len() / runs];
        house.run(fault, &mut counted);
        let fate = house.settle();
        assert_eq!(fate, Fate::Alive, "{fault:?}");
        tally.add(fate);
    }
    let what = format!("{}, {counted}", all_of(&all));
    house.swap();
    let judged = report(when.name(), &house.arena, &tally, &what);
    tally.assert(runs, 0);
    assert_eq!(judged, (0, 1));
    assert!(counted.missed * 2 <= runs, "most faults are to hit something");
}

/// How often a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Once,
    FromThenOn,
    /// Once, while the log of the database takes no more than a mark.
    OnceWhileTheStoreFails,
}

impl When {
    fn name(self) -> &'static str {
        match self {
            Self::Once => "disk that fails once",
            Self::FromThenOn => "disk that fails from then on",
            Self::OnceWhileTheStoreFails => "spool that fails once while the store fails",
        }
    }
}

/// One call that fails: the system counts those of a thread on a file.
#[derive(Clone, Debug)]
struct Fault {
    call: &'static str,
    file: PathBuf,
    number: usize,
    error: &'static str,
    when: When,
}

impl Fault {
    fn injection(&self) -> String {
        let Self { call, number, error, when, .. } = self;
        let on = if *when == When::FromThenOn { "+" } else { "" };
        format!("inject={call}:error={error}:when={number}{on}")
    }

    /// How often it hit something.
    fn hits(&self, log: &str) -> usize {
        let call = self.call.trim_start_matches('?');
        let (whole, resumed) = (format!(" {call}("), format!("<... {call} "));
        let is_hit = |line: &&str| line.ends_with("(INJECTED)") && (line.contains(&whole) || line.contains(&resumed));
        log.lines().filter(is_hit).count()
    }
}

/// What makes a store fail as soon as a mark is in its log.
fn store_fails(last: &str) -> String {
    format!("inject=pwrite64:error=EIO:when={}{last}+", CALLS_OF_A_MARK + 1)
}

/// How many faults there are of each call.
fn all_of(faults: &[Fault]) -> String {
    let mut calls = BTreeMap::<_, usize>::new();
    for fault in faults {
        *calls.entry(fault.call.trim_start_matches('?')).or_default() += 1;
    }
    let calls: Vec<_> = calls.iter().map(|(call, number)| format!("{call} {number}")).collect();
    format!("faults {} ({})", faults.len(), calls.join(" "))
}

/// What became of processes whose disk failed.
#[derive(Debug, Default)]
struct Counted {
    token: usize,
    refused: usize,
    unready: usize,
    /// Nothing failed: the calls were on other threads than before.
    missed: usize,
    failed_calls: usize,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token, refused, unready, missed, failed_calls } = self;
        let runs = token + refused + unready;
        write!(
            f,
            "runs {runs}, failed calls {failed_calls}, got a new token {token}, none {refused}, never ready {unready}, missed {missed}"
        )
    }
}

/// An arena whose store nobody has open while a process is under test, so that it does all that a store needs done.
struct House {
    arena: Arena,
    victim: Victim,
    bystanders: Vec<Victim>,
    /// The host that the arena does not have: on the store, while somebody looks, and elsewhere else.
    away: Place,
    log: PathBuf,
    /// How many rows there were.
    rows: Vec<i64>,
}

impl House {
    fn new() -> Self {
        let arena = Arena::new();
        let (victim, bystanders) = (arena.connect(), arena.connect_many(BYSTANDERS));
        let away = Place { data: arena.stage.path("away"), ..arena.place.clone() };
        let log = arena.stage.path("strace");
        let mut house = Self { arena, victim, bystanders, away, log, rows: Vec::new() };
        house.leave();
        house.rows = house.count_rows();
        house
    }

    /// Closes the store here.
    fn leave(&mut self) {
        self.arena.rig = self.open(&self.away);
    }

    /// Opens it again, for a look.
    fn swap(&mut self) {
        self.arena.rig = self.open(&self.arena.place);
    }

    fn open(&self, place: &Place) -> Rig {
        self.arena.stage.web.wait(place.open()).unwrap()
    }

    fn log_of_store(&self) -> PathBuf {
        self.arena.place.data.join("store.db-wal")
    }

    /// A process whose calls on some files, or on all, end as they are told. The tracer is no child of ours, so that what is killed is the process itself.
    fn start(&self, injections: &[String], files: &[&Path]) -> Process {
        let refresher = self.arena.refresher_command(&self.arena.place);
        let mut command = self.arena.command("strace");
        command.env("TRIES", ATTEMPTS.to_string()).args(["-D", "-f", "-y", "-s", "8", "-o"]).arg(&self.log);
        for file in files {
            command.arg("-P").arg(file);
        }
        let calls: Vec<_> = CALLS.iter().map(|(call, _)| *call).collect();
        command.arg("-e").arg(format!("trace={}", calls.join(",")));
        for injection in injections {
            command.arg("-e").arg(injection);
        }
        command.arg(refresher.get_program()).args(refresher.get_args());
        Process::start(command)
    }

    /// Every call of an undisturbed process that may fail.
    fn faults(&self, when: When) -> Vec<Fault> {
        let mut process = self.start(&[], &[]);
        process.line("ready");
        process.order(format_args!("ask {}", self.victim));
        process.line("ok");
        process.end().with(0);
        let log = std::fs::read_to_string(&self.log).unwrap();
        let mut faults = Vec::new();
        for ((call, file), most) in most_of_a_thread(&log, &self.arena.place.data) {
            let (call, errors) = CALLS.into_iter().find(|(known, _)| known.trim_start_matches('?') == call).unwrap();
            let most = match when {
                When::Once | When::FromThenOn => most,
                // It is written when it is reserved, and with the answer, be it by another thread. The two syncs of a mark are in between.
                When::OnceWhileTheStoreFails if is_slot(&file) && call == "write" => 2,
                When::OnceWhileTheStoreFails if is_slot(&file) && call == "fsync" => 4,
                When::OnceWhileTheStoreFails => 0,
            };
            for error in errors.iter().filter(|error| when == When::Once || **error != "EROFS") {
                faults.extend((1..=most).map(|number| Fault { call, file: file.clone(), number, error, when }));
            }
        }
        faults
    }

    /// One process, until its fault has hit something.
    fn run(&self, fault: &Fault, counted: &mut Counted) {
        for left in (0..TRIES).rev() {
            let said = self.run_once(fault);
            let log = std::fs::read_to_string(&self.log).unwrap();
            let failed = fault.hits(&log);
            if failed > 0 || left == 0 {
                counted.failed_calls += failed;
                counted.missed += usize::from(failed == 0);
                *match said {
                    Said::Token => &mut counted.token,
                    Said::Error => &mut counted.refused,
                    Said::Nothing => &mut counted.unready,
                } += 1;
                return;
            }
        }
    }

    fn run_once(&self, fault: &Fault) -> Said {
        let wal = self.log_of_store();
        let mut process = match fault.when {
            When::Once | When::FromThenOn => self.start(&[fault.injection()], &[&fault.file]),
            When::OnceWhileTheStoreFails => self.start(&[fault.injection(), store_fails("")], &[&fault.file, &wal]),
        };
        if process.line_or_end("ready").is_none() {
            let ended = process.end().with(1);
            assert!(!ended.said.contains("panicked"), "{fault:?}: {}", ended.said);
            return Said::Nothing;
        }
        let got_token = (0..ATTEMPTS).any(|_| self.gets_token(&mut process, fault));
        // It would try for long.
        if fault.when != When::Once {
            process.signal("KILL");
        }
        let ended = process.end();
        assert!(!ended.said.contains("panicked"), "{fault:?}: {}", ended.said);
        if fault.when == When::Once {
            ended.with(0);
        } else {
            ended.by_a_signal();
        }
        if got_token { Said::Token } else { Said::Error }
    }

    /// Whether there is a new token: the last one is handed out in its last seconds, where there is none.
    fn gets_token(&self, process: &mut Process, fault: &Fault) -> bool {
        let before = Truth::of(&self.arena).rotations;
        process.order(format_args!("ask {}", self.victim));
        let answer = process.line_or_end("").unwrap_or_else(|| panic!("{fault:?}: it ended without an answer"));
        assert!(answer.starts_with("ok") || answer.starts_with("failed"), "{fault:?}: {answer}");
        answer.starts_with("ok") && Truth::of(&self.arena).rotations > before
    }

    /// Time passes, and an undisturbed process comes for everybody's token. Nothing may be missing by then.
    fn settle(&mut self) -> Fate {
        let mut next = self.arena.refresher(&self.arena.place);
        self.arena.quarantine_is_over([&self.victim]);
        for victim in [&self.victim].into_iter().chain(&self.bystanders) {
            next.order(format_args!("ask {victim}"));
            next.line("");
        }
        next.end().with(0);
        let rows = self.count_rows();
        assert!(rows.iter().zip(&self.rows).all(|(now, before)| now >= before), "{rows:?} of {:?}", self.rows);
        self.rows = rows;
        self.swap();
        let truth = Truth::of(&self.arena);
        Tally::of(&self.arena, &self.bystanders).assert(BYSTANDERS, 0);
        let fate = truth.fate(&self.arena, &self.victim);
        if fate == Fate::Lost {
            self.victim = self.arena.connect();
        }
        self.leave();
        fate
    }

    /// Of tables whose rows nobody removes here. The file is whole as well.
    fn count_rows(&self) -> Vec<i64> {
        let file = DatabaseFile::in_dir(&self.arena.place.data);
        assert_eq!(file.texts("PRAGMA integrity_check").unwrap(), ["ok"]);
        let tables = ["grants", "connections", "audit", "meta"];
        tables.iter().map(|table| file.number(&format!("SELECT count(*) FROM {table}")).unwrap()).collect()
    }
}

/// What a process said that was asked for a token.
enum Said {
    Token,
    Error,
    /// It could not open the store.
    Nothing,
}

/// How many calls of each kind on each file of a directory a thread made at most. What belongs to emulators is left out.
fn most_of_a_thread(log: &str, data: &Path) -> BTreeMap<(String, PathBuf), usize> {
    let mut counts = BTreeMap::<_, usize>::new();
    for (thread, call, file) in log.lines().filter_map(called).filter(|(_, _, file)| is_ours(file, data)) {
        *counts.entry((thread, (call.to_owned(), file))).or_default() += 1;
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in counts {
        let found = most.entry(call).or_default();
        *found = count.max(*found);
    }
    most
}

/// `THREAD call(..) = result`: the thread, the call, and the file.
fn called(line: &str) -> Option<(&str, &str, PathBuf)> {
    let (thread, rest) = line.split_once(' ')?;
    let (call, args) = rest.trim_start().split_once('(')?;
    let known = CALLS.iter().any(|(known, _)| known.trim_start_matches('?') == call);
    let of_descriptor = || args.split_once('<')?.1.split_once('>').map(|(file, _)| file);
    let is_by_name = call.starts_with("open") || call.starts_with("unlink") || call.starts_with("rename");
    let file = if is_by_name { args.split('"').nth(1) } else { of_descriptor() };
    known.then_some((thread, call, file?.into()))
}

fn is_slot(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("slot-"))
}

fn is_ours(file: &Path, data: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let of_emulator = name.starts_with("tiktok") || name.starts_with("lantern");
    file.starts_with(data) && !of_emulator && !name.starts_with('#')
}

#[test]
fn calls_are_counted_by_thread_and_file() {
    let log = [
        r#"7 openat(AT_FDCWD</d>, "/d/store.db", O_RDWR) = 9</d/store.db>"#,
        r#"7 pwrite64(9</d/store.db>, "\0"..., 24, 0) = 24"#,
        r#"8 pwrite64(9</d/store.db>, "\0"..., 24, 0 <unfinished ...>"#,
        r"8 <... pwrite64 resumed>) = 24",
        r#"8  pwrite64(9</d/store.db>, "\0"..., 24, 0) = 24"#,
        r#"8 unlink("/d/store.db-wal") = 0"#,
        r#"8 write(1<pipe:[3]>, "ok t1\n", 6) = 6"#,
        r"8 fsync(9</d/tiktok.lock>) = 0",
        "8 +++ exited with 0 +++",
    ];
    let counted = most_of_a_thread(&log.join("\n"), Path::new("/d"));
    let of = |call: &str, file: &str, most| ((call.to_owned(), PathBuf::from(file)), most);
    let wanted = [of("openat", "/d/store.db", 1), of("pwrite64", "/d/store.db", 2), of("unlink", "/d/store.db-wal", 1)];
    assert_eq!(counted, wanted.into());
}
