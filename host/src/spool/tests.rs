use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;
use std::thread;

use connector_core::testing::FakeTransport;
use tempfile::TempDir;

use super::*;
use crate::vault::{KeyRing, Vault};

/// Where this program, run again by one of its tests, finds the spool.
const ROLE: &str = "CONNECTOR_SPOOL_TEST";

/// A directory that goes away with the test, and the place of a spool in it.
fn place() -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("spool");
    (home, dir)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The entries, and how many files are damaged.
fn found(spool: &Spool) -> (Vec<Vec<u8>>, usize) {
    let found = spool.leftovers().unwrap();
    (found.entries.iter().map(|entry| entry.sealed().to_vec()).collect(), found.damaged.len())
}

/// Leaves an entry behind, as an end without a clean-up does.
fn leave(spool: &Spool, sealed: &[u8]) -> PathBuf {
    let mut slot = spool.reserve().unwrap();
    slot.write(sealed).unwrap();
    slot.reserved.path.clone()
}

/// This program, to be run again for one test alone, by a shell that does something first.
fn again(test: &str, before: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$0\" \"$@\"")]).arg(env::current_exe().unwrap());
    command.args(["--exact", &format!("spool::tests::{test}"), "--nocapture"]).env(ROLE, dir);
    command
}

fn role() -> Option<PathBuf> {
    env::var_os(ROLE).map(PathBuf::from)
}

#[expect(clippy::print_stdout, reason = "another process reads it, or whoever asks why a test did nothing")]
fn say(text: &str) {
    println!("{text}");
}

fn assert_passed(output: &Output) {
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
fn an_entry_of_a_living_process_is_seen_and_counts_for_its_key() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let cx = FakeTransport::default().context();
    let (ours, other) = (KeyRing::generate(&cx).unwrap(), KeyRing::generate(&cx).unwrap());
    let keys = [&ours, &other].map(|ring| ring.ids().next().unwrap());
    let sealed = Vault::new(ours).prove(&cx).unwrap();
    let (mut slot, _unused) = (spool.reserve().unwrap(), spool.reserve().unwrap());
    assert_eq!(spool.leftovers().unwrap().held, Vec::<Vec<u8>>::new());
    slot.write(sealed.as_bytes()).unwrap();
    let counts = || keys.map(|key| spool.count_sealed_with(key).unwrap());
    assert_eq!((spool.leftovers().unwrap().held, counts()), (vec![sealed.as_bytes().to_vec()], [1, 0]));
    drop(slot);
    assert_eq!(counts(), [1, 0], "it is there whoever holds it");
    assert_eq!(spool.leftovers().unwrap().held, Vec::<Vec<u8>>::new());
}

#[test]
fn a_slot_takes_an_entry_and_the_next_process_finds_it() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let mut slot = spool.reserve().unwrap();
    slot.write(b"a much longer first entry").unwrap();
    slot.write(b"sealed").unwrap();
    assert_eq!(found(&spool), (vec![], 0), "it belongs to a living process");
    drop((slot, spool));
    let next = Spool::open(&dir).unwrap();
    assert_eq!(found(&next), (vec![b"sealed".to_vec()], 0));
    assert_eq!(found(&next), (vec![b"sealed".to_vec()], 0), "it is found until it is done");
    for entry in next.leftovers().unwrap().entries {
        entry.done().unwrap();
    }
    assert_eq!((found(&next), names(&dir)), ((vec![], 0), vec![]));
}

#[test]
fn room_is_taken_when_a_slot_is_reserved_and_not_before_an_entry() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let slot = spool.reserve().unwrap();
    let found = fs::metadata(&slot.reserved.path).unwrap();
    assert_eq!(found.len(), 131_072);
    #[cfg(unix)]
    assert!(std::os::unix::fs::MetadataExt::blocks(&found) * 512 >= 131_072, "it is sparse");
}

#[test]
fn a_slot_without_an_entry_is_reserved_again_and_removed_at_a_clean_end() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let (first, second) = (spool.reserve().unwrap(), spool.reserve().unwrap());
    assert_eq!(names(&dir), ["slot-0000", "slot-0001"]);
    drop(first);
    let mut first = spool.reserve().unwrap();
    first.write(b"sealed").unwrap();
    first.clear().unwrap();
    assert!(fs::read(&first.reserved.path).unwrap().iter().all(|byte| *byte == 0), "something stays behind");
    drop((first, second));
    assert_eq!(names(&dir), ["slot-0000", "slot-0001"]);
    drop(spool);
    assert_eq!(names(&dir), [""; 0]);
}

#[test]
fn a_slot_whose_file_was_removed_is_not_trusted() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let mut slot = spool.reserve().unwrap();
    fs::remove_file(&slot.reserved.path).unwrap();
    let error = slot.write(b"sealed").unwrap_err().to_string();
    assert!(error.starts_with("cannot write to") && error.contains("slot-0000"), "{error}");
    drop(slot);
    spool.reserve().unwrap().write(b"sealed").unwrap();
    assert_eq!(found(&spool), (vec![b"sealed".to_vec()], 0));
}

