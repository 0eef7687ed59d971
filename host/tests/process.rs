//! What the program does about itself: its memory leaves it neither by a core dump nor by another program of the same user.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host");
const NOBODY: u32 = 65_534;

/// A program that runs until the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, as it runs for as long as it is let. The super-user's is run as somebody else's: what the system guards from others, it
/// guards from no super-user.
fn running(home: &TempDir) -> Running {
    let program = home.path().join("program");
    fs::copy(PROGRAM, &program).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mine = home.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o700)).unwrap();
    let given = chown(&mine, Some(NOBODY), Some(NOBODY)).is_ok();
    let command = || {
        let mut command = Command::new(&program);
        command.env_clear().env("HOME", &mine).current_dir(&mine).stdout(Stdio::piped()).stderr(Stdio::null());
        if given {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let list = command().args(["list", "--json"]).output().unwrap();
    let platforms: Value = serde_json::from_slice(&list.stdout).unwrap();
    let with_emulator = platforms.as_array().unwrap().iter().find(|platform| platform["emulator"] == true).unwrap();
    let id = with_emulator["id"].as_str().unwrap();
    let mut child = command().args(["emulator", id, "--json"]).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "{", "it runs");
    Running(child)
}

fn line<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let found = text.lines().find(|line| line.starts_with(word)).unwrap();
    found[word.len()..].split_whitespace().collect()
}

#[test]
fn the_program_dumps_no_core_and_shows_its_memory_to_nobody() {
    let home = TempDir::new().unwrap();
    let running = running(&home);
    let of_it = |name: &str| Path::new("/proc").join(running.0.id().to_string()).join(name);
    let limits = fs::read_to_string(of_it("limits")).unwrap();
    assert_eq!(line(&limits, "Max core file size")[..2], ["0", "0"]);
    let status = fs::read_to_string(of_it("status")).unwrap();
    let user: u32 = line(&status, "Uid:")[0].parse().unwrap();
    assert_ne!(user, 0);
    // The system gives what it shows of such a process to the super-user.
    assert_eq!(fs::metadata(of_it("mem")).unwrap().uid(), 0, "its memory is open to every program of the user {user}");
    let ours = fs::metadata("/proc/self/mem").unwrap().uid();
    assert_eq!(
        ours,
        fs::metadata(home.path()).unwrap().uid(),
        "that of a program that does nothing about it is its user's"
    );
}
