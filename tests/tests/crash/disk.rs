//! A disk that becomes full between the record of a refresh and its answer.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use connector_tests::rig::Place;

use crate::arena::Arena;
use crate::line::Held;
use crate::process::Process;
use crate::tally::{Tally, report};
use crate::{size, skipped};

/// What a store is made of.
const FILES: [&str; 3] = ["store.db", "store.db-wal", "vault.key"];

/// Refreshes that are under way at the same time.
const TOGETHER: usize = 10;

#[test]
fn disk_that_fills_up_before_the_answer_comes_loses_nothing_once_there_is_room() {
    let Some(disk) = Disk::mount() else { return };
    let mut arena = Arena::new();
    let victims = arena.connect_many(TOGETHER);
    let rounds = size("FULL_DISKS", 2);
    for name in FILES {
        std::fs::copy(arena.place.data.join(name), disk.outside.join(name)).unwrap();
    }
    let on_disk = Place { data: disk.path.clone(), ..arena.place.clone() };
    let before: Vec<_> = victims.iter().map(|victim| arena.generation(victim)).collect();
    for round in 1..=rounds {
        let mut process = disk.process(&arena, &on_disk);
        let held = arena.hold_answers(&mut process, &victims);
        disk.fill();
        held.into_iter().for_each(Held::go_on);
        // In the spool, where it may be used from then on.
        process.lines_of(&victims, "ok");
        process.kill();
        disk.empty();
        // The next process stores what it finds in the spool before it is ready.
        let next = disk.process(&arena, &on_disk);
        disk.look(&mut arena, round);
        next.end().with(0);
        let rotated = victims.iter().zip(&before).map(|(victim, before)| arena.generation(victim) - before);
        assert_eq!(rotated.collect::<Vec<_>>(), [i64::try_from(round).unwrap(); TOGETHER]);
    }
    let tally = Tally::of(&arena, &victims);
    let counted = report("full disk", &arena, &tally, &format!("answers {}", rounds * TOGETHER));
    tally.assert(TOGETHER, 0);
    assert_eq!(counted, (0, 1));
}

/// A small disk in memory, that only the processes see which are let into its namespace.
struct Disk {
    /// Where it is for those.
    path: PathBuf,
    /// Where it is for everybody else.
    outside: PathBuf,
    _keeper: Process,
    number: String,
    _dir: tempfile::TempDir,
}

impl Disk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        std::fs::create_dir(&path).unwrap();
        let script = r#"mount -t tmpfs -o size=16m,mode=700 tmpfs "$0" && echo "ready $$" && cat"#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(&path);
        if !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success()) {
            skipped("unshare", "only the super-user may mount a disk of its own");
            return None;
        }
        let mut keeper = Process::start(command);
        let number = keeper.line("ready").split_off("ready ".len());
        let outside = Path::new("/proc").join(&number).join("root").join(path.strip_prefix("/").unwrap());
        Some(Self { path, outside, _keeper: keeper, number, _dir: dir })
    }

    /// A process that refreshes, with its data on this disk.
    fn process(&self, arena: &Arena, place: &Place) -> Process {
        arena.refresher_under("nsenter", &["--mount", "--target", &self.number, "--"], place)
    }

    /// Writes until there is no room.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.outside.join("ballast")).unwrap();
        while file.write_all(&[1; 1024]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.outside.join("ballast")).unwrap();
    }

    /// Takes a copy of the database to where the test can read it: paths into another namespace lead a database astray.
    fn look(&self, arena: &mut Arena, round: usize) {
        let copy = arena.stage.path(&format!("copy-{round}"));
        std::fs::DirBuilder::new().mode(0o700).create(&copy).unwrap();
        for name in FILES {
            std::fs::copy(self.outside.join(name), copy.join(name)).unwrap();
        }
        let place = Place { data: copy, ..arena.place.clone() };
        arena.rig = arena.stage.web.wait(place.open()).unwrap();
    }
}