#[test]
fn an_entry_that_is_too_large_is_refused_and_the_slot_stays_clean() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let mut slot = spool.reserve().unwrap();
    let error = slot.write(&vec![1; SIZE]).unwrap_err().to_string();
    assert_eq!(error, "an entry of 131072 bytes is too large for the spool: it takes 131024 bytes at most");
    slot.write(&vec![1; entry::MOST]).unwrap();
    slot.clear().unwrap();
    drop(slot);
    assert_eq!(found(&spool), (vec![], 0));
}

#[test]
fn what_was_reserved_and_never_used_is_cleaned_away() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    for (number, bytes) in [&[][..], &[0; 4096], &vec![0; SIZE], b"cleared1", b"cleared1 half wiped"].iter().enumerate()
    {
        let file = private_files::create(&dir.join(format!("slot-{number}")));
        (&file.unwrap()).write_all(bytes).unwrap();
    }
    assert_eq!((found(&spool), names(&dir)), ((vec![], 0), vec![]));
}

#[test]
fn what_holds_something_and_no_entry_is_set_aside_and_keeps_nothing_back() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let whole = entry::encode(b"sealed").unwrap();
    let mut oversized = vec![0; SIZE + 1];
    oversized[SIZE] = 1;
    let damaged = [&whole[..whole.len() - 1], b"not a spool file", &[0, 0, 1], &oversized];
    for (number, bytes) in damaged.iter().chain([&&whole[..]]).enumerate() {
        let file = private_files::create(&dir.join(format!("slot-{number}")));
        (&file.unwrap()).write_all(bytes).unwrap();
    }
    fs::write(dir.join("README"), "nothing of ours").unwrap();
    for time in ["first", "second"] {
        assert_eq!(found(&spool), (vec![b"sealed".to_vec()], 4), "the {time} time");
    }
    for (number, bytes) in damaged.iter().enumerate() {
        assert_eq!(fs::read(dir.join(format!("slot-{number}.damaged-1"))).unwrap(), *bytes);
    }
    let why = &spool.leftovers().unwrap().damaged[0].why;
    assert!(why.contains("slot-0.damaged-1` holds no whole entry"), "{why}");
    assert!(dir.join("README").exists());
}

#[test]
fn one_damaged_file_never_takes_the_place_of_another() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    for bytes in [b"one", b"two"] {
        (&private_files::create(&dir.join("slot-0")).unwrap()).write_all(bytes).unwrap();
        spool.leftovers().unwrap();
    }
    assert_eq!(names(&dir), ["slot-0.damaged-1", "slot-0.damaged-2"]);
}

#[test]
#[cfg(unix)]
fn a_file_open_to_others_is_reported_and_keeps_nothing_back() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let path = leave(&spool, b"first");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    leave(&spool, b"second");
    let found = spool.leftovers().unwrap();
    assert_eq!(found.entries.len(), 1);
    assert!(found.damaged[0].why.contains("is open to other users"), "{:?}", found.damaged);
    assert_eq!(found.damaged[0].path, path);
}

#[test]
fn two_spools_on_one_directory_do_not_disturb_each_other() {
    let (_home, dir) = place();
    let (one, two) = (Spool::open(&dir).unwrap(), Spool::open(&dir).unwrap());
    let (mut a, mut b) = (one.reserve().unwrap(), two.reserve().unwrap());
    a.write(b"a").unwrap();
    b.write(b"b").unwrap();
    assert_eq!((found(&one), found(&two)), ((vec![], 0), (vec![], 0)));
    drop((b, two));
    assert_eq!(found(&one), (vec![b"b".to_vec()], 0));
}

#[test]
fn a_leftover_that_was_replayed_while_another_process_opened_it_is_not_replayed_again() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let path = leave(&spool, b"sealed");
    let open = || private_files::open(&path, private_files::Access::Write).unwrap().unwrap();
    let (early, as_early) = (open(), open());
    for entry in spool.leftovers().unwrap().entries {
        entry.done().unwrap();
    }
    assert!(Reserved::lock(path.clone(), early).unwrap().is_none());
    let _new = spool.reserve().unwrap();
    assert!(path.exists() && Reserved::lock(path.clone(), as_early).unwrap().is_none(), "the name is another file's");
}

#[test]
fn processes_that_start_at_once_replay_each_leftover_once() {
    let (_home, dir) = place();
    let spool = Spool::open(&dir).unwrap();
    let slots: Vec<_> = (0..40_u8).map(|number| (number, spool.reserve().unwrap())).collect();
    for (number, mut slot) in slots {
        slot.write(&[number]).unwrap();
    }
    let start = Barrier::new(8);
    let replay = || {
        let spool = Spool::open(&dir).unwrap();
        let mut replayed = Vec::new();
        start.wait();
        for _ in 0..3 {
            // Slots come and go meanwhile.
            let _slot = spool.reserve().unwrap();
            for entry in spool.leftovers().unwrap().entries {
                replayed.extend_from_slice(entry.sealed());
                entry.done().unwrap();
            }
        }
        replayed
    };
    let replayed: Vec<u8> = thread::scope(|scope| {
        let running: Vec<_> = (0..8).map(|_| scope.spawn(replay)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(replayed.len(), 40, "{replayed:?}");
    assert_eq!(replayed.iter().collect::<BTreeSet<_>>().len(), 40, "{replayed:?}");
}

#[test]
#[cfg(unix)]
fn a_killed_process_leaves_what_it_wrote_and_nothing_else() {
    const TEST: &str = "a_killed_process_leaves_what_it_wrote_and_nothing_else";
    if let Some(dir) = role() {
        let spool = Spool::open(&dir).unwrap();
        let (_clean, mut written) = (spool.reserve().unwrap(), spool.reserve().unwrap());
        written.write(b"sealed").unwrap();
        say("ready");
        // Until it is killed.
        io::stdin().lines().for_each(drop);
        return;
    }
    let (_home, dir) = place();
    let mut child = again(TEST, "", &dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the other process ended");
    let spool = Spool::open(&dir).unwrap();
    assert_eq!((found(&spool), names(&dir).len()), ((vec![], 0), 2), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(found(&spool), (vec![b"sealed".to_vec()], 0));
    assert_eq!(names(&dir), ["slot-0001"]);
}

#[test]
#[cfg(unix)]
fn files_are_private_whatever_the_process_mask() {
    use std::os::unix::fs::PermissionsExt as _;

    const TEST: &str = "files_are_private_whatever_the_process_mask";
    if let Some(dir) = role() {
        let spool = Spool::open(&dir).unwrap();
        let slot = spool.reserve().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&dir), mode(&slot.reserved.path)), (0o700, 0o600));
        return;
    }
    for mask in ["000", "077", "777"] {
        let (_home, dir) = place();
        assert_passed(&again(TEST, &format!("umask {mask};"), &dir).output().unwrap());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_takes_an_entry_into_a_reserved_slot() {
    const TEST: &str = "a_disk_that_is_full_takes_an_entry_into_a_reserved_slot";
    if let Some(mount) = role() {
        return on_a_small_disk(&mount);
    }
    let home = TempDir::new().unwrap();
    // In a mount namespace of its own, the disk goes away with the last process in it.
    let unshared = |command: &Command| {
        let mut unshared = Command::new("unshare");
        unshared.arg("-m").arg(command.get_program()).args(command.get_args()).env(ROLE, home.path());
        unshared.output()
    };
    let mount = format!("mount -t tmpfs -o size=256k tmpfs \"${ROLE}\" &&");
    let mut probe = Command::new("sh");
    probe.args(["-c", &format!("{mount} true")]);
    if unshared(&probe).is_ok_and(|output| output.status.success()) {
        assert_passed(&unshared(&again(TEST, &mount, home.path())).unwrap());
    } else {
        say("skipped: this process may not mount a small disk of its own (that takes root, `unshare` and `mount`)");
    }
}

#[cfg(target_os = "linux")]
fn on_a_small_disk(mount: &Path) {
    let spool = Spool::open(&mount.join("spool")).unwrap();
    let mut slot = spool.reserve().unwrap();
    let filler = File::create(mount.join("filler")).unwrap();
    for piece in [4096, 1] {
        let full = std::iter::repeat_with(|| (&filler).write_all(&vec![1; piece])).find_map(io::Result::err).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
    let error = spool.reserve().unwrap_err().to_string();
    assert!(error.contains("cannot write to") && error.contains("No space left"), "{error}");
    let sealed = vec![7; entry::MOST];
    slot.write(&sealed).unwrap();
    slot.clear().unwrap();
    slot.write(&sealed).unwrap();
    drop((slot, spool));
    let spool = Spool::open(&mount.join("spool")).unwrap();
    assert_eq!(names(&mount.join("spool")), ["slot-0000"], "a slot that found no room takes none");
    for entry in spool.leftovers().unwrap().entries {
        assert_eq!(entry.sealed(), sealed);
        entry.done().unwrap();
    }
    assert_eq!(names(&mount.join("spool")), [""; 0]);
}

#[test]
fn whoever_only_looks_counts_what_waits_and_changes_nothing() {
    let (_home, dir) = place();
    let nothing = Spool::waiting(&dir).unwrap();
    assert_eq!((nothing.entries, nothing.damaged.len(), dir.exists()), (0, 0, false));
    let spool = Spool::open(&dir).unwrap();
    leave(&spool, b"sealed");
    let aside = dir.join("slot-0009.damaged-1");
    fs::write(&aside, "half").unwrap();
    let before = names(&dir);
    let waiting = Spool::waiting(&dir).unwrap();
    assert_eq!((waiting.entries, waiting.damaged), (1, vec![aside]));
    assert_eq!(names(&dir), before);
}
